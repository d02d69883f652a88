"""What a run will cost, before it is started: in trainings, and in time where an earlier run tells the pace."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from evolution_core.spec import RunSpec, catalogue
from webapp.datasets.models import PARTS, Dataset
from webapp.teams.models import Team

from .models import Run
from .templatetags.figures import between
from .templatetags.figures import percent as as_percent

_TEST_SHARE = 0.15  # carved off first when the data have no test part of their own


@dataclass(frozen=True)
class Estimate:
    """`seconds` is a range, None when no earlier run tells the pace; `like` names that run."""

    trainings: int
    epochs: float  # of all trainings together
    images: int  # in one epoch
    seconds: tuple[float, float] | None = None
    like: Run | None = None

    @property
    def sentence(self) -> str:
        each = self.epochs / self.trainings
        shown = f"{each:.0f}" if each >= 10 else f"{each:.2g}"
        epochs = f"{shown} epoch{'' if shown == '1' else 's'}"
        return f"About {self.trainings} trainings of {epochs} over {self.images:,} images."

    @property
    def time(self) -> str:
        if self.seconds is None or self.like is None:
            return ""
        return f"Judging by “{self.like.name}”, about {between(*self.seconds)}."


def what_is_left(spec: RunSpec) -> str:
    """What the environment leaves in the last generation, in a sentence: shares of shares."""
    environment, generations = spec.environment, spec.generations
    resource = catalogue.RESOURCES[spec.resource].label.lower()
    if spec.encoding == "synapse":
        return ""
    if environment.name == "target":
        times, by = environment.parameters["times"], math.ceil(environment.parameters.get("by", 0))
        each = times ** (-1 / (by or generations))
        until = f" until generation {by}" if by and by < generations else ""
        kept = f"about {_percent(each, 0)} of the {resource}{until}"
        return f"Each generation keeps {kept}, to end {times:g} times smaller."
    if environment.name == "scheduled":
        factors = [*environment.factors, *[environment.factors[-1]] * generations][:generations]
        share = math.prod(factors)
    else:
        share = environment.parameters["factor"] ** generations
    where = " of each layer that is not named" if environment.name == "per-layer" else ""
    return f"About {_percent(share, 0 if share >= 0.095 else 1)} of the {resource}{where} are left in the end."


def _percent(share: float, digits: int) -> str:
    """Never broken at the end of a line."""
    return as_percent(share, digits).replace(" ", "\N{NO-BREAK SPACE}")


def estimate(spec: RunSpec, dataset: Dataset | None, team: Team | None = None) -> Estimate:
    """Counts from the spec and the data's report; time from the team's last finished run of the same network."""
    return estimate_all((spec,), dataset, team)


def estimate_all(specs: Sequence[RunSpec], dataset: Dataset | None, team: Team | None = None) -> Estimate:
    """The same for several runs, one after another; the pace is that of the first one's network."""
    counted = [_counted(spec, dataset) for spec in specs]
    result = Estimate(sum(e.trainings for e in counted), sum(e.epochs for e in counted), counted[0].images)
    seen = sum(e.epochs * e.images for e in counted)
    like = _like(specs[0], dataset, team)
    pace = _seconds_per_image(like) if like is not None and seen else None
    if pace is None:
        return result
    return replace(result, seconds=(pace * seen * 0.7, pace * seen * 1.4), like=like)


def _counted(spec: RunSpec, dataset: Dataset | None) -> Estimate:
    births = spec.generations * spec.offspring
    last = spec.offspring if spec.last_epochs is not None else 0
    epochs = (births - last) * spec.epochs + last * (spec.last_epochs or 0.0) + (spec.ancestor_epochs or spec.epochs)
    return Estimate(births + 1, epochs, training_images(spec, dataset))


def training_images(spec: RunSpec, dataset: Dataset | None) -> int:
    """How many images one epoch passes over."""
    if dataset is None:
        return 0
    train, validation, test = (int(dataset.summary.get(part) or 0) for part in PARTS)
    counted = train + validation + test
    if not test:
        train = round(train * (1 - _TEST_SHARE))
    if dataset.task == "detection" and counted:  # boxes were counted: images are shared out alike
        images = int(dataset.summary.get("images") or 0)
        train, validation = round(images * train / counted), round(images * validation / counted)
    held_back = validation / (train + validation) if validation else spec.validation_share
    both = train + validation
    if spec.limit is not None:
        both = min(both, spec.limit)
    return round(both * (1 - held_back))


def _like(spec: RunSpec, dataset: Dataset | None, team: Team | None) -> Run | None:
    """The last finished run of the same network; on the same data, if there is one."""
    if team is None:
        return None
    runs = (
        Run.objects.filter(
            team=team, state=Run.State.FINISHED, spec__architecture=spec.architecture, started_at__isnull=False
        )
        .select_related("dataset")
        .defer("dataset__report")
    )
    same = runs.filter(dataset=dataset).first() if dataset is not None else None
    return same or runs.first()


def _seconds_per_image(run: Run) -> float | None:
    """Seconds for each training image seen, while at least one of its networks was being made: a run that waited for
    its turn behind others was not slow."""
    try:
        spec = run.run_spec
    except ValueError:
        return None
    done = _counted(spec, run.dataset)
    lives = run.networks.filter(started_at__isnull=False, measured_at__isnull=False)
    seconds = _covered(lives.order_by("started_at").values_list("started_at", "measured_at"))
    seen = done.epochs * done.images
    return seconds / seen if seen and seconds > 0 else None


def _covered(spans: Iterable[tuple[datetime | None, datetime | None]]) -> float:
    """Seconds that lie in any of the spans, which come in the order of their beginnings."""
    total, reached = 0.0, None
    for begin, end in spans:
        if begin is None or end is None:
            continue
        begin = begin if reached is None else max(begin, reached)
        if end > begin:
            total += (end - begin).total_seconds()
            reached = end
    return total
