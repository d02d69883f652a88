"""What the charts draw, as JSON: every position, front and path is computed here; the page only paints."""

from __future__ import annotations

from typing import Any

from .addresses import RunUrls
from .layout import HEIGHTS, lay_out
from .measures import COSTS
from .models import Run
from .pareto import front
from .snapshot import Lineage, Snapshot, metric_label


def chart_data(run: Run, urls: RunUrls, lineage: Lineage | None = None, drop: float | None = None) -> dict[str, Any]:
    """Networks by index; `edges`, `front` and `path` refer to these indices.

    {"metric", "max_drop", "threshold", "ancestor", "leading", "networks": [...], "edges": [[parent, child]],
    "path": [index], "path_edges": [index of edge], "layouts": {"accuracy"|"size": {"low", "high", "points"}},
    "fronts": {cost: [index]}, "generations": [{"generation", "shock", "accuracy"}]}
    """
    lineage = lineage or Lineage.of(run)
    drop = lineage.max_drop if drop is None else drop
    index = {network.name: i for i, network in enumerate(lineage.networks)}
    leading = lineage.leading
    path = lineage.path(leading.name if leading else None)
    edges = [[index[p], index[n.name]] for n in lineage.networks for p in n.parents if p in index]
    on_path = {index[name] for name in path}
    return {
        "metric": metric_label(run),
        "max_drop": drop,
        "threshold": lineage.threshold(drop),
        "ancestor": index[lineage.ancestor.name] if lineage.ancestor else None,
        "leading": index[leading.name] if leading else None,
        "networks": [_network(network, urls, lineage) for network in lineage.networks],
        "edges": edges,
        "path": sorted(on_path),
        "path_edges": [i for i, (parent, child) in enumerate(edges) if parent in on_path and child in on_path],
        "layouts": {by: _layout(lineage, by) for by in HEIGHTS},
        "fronts": {cost: _front(lineage, index, cost) for cost in COSTS},
        "generations": _generations(lineage),
        "ended": run.has_ended,
    }


def _network(network: Snapshot, urls: RunUrls, lineage: Lineage) -> dict[str, Any]:
    return {
        "name": network.name,
        "generation": network.generation,
        "parents": list(network.parents),
        "state": network.state,
        "progress": round(network.progress, 3),
        "url": urls.network(network.name),
        "accuracy": network.validation_accuracy,
        "shock": network.shock_accuracy,
        "parameters": network.parameters,
        "macs": network.macs,
        "bytes": network.bytes,
        "memory": network.peak_activation_bytes,
        "latency": network.latency_ms,
        "smaller": lineage.smaller(network),
    }


def _layout(lineage: Lineage, by: str) -> dict[str, Any]:
    layout = lay_out(lineage, by)
    return {
        "low": layout.low,
        "high": layout.high,
        "points": [[round(x, 4), round(y, 6)] for x, y in layout.positions],
    }


def _front(lineage: Lineage, index: dict[str, int], cost: str) -> list[int]:
    """Measured networks that no other beats on this cost and on accuracy, cheapest first."""
    known = [n for n in lineage.measured if n.measure(cost) is not None]
    points = [(n.measure(cost) or 0.0, n.validation_accuracy or 0.0) for n in known]
    return [index[known[i].name] for i in front(points)]


def _generations(lineage: Lineage) -> list[dict[str, Any]]:
    """Mean shock and mean final accuracy of each generation's measured offspring."""
    rows = []
    for generation in sorted({n.generation for n in lineage.offspring}):
        born = [n for n in lineage.offspring if n.generation == generation]
        shocks = [n.shock_accuracy for n in born if n.shock_accuracy is not None]
        finals = [n.validation_accuracy for n in born if n.validation_accuracy is not None]
        rows.append({"generation": generation, "shock": _mean(shocks), "accuracy": _mean(finals)})
    return rows


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
