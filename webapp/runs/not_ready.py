"""Why no run can begin on a data set yet, and where that is put right."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.datasets.models import Dataset
from webapp.runs.form_fields import sentence as as_sentence


@dataclass(frozen=True)
class NotReady:
    """`way_out` are the words of the link to the data set's page; without a data set there is none."""

    sentence: str
    dataset: Dataset | None = None
    way_out: str = ""


def not_ready(dataset: Dataset | None) -> NotReady:
    """For a data set of the team that is not ready; None stands for one that the team has not (any more)."""
    state = Dataset.State
    if dataset is None:
        return NotReady("The data set that this address names is not among your team's: it may have been deleted.")
    name = f"\N{LEFT DOUBLE QUOTATION MARK}{dataset.name}\N{RIGHT DOUBLE QUOTATION MARK}"
    if dataset.state == state.ASKING:
        return NotReady(
            f"{name} needs somebody's yes before a run can begin on it: not all of it can be used.",
            dataset,
            "See what is left out, and agree",
        )
    if dataset.state == state.REFUSED:
        why = f": {dataset.message.replace(' more below)', ' more)')}" if dataset.message else ""
        return NotReady(as_sentence(f"{name} was refused{why}"), dataset, "See what to correct")
    if dataset.state == state.ERRORED:
        why = f": {dataset.message}" if dataset.message else ""
        return NotReady(as_sentence(f"{name} could not be inspected{why}"), dataset, "Inspect it again")
    return NotReady(
        f"{name} is still being received or inspected; a run can begin on it once it is ready.",
        dataset,
        "See how far it is",
    )
