"""What is born next: a pure function of the spec and of what is known so far, so that any process, at any time
and after any crash, comes to the same plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..records import NetworkRecord, Plan, ancestor_plan, find_ancestor, measured
from ..seeds import derive
from ..spec import RunSpec
from .objectives import objective_vectors
from .pareto import is_on_front
from .survival import rank_for_survival


def next_plans(spec: RunSpec, records: Iterable[NetworkRecord]) -> list[Plan]:
    """Births of the first generation that is not complete and that have no record yet; [] when the run is over.

    A generation is complete when each of its offspring is measured or refused. The run is over after
    `spec.generations`, when the ancestor or all of a generation were refused, or when patience ran out. Siblings'
    plans depend only on earlier generations, so they may be born in any order or at once.
    """
    known = list(records)
    ancestor = find_ancestor(known)
    if ancestor is None:
        return [ancestor_plan()]
    if not ancestor.is_measured:
        return []
    for generation in range(1, spec.generations + 1):
        earlier = [record for record in known if record.generation < generation]
        if generation > 1 and (not _offspring_of(earlier, generation - 1) or _ran_out_of_patience(spec, earlier)):
            return []
        born = {record.id for record in known if record.generation == generation}
        waiting = [plan for plan in plan_generation(spec, earlier, generation) if plan.id not in born]
        if waiting:
            return waiting
    return []


def plan_generation(spec: RunSpec, earlier: Sequence[NetworkRecord], generation: int) -> list[Plan]:
    """The whole generation's plans, given every record of the generations before it."""
    pool = [record.id for record in survivors(spec, earlier, generation)]
    return [
        Plan(f"{generation}-{number}", generation, _parents(spec, pool, generation, number))
        for number in range(1, spec.offspring + 1)
    ]


def survivors(spec: RunSpec, earlier: Sequence[NetworkRecord], generation: int) -> list[NetworkRecord]:
    """Who may parent `generation`, fittest first: the best of the generation before it and, with elitism, of those
    it descends from. At least as many survive as an offspring has parents."""
    ancestor = find_ancestor(earlier)
    assert ancestor is not None
    if generation == 1:
        return [ancestor]
    pool = _offspring_of(earlier, generation - 1)
    if spec.elitism:
        ids = {parent for record in pool for parent in record.parents}
        pool = pool + [record for record in measured(earlier) if record.id in ids]
    return rank_for_survival(spec, pool, ancestor)[: max(spec.survivors, spec.parents)]


def _parents(spec: RunSpec, pool: Sequence[str], generation: int, number: int) -> tuple[str, ...]:
    """Survivors lead in turn, so that each reproduces; mates are drawn from the others by seed."""
    lead = (number - 1) % len(pool)
    others = [name for index, name in enumerate(pool) if index != lead]
    wanted = min(spec.parents - 1, len(others))
    luck = np.random.default_rng(derive(spec.seed, "mates", generation, number))
    mates = sorted(luck.choice(len(others), size=wanted, replace=False)) if wanted else []
    return (pool[lead], *(others[index] for index in mates))


def _offspring_of(records: Iterable[NetworkRecord], generation: int) -> list[NetworkRecord]:
    return [record for record in measured(records) if record.generation == generation]


def _ran_out_of_patience(spec: RunSpec, earlier: Sequence[NetworkRecord]) -> bool:
    """Whether the last `patience` generations put no network on the front as it stood at their birth. A network
    no better than chance does not count: a ruined one is always the smallest and would sit on every front."""
    last = max(record.generation for record in earlier)
    if spec.patience == 0 or last < spec.patience:
        return False
    return not any(_reached_front(spec, earlier, g) for g in range(last - spec.patience + 1, last + 1))


def _reached_front(spec: RunSpec, records: Sequence[NetworkRecord], generation: int) -> bool:
    pool = [record for record in measured(records) if record.generation <= generation]
    ancestor = find_ancestor(pool)
    assert ancestor is not None
    points, reference = objective_vectors(spec, pool, ancestor)
    useful = is_on_front(points) & (points[:, 0] < reference[0])
    return any(on for record, on in zip(pool, useful, strict=True) if record.generation == generation)
