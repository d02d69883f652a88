"""Each generation's figures: the table behind the charts of progress and of shock, and the same to keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .chart import fronts, mean
from .measures import COSTS
from .models import Run
from .snapshot import Lineage


def generation_records(run: Run, lineage: Lineage, costs: Iterable[str] = COSTS) -> list[dict[str, Any]]:
    """One row a generation, with the hypervolume of each of `costs`.

    Hypervolumes are accuracy above chance times powers of ten of cost, the front so far against the ancestor's cost.
    One query.
    """
    costs = tuple(costs)
    _, volumes = fronts(run, lineage, costs)
    rows = []
    for generation, networks in lineage.generations.items():
        measured = [n for n in networks if n.is_measured]
        finals = [n.validation_accuracy for n in measured if n.validation_accuracy is not None]
        row: dict[str, Any] = {
            "generation": generation,
            "networks": len(networks),
            "measured": len(finals),
            "mean_shock": mean([n.shock_accuracy for n in measured if n.shock_accuracy is not None]),
            "mean_accuracy": mean(finals),
            "best_accuracy": max(finals, default=None),
            "least_parameters": min((n.parameters for n in measured if n.parameters), default=None),
        }
        rows.append(row | {f"hypervolume_{cost}": volumes[cost][generation] for cost in costs})
    return rows
