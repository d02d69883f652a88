"""Who survives to be a parent, and which network is chosen in the end. Pure functions of spec and records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from ..records import NetworkRecord, find_ancestor, measured
from ..spec import RunSpec
from .objectives import is_within_drop, objective_vectors, record_netscore
from .pareto import contributions, crowding, hypervolume, is_on_front, ranks

# Siblings of one environment differ in size by a hair. For survival, sizes within this ratio count as equal and
# accuracy decides; for the final choice the smallest is the smallest.
SAME_SIZE = 1.02

Ranking = Callable[[RunSpec, Sequence[NetworkRecord], NetworkRecord], list[NetworkRecord]]


def _accuracy(record: NetworkRecord) -> float:
    return record.validation_accuracy or 0.0


def _size(record: NetworkRecord) -> tuple[int, int]:
    """Parameters, then living synapses: masked networks of one shape differ only in these."""
    parameters = record.parameters or 0
    return parameters, record.living_synapses if record.living_synapses is not None else parameters


def _size_class(record: NetworkRecord) -> int:
    return round(math.log(max(_size(record)[1], 1)) / math.log(SAME_SIZE))


def _natural(record: NetworkRecord) -> tuple[int, int, str]:
    """Birth order: the last word in every tie, so that selection is total and repeatable."""
    tail = record.id.rpartition("-")[2]
    return record.generation, int(tail) if tail.isdigit() else 0, record.id


def _by_smallest(spec: RunSpec, pool: Sequence[NetworkRecord], ancestor: NetworkRecord) -> list[NetworkRecord]:
    """Those within the allowed drop, smallest first; then the others, most accurate first."""
    within = [record for record in pool if is_within_drop(spec, record, ancestor)]
    others = [record for record in pool if not is_within_drop(spec, record, ancestor)]
    within.sort(key=lambda r: (_size_class(r), -_accuracy(r), _size(r), _natural(r)))
    others.sort(key=lambda r: (-_accuracy(r), _size(r), _natural(r)))
    return within + others


def _by_pareto(spec: RunSpec, pool: Sequence[NetworkRecord], ancestor: NetworkRecord) -> list[NetworkRecord]:
    """Front by front; within a front the most isolated first (NSGA-II)."""
    points, _ = objective_vectors(spec, pool, ancestor)
    front_of = ranks(points)
    ordered: list[NetworkRecord] = []
    for front in range(int(front_of.max()) + 1 if len(pool) else 0):
        members = [index for index in range(len(pool)) if front_of[index] == front]
        lonely = crowding(points[members])
        by_distance = sorted(
            range(len(members)),
            key=lambda at: (-lonely[at], -_accuracy(pool[members[at]]), _natural(pool[members[at]])),
        )
        ordered += [pool[members[at]] for at in by_distance]
    return ordered


def _by_netscore(spec: RunSpec, pool: Sequence[NetworkRecord], ancestor: NetworkRecord) -> list[NetworkRecord]:
    return sorted(pool, key=lambda r: (-record_netscore(r), -_accuracy(r), _natural(r)))


RANKINGS: dict[str, Ranking] = {"smallest": _by_smallest, "pareto": _by_pareto, "netscore": _by_netscore}


def rank_for_survival(spec: RunSpec, pool: Iterable[NetworkRecord], ancestor: NetworkRecord) -> list[NetworkRecord]:
    """The pool, fittest first, by `spec.selection`."""
    return RANKINGS[spec.selection](spec, list(pool), ancestor)


def choose(spec: RunSpec, records: Iterable[NetworkRecord]) -> str | None:
    """The id of the network that the run ends with; None while no offspring has been measured.

    smallest: the smallest offspring within `max_drop` points of the ancestor, or else the most accurate offspring.
    pareto: the offspring on the front that adds most hypervolume. netscore: the offspring with the highest score.
    """
    pool = measured(records)
    ancestor = find_ancestor(pool)
    offspring = [record for record in pool if record.generation > 0]
    if ancestor is None or not offspring:
        return None
    if spec.selection == "pareto":
        points, reference = objective_vectors(spec, offspring, ancestor)
        added = contributions(points, reference)
        best = max(range(len(offspring)), key=lambda at: (added[at], _accuracy(offspring[at])))
        return offspring[best].id
    if spec.selection == "netscore":
        return _by_netscore(spec, offspring, ancestor)[0].id
    within = [record for record in offspring if is_within_drop(spec, record, ancestor)]
    if within:
        return min(within, key=lambda r: (_size(r), -_accuracy(r), _natural(r))).id
    return max(offspring, key=lambda r: (_accuracy(r), tuple(-part for part in _size(r)))).id


def front(spec: RunSpec, records: Iterable[NetworkRecord]) -> set[str]:
    """Ids of the measured networks, the ancestor among them, that no other beats on every objective."""
    pool = measured(records)
    ancestor = find_ancestor(pool)
    if ancestor is None:
        return set()
    points, _ = objective_vectors(spec, pool, ancestor)
    return {record.id for record, on_front in zip(pool, is_on_front(points), strict=True) if on_front}


def hypervolumes(spec: RunSpec, records: Iterable[NetworkRecord]) -> list[float]:
    """Hypervolume of all networks born up to each generation, from the ancestor's (0) on; it never falls.

    Unit: error (a fraction) times log10 of how many times smaller, for each cost.
    """
    pool = measured(records)
    ancestor = find_ancestor(pool)
    if ancestor is None:
        return []
    points, reference = objective_vectors(spec, pool, ancestor)
    last = max(record.generation for record in pool)
    volumes = []
    for generation in range(last + 1):
        born = [index for index, record in enumerate(pool) if record.generation <= generation]
        volumes.append(hypervolume(points[born], reference))
    return volumes
