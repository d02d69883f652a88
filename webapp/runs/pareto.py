"""The Pareto front of two objectives, for drawing: low cost against high quality."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
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
