"""The Pareto front of two objectives, and how much it has gained: low cost against high quality."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]  # cost, quality
Place = tuple[float, float, int]  # cost, minus quality, a number of the caller's: they sort as they are, cheapest first


def front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other dominates, cheapest first.

    `points` are (cost, quality): less cost and more quality are better. One point dominates another when it is no
    worse in both and better in one, so equal points stay or fall together. One sort and one sweep: O(n log n).
    """
    return [number for _, _, number in _swept((cost, -quality, i) for i, (cost, quality) in enumerate(points))]


def _swept(places: Iterable[Place]) -> list[Place]:
    kept: list[Place] = []
    last, least = math.inf, math.inf
    for place in sorted(places):
        cost, loss, _ = place
        if loss < least or (loss == least and cost == last):
            kept.append(place)
            last, least = cost, loss
    return kept


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The area that a front dominates up to `reference`, in quality times powers of ten of cost.

    `points` are a front, cheapest first, costs above 0; `reference` is (the dense network's cost, the quality of
    chance). Points beyond the reference add nothing. Two objectives of the method's three (its formalisation is
    ours): the page shows one cost at a time.
    """
    if not points:
        return 0.0
    area, worst, chance = 0.0, math.log10(reference[0]), reference[1]
    ends = [math.log10(cost) for cost, _ in points[1:]] + [worst]
    for (cost, quality), end in zip(points, ends, strict=True):
        width = min(end, worst) - math.log10(cost)
        if width > 0 and quality > chance:
            area += width * (quality - chance)
    return area


def progress(generations: Iterable[Sequence[Place]], reference: Point | None) -> tuple[list[int], list[float]]:
    """The final front (as the given numbers) and the hypervolume after each generation.

    Each generation is a sequence of places; only the front so far is compared with the next one.
    """
    best: list[Place] = []
    volumes = []
    for born in generations:
        best = _swept([*best, *born])
        volumes.append(hypervolume([(cost, -loss) for cost, loss, _ in best], reference) if reference else 0.0)
    return [number for _, _, number in best], volumes
