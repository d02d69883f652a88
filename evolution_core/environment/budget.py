"""From a share of a resource to counts for each layer: solved for exactly, not guessed.

Every layer is scaled by the same number s, as far as it can follow: counts move in whole steps (one cluster; one of
each group where groups must stay equal; a width multiple where a layer is wide) and stop at floors. The solution is the
largest s whose cost is within the budget; what is left of it then buys single layers one step more, those that lag
furthest behind s first. So the budget is never exceeded, and no layer still at its uniform count could take a step
more.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor

from evolution_core.genome.clusters import Block, ClusterMap
from evolution_core.spec import NetworkError, RunSpec, SpecError

from .factors import Factor

Cost = Callable[[Tensor], float]  # alive [n] -> what that network costs

WIDE = 4  # a layer is wide from so many width multiples on


@dataclass(frozen=True)
class Budget:
    """What was allowed and what was reached, in the resource's own unit. `short`: even the smallest network that the
    floors allow costs more than the budget."""

    resource: str
    limit: float
    reached: float
    short: bool
    counts: dict[str, int]


@dataclass(frozen=True)
class Reference:
    """What shares are taken of: clusters of each layer, and the cost of the whole by resource."""

    counts: Mapping[str, float]
    costs: Mapping[str, float]

    @classmethod
    def of_parents(cls, maps: Sequence[ClusterMap], weights: Sequence[float]) -> Reference:
        """The parents' weighted mean: what a union of them must not be measured by itself."""
        total = sum(weights)
        shares = [weight / total for weight in weights]
        counts = {
            layer.name: sum(share * len(x.layer(layer.name)) for share, x in zip(shares, maps, strict=True))
            for layer in maps[0].layers
        }
        costs = {
            resource: sum(share * x.cost(resource) for share, x in zip(shares, maps, strict=True))
            for resource in ("clusters", "parameters", "macs", "bytes")
        }
        return cls(counts, costs)


@dataclass(frozen=True)
class Choices:
    """A block's possible numbers of steps, rising, the clusters that each means, and what it is scaled from."""

    block: Block
    steps: tuple[int, ...]
    reference: Fraction

    def clusters(self, step: int) -> Fraction:
        return Fraction(step * self.block.size, self.block.steps)

    def at(self, scale: Fraction) -> int:
        """The most steps that stay within `scale` of the reference; the fewest there are where none does."""
        place = bisect.bisect_right([self.clusters(step) for step in self.steps], scale * self.reference)
        return self.steps[max(0, place - 1)]


def check_layers(spec: RunSpec, clusters: ClusterMap) -> None:
    """Whether every layer that the spec names exists. Raises SpecError naming the field and the layers there are."""
    problems = {}
    fields: dict[str, list[str]] = {
        "protect": list(spec.protect),
        "floors": list(spec.floors),
        "environment": list(spec.environment.layers),
    }
    for name, layers in fields.items():
        for layer in layers:
            try:
                clusters.layer(layer)
            except NetworkError as error:
                problems[name] = str(error)
    if problems:
        raise SpecError(problems)


