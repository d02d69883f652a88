"""Fronts, crowding and hypervolume of points that are all to be minimised; quick for thousands of points.

x dominates y when it is no worse everywhere and better somewhere. Sorting and hypervolume are moocore's (in C).
"""

from __future__ import annotations

import moocore
import numpy as np


def ranks(points: np.ndarray) -> np.ndarray:
    """Front number of each point [n]: 0 for those that none dominates, 1 for those that only they dominate, ..."""
    if len(points) == 0:
        return np.zeros(0, dtype=int)
    return np.asarray(moocore.pareto_rank(points), dtype=int)


def is_on_front(points: np.ndarray) -> np.ndarray:
    """Which points [n] no other dominates; equal points are all on the front."""
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)


def crowding(points: np.ndarray) -> np.ndarray:
    """Crowding distance of each point [n] among these (NSGA-II, doi 10.1109/4235.996017): the larger, the lonelier;
    infinite at the ends of every objective."""
    count, objectives = points.shape
    distance = np.zeros(count)
    for column in range(objectives):
        values = points[:, column]
        order = np.argsort(values, kind="stable")
        span = values[order[-1]] - values[order[0]] if count else 0.0
        if count == 0 or span <= 0:
            continue
        distance[order[0]] = distance[order[-1]] = np.inf
        distance[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
    return distance


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume between the points and the reference that they dominate; points beyond the reference add nothing."""
    inside = points[np.all(points <= reference, axis=1)] if len(points) else points
    if len(inside) == 0:
        return 0.0
    return float(moocore.hypervolume(inside[is_on_front(inside)], ref=reference))


def contributions(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """What hypervolume would be lost without each point [n]; 0 for those beyond the reference or dominated."""
    result = np.zeros(len(points))
    inside = np.all(points <= reference, axis=1) if len(points) else np.zeros(0, dtype=bool)
    if inside.any():
        result[inside] = moocore.hv_contributions(points[inside], ref=reference)
    return result
