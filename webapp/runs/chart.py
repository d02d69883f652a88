"""What the charts draw, as JSON: one list a column, so that thousands of networks stay small, and only what changed."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from webapp.networks.models import Network

from .addresses import RunUrls
from .measures import COSTS, MEASURES
from .models import Run, RunEvent
from .pareto import progress
from .snapshot import Lineage, Snapshot, metric_label

PLACE = "NAME"  # in `network_url`, where a network's name goes
WHOLE = ("count", "size")  # kinds of measures that are whole numbers
STATES = tuple(str(state) for state in Network.State)


def chart_data(
    run: Run, urls: RunUrls, lineage: Lineage | None = None, drop: float | None = None, after: int | None = None
) -> dict[str, Any]:
    """Networks by index, in order of birth; `parents`, `front`s and `path` refer to these indices.

    {"metric", "max_drop", "threshold", "ancestor", "leading", "ended", "last": number of the latest event,
    "network_url", "states": names, "count", "rows": which indices `columns` holds,
    "columns": {"name", "generation", "state": index into states, "progress", "parents": [index], each measure},
    "path": [index], "fronts": {cost: [index]}, "hypervolumes": {cost: [after each generation]},
    "generations": [{"generation", "shock", "accuracy"}]}

    With `after`, an event's number, `columns` holds only the networks that an event since then names, and those
    that are open.
    """
    last = run.last_event  # before the rows are read: what happens in between is sent twice, never lost
    lineage = lineage or Lineage.of(run)
    drop = lineage.max_drop if drop is None else drop
    index = {network.name: i for i, network in enumerate(lineage.networks)}
    leading = lineage.leading
    best, volumes = fronts(run, lineage)
    rows = _rows(run, lineage, after)
    return {
        "metric": metric_label(run),
        "max_drop": drop,
        "threshold": lineage.threshold(drop),
        "ancestor": index[lineage.ancestor.name] if lineage.ancestor else None,
        "leading": index[leading.name] if leading else None,
        "ended": run.has_ended,
        "last": last,
        "network_url": urls.network(PLACE),
        "states": STATES,
        "count": len(index),
        "rows": rows,
        "columns": _columns([lineage.networks[i] for i in rows], index),
        "path": sorted(index[name] for name in lineage.path(leading.name if leading else None)),
        "fronts": best,
        "hypervolumes": volumes,
        "generations": _generations(lineage),
    }


def _rows(run: Run, lineage: Lineage, after: int | None) -> list[int]:
    if after is None:
        return list(range(len(lineage.networks)))
    events = RunEvent.objects.filter(run=run, number__gt=after, network__isnull=False)
    touched = set(events.order_by().values_list("network_id", flat=True).distinct())
    return [i for i, network in enumerate(lineage.networks) if network.is_open or network.pk in touched]


def _columns(networks: list[Snapshot], index: dict[str, int]) -> dict[str, list[Any]]:
    codes = {name: code for code, name in enumerate(STATES)}
    columns: dict[str, list[Any]] = {
        "name": [network.name for network in networks],
        "generation": [network.generation for network in networks],
        "state": [codes[network.state] for network in networks],
        "progress": [round(network.progress, 3) for network in networks],
        "parents": [[index[name] for name in network.parents if name in index] for network in networks],
    }
    for key, measure in MEASURES.items():
        values = [*map(attrgetter(measure.field), networks)]
        if measure.kind not in WHOLE:
            values = [None if value is None else round(value, 6) for value in values]
        columns[key] = values
    return columns


def fronts(
    run: Run, lineage: Lineage, costs: Iterable[str] = COSTS
) -> tuple[dict[str, list[int]], dict[str, list[float]]]:
    """For each cost: measured networks that no other beats on it and on accuracy, cheapest first, as their places in
    `lineage.networks`; and the hypervolume after each generation."""
    chance = float(lineage.chance or 0.0)
    generations: list[list[tuple[Snapshot, float, int]]] = [[] for _ in range(max(lineage.generations, default=-1) + 1)]
    for place, network in enumerate(lineage.networks):
        if network.is_measured and network.validation_accuracy is not None:
            generations[network.generation].append((network, -network.validation_accuracy, place))
    best, volumes = {}, {}
    for cost in costs:
        value_of = attrgetter(MEASURES[cost].field)
        dense = value_of(lineage.ancestor) if lineage.ancestor else None
        places = ([(value, loss, i) for n, loss, i in born if (value := value_of(n))] for born in generations)
        best[cost], found = progress(places, (dense, chance) if dense else None)
        volumes[cost] = [round(volume, 6) for volume in found]
    return best, volumes


def _generations(lineage: Lineage) -> list[dict[str, Any]]:
    """Mean shock and mean final accuracy of each generation's measured offspring."""
    rows = []
    for generation, networks in lineage.generations.items():
        born = [n for n in networks if n.is_measured and n.validation_accuracy is not None]
        if generation and born:
            shocks = [n.shock_accuracy for n in born if n.shock_accuracy is not None]
            finals = [n.validation_accuracy for n in born if n.validation_accuracy is not None]
            rows.append({"generation": generation, "shock": mean(shocks), "accuracy": mean(finals)})
    return rows


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
