"""A network's fitness as numbers: the objective vector, NetScore, and "within so many points"."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..records import NetworkRecord
from ..spec import RunSpec, netscore

# Accuracies are averages over images: two that differ by less than this are the same in all but rounding.
ROUNDING = 1e-9

_COSTS = {"parameters": "parameters", "macs": "macs", "bytes": "bytes", "latency": "latency_ms"}


def record_netscore(record: NetworkRecord) -> float:
    return netscore(record.validation_accuracy or 0.0, max(record.parameters or 0, 1), max(record.macs or 0, 1))


def is_within_drop(spec: RunSpec, record: NetworkRecord, ancestor: NetworkRecord) -> bool:
    """Whether the network lost at most `spec.max_drop` percentage points of the ancestor's validation metric."""
    allowed = (ancestor.validation_accuracy or 0.0) - spec.max_drop / 100
    return (record.validation_accuracy or 0.0) >= allowed - ROUNDING


def cost(record: NetworkRecord, objective: str) -> float | None:
    """The record's cost in the objective's own unit; None where it was not measured.

    All but latency follow from the seed. Measured time varies: who survives by it may be another the next time, and
    with the parents all that descends from them.
    """
    if objective == "latency" and record.latency_ms is not None and record.ancestor_latency_ms:
        # A ratio to the ancestor in the same run: plain times of different moments do not compare.
        return record.latency_ms / record.ancestor_latency_ms
    return getattr(record, _COSTS[objective])


def objective_vectors(
    spec: RunSpec, records: Sequence[NetworkRecord], ancestor: NetworkRecord
) -> tuple[np.ndarray, np.ndarray]:
    """(points [n, k], reference [k]), everything to be minimised: error, and log10 of each cost over the ancestor's.

    The reference point is fixed for a run: the error of blind chance at the ancestor's (dense) cost, so it is
    (chance error, 0, 0, ...) and hypervolumes of different generations compare.
    """
    costs = [name for name in spec.objectives if name != "accuracy"]
    dense = {name: cost(ancestor, name) for name in costs}
    rows = []
    for record in records:
        row = [1.0 - (record.validation_accuracy or 0.0)]
        for name in costs:
            own, whole = cost(record, name), dense[name]
            row.append(math.log10(own / whole) if own and whole else 0.0)
        rows.append(row)
    reference = np.array([1.0 - (ancestor.chance or 0.0)] + [0.0] * len(costs))
    return np.array(rows, dtype=float).reshape(len(rows), len(reference)), reference
