"""Where each network stands in the lineage drawing. Computed here, so that every page and every viewer sees the same.

x is the generation (with siblings of nearly the same height moved apart a little), y the accuracy, or the logarithm
of the parameters. A network that is not measured yet stands where its parents do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .snapshot import Lineage, Snapshot

HEIGHTS: dict[str, Callable[[Snapshot], float | None]] = {
    "accuracy": lambda n: n.validation_accuracy,
    "size": lambda n: math.log10(n.parameters) if n.parameters else None,
}
_NEAR = 0.035  # of the height of the drawing: closer siblings are moved apart
_STEP = 0.13  # of the distance between generations
_WIDEST = 0.39


@dataclass(frozen=True)
class Layout:
    """`positions` in the order of the networks; `low` and `high` bound the vertical axis (fractions, or log10)."""

    positions: list[tuple[float, float]]
    low: float
    high: float


def lay_out(lineage: Lineage, by: str) -> Layout:
    """Place every network. `by` is a key of HEIGHTS."""
    heights = _heights(lineage, HEIGHTS[by])
    known = list(heights.values()) or [0.0]
    low, high = _bounds(min(known), max(known), by)
    near = (high - low) * _NEAR
    x: dict[str, float] = {}
    generations: dict[int, list[Snapshot]] = {}
    for network in lineage.networks:
        generations.setdefault(network.generation, []).append(network)
    for generation, siblings in generations.items():
        x.update(_spread(generation, siblings, heights, near))
    return Layout([(x[n.name], heights[n.name]) for n in lineage.networks], low, high)


def _heights(lineage: Lineage, height: Callable[[Snapshot], float | None]) -> dict[str, float]:
    """Each network's own height, or the mean of its parents', or the middle of all."""
    own = [value for n in lineage.networks if n.is_measured and (value := height(n)) is not None]
    middle = (min(own) + max(own)) / 2 if own else 0.5
    placed: dict[str, float] = {}
    for network in lineage.networks:  # parents come first: generations are in order
        value = height(network) if network.is_measured else None
        if value is None:
            parents = [placed[name] for name in network.parents if name in placed]
            value = sum(parents) / len(parents) if parents else middle
        placed[network.name] = value
    return placed


def _spread(generation: int, siblings: list[Snapshot], heights: dict[str, float], near: float) -> dict[str, float]:
    """x for one generation: clusters of nearly equal height are fanned out around the generation's line."""
    order = sorted(siblings, key=lambda n: heights[n.name])
    groups: list[list[Snapshot]] = []
    for network in order:
        if groups and heights[network.name] - heights[groups[-1][-1].name] < near:
            groups[-1].append(network)
        else:
            groups.append([network])
    result = {}
    for group in groups:
        step = min(_STEP, 2 * _WIDEST / max(1, len(group) - 1))
        for index, network in enumerate(group):
            result[network.name] = generation + (index - (len(group) - 1) / 2) * step
    return result


def _bounds(low: float, high: float, by: str) -> tuple[float, float]:
    """The axis' ends: some air around the data, and never a range so small that noise looks like a cliff."""
    least = 0.02 if by == "accuracy" else 0.3
    air = max((high - low) * 0.12, (least - (high - low)) / 2, least * 0.1)
    low, high = low - air, high + air
    if by == "accuracy":
        low = max(0.0, low)
        high = min(high, 1.0 + (high - low) * 0.06)  # a little beyond 100 %, so that no circle is cut
    return low, high
