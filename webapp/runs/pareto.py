"""The Pareto front of two objectives, and how much it has gained: low cost against high quality."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]  # cost, quality


def front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other dominates, cheapest first.

    `points` are (cost, quality): less cost and more quality are better. One point dominates another when it is no
    worse in both and better in one, so equal points stay or fall together. One sort and one sweep: O(n log n).
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    kept: list[int] = []
    for index in order:
        cost, quality = points[index]
        if not kept:
            kept.append(index)
            continue
        last_cost, last_quality = points[kept[-1]]
        if quality > last_quality or (quality == last_quality and cost == last_cost):
            kept.append(index)
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


def progress(
    generations: Iterable[Sequence[tuple[int, Point]]], reference: Point | None
) -> tuple[list[int], list[float]]:
    """The final front (as the given numbers) and the hypervolume after each generation.

    Each generation is a sequence of (number, point); only the front so far is compared with the next one.
    """
    best: list[tuple[int, Point]] = []
    volumes = []
    for born in generations:
        candidates = [*best, *born]
        best = [candidates[i] for i in front([point for _, point in candidates])]
        volumes.append(hypervolume([point for _, point in best], reference) if reference else 0.0)
    return [number for number, _ in best], volumes