def choices_of(
    clusters: ClusterMap,
    spec: RunSpec,
    needed: Tensor,
    possible: Tensor,
    reference: Reference | None = None,
) -> list[Choices]:
    """For each block of layers, the counts it may take.

    needed [n]: clusters that must live; possible [n]: clusters that may. reference: what shares are taken of (the
    present counts by default).
    """
    guarded = {clusters.layer(name).name for name in spec.protect}
    floors = {clusters.layer(name).name: share for name, share in spec.floors.items()}
    result = []
    for block in clusters.blocks:
        layers = [clusters.layers[index] for index in block.layers]
        low, high = 1, block.steps
        for cell in block.cells:
            low = max(low, _steps_for(int(needed[cell].sum()), len(cell), block.steps))
            high = min(high, int(possible[cell].sum()) * block.steps // len(cell))
        for layer in layers:
            first = clusters.ancestry.counts[layer.name] if clusters.ancestry else len(layer)
            floor = max(spec.minimum_clusters, -int(-Fraction(str(floors.get(layer.name, 0.0))) * first // 1))
            low = max(low, _steps_for(min(floor, len(layer)), len(layer), block.steps))
            if layer.name in guarded:
                low = block.steps
        low = min(low, high)
        steps = tuple(range(low, high + 1))
        tidy = tuple(step for step in steps if _is_tidy(step, block, [len(x) for x in layers], spec.width_multiple))
        whole = sum(len(x) if reference is None else reference.counts.get(x.name, len(x)) for x in layers)
        result.append(Choices(block, tidy or steps, Fraction(whole).limit_denominator(10**6)))
    return result


def _steps_for(count: int, size: int, steps: int) -> int:
    """The fewest steps that keep at least `count` of `size`."""
    return -(-count * steps // size)


def _is_tidy(step: int, block: Block, sizes: list[int], multiple: int) -> bool:
    """Whether every wide layer keeps a multiple. Odd widths run slower than the wider even ones; below four multiples
    a step would be too coarse, so any count will do."""
    counts = [size * step // block.steps for size in sizes]
    return step == block.steps or all(count < WIDE * multiple or count % multiple == 0 for count in counts)


def solve(
    clusters: ClusterMap,
    choices: list[Choices],
    factor: Factor,
    resource: str,
    cost: Cost,
    limit: float,
    pick: Callable[[list[int]], Tensor],
    *,
    fill: bool = True,
) -> tuple[Tensor, Budget]:
    """The largest uniform scaling within the budget.

    pick(steps of each block) -> alive [n]; more steps of a block must keep what fewer kept, so that costs rise with
    the scale. Where the whole network already fits, the smallest step down is taken all the same (something dies in
    every generation) unless the share is 1. fill: spend what is left of the budget on single steps (a measured cost is
    asked for too often by that). Raises NetworkError when nothing can die at all.
    """
    own = {clusters.layer(name).name: share for name, share in factor.layers.items()}
    given: dict[int, Fraction] = {}
    for index, choice in enumerate(choices):
        shares = [own[clusters.layers[i].name] for i in choice.block.layers if clusters.layers[i].name in own]
        if shares:
            given[index] = Fraction(str(min(shares)))
    scales = sorted({c.clusters(s) / c.reference for i, c in enumerate(choices) if i not in given for s in c.steps})
    if resource == "clusters" and not factor.of_ancestor:  # every layer keeps its share: nothing to search
        scales = [Fraction(str(factor.share))]
    scales = scales or [Fraction(1)]

    def steps_at(scale: Fraction) -> list[int]:
        return [choice.at(given.get(index, scale)) for index, choice in enumerate(choices)]

    place = len(scales) - 1
    if len(scales) > 1:
        place = max(
            0, bisect.bisect_right(range(len(scales)), limit, key=lambda i: cost(pick(steps_at(scales[i])))) - 1
        )
    while place > 0 and factor.share < 1.0 and bool(pick(steps_at(scales[place])).all()):
        place -= 1
    alive = pick(steps_at(scales[place]))
    if bool(alive.all()) and factor.share < 1.0:
        raise NetworkError("nothing may die any more: every layer is at its floor")
    if fill and len(scales) > 1:
        free = [index for index in range(len(choices)) if index not in given]
        alive = _fill(choices, free, steps_at(scales[place]), cost, limit, pick)
    reached = cost(alive)
    return alive, Budget(resource, limit, reached, reached > limit, clusters.counts(alive))


def _fill(
    choices: list[Choices],
    free: list[int],
    steps: list[int],
    cost: Cost,
    limit: float,
    pick: Callable[[list[int]], Tensor],
) -> Tensor:
    """One step more for single layers, the smallest share of its reference first, while the budget lasts."""
    alive = pick(steps)
    for index in sorted(free, key=lambda i: (choices[i].clusters(steps[i]) / choices[i].reference, i)):
        more = [step for step in choices[index].steps if step > steps[index]]
        if not more:
            continue
        tried = [*steps[:index], more[0], *steps[index + 1 :]]
        candidate = pick(tried)
        if cost(candidate) <= limit and not bool(candidate.all()):
            steps, alive = tried, candidate
    return alive
