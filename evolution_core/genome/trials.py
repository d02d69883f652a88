"""Random deaths that respect every constraint: what tracing tries its movers on, and tests their surgery."""

from __future__ import annotations

import torch
from torch import Tensor

from .clusters import ClusterMap


def random_deaths(clusters: ClusterMap, seeds: tuple[int, ...] = (1, 2), share: float = 0.5) -> list[Tensor]:
    """One feasible `alive` [n] for each seed that keeps about `share` of every layer that can be cut at all."""
    return [random_death(clusters, torch.Generator().manual_seed(seed), share) for seed in seeds]


def random_death(clusters: ClusterMap, generator: torch.Generator, share: float = 0.5) -> Tensor:
    """Like `random_deaths`, for one explicit generator."""
    keys = torch.rand(clusters.n, generator=generator)
    keys[clusters.protected] = 2.0
    for ids in clusters.sets:  # of each activation, the strongest must live
        keys[ids[keys[ids].argmax()]] = 2.0
    alive = torch.zeros(clusters.n, dtype=torch.bool)
    for block in clusters.blocks:
        needed = [int((keys[cell] >= 2.0).sum()) / len(cell) for cell in block.cells]
        steps = max(1, round(share * block.steps), *(-(-int(part * block.steps * 10**6) // 10**6) for part in needed))
        for cell in block.cells:
            count = len(cell) * min(steps, block.steps) // block.steps
            alive[cell[keys[cell].topk(count).indices]] = True
    return alive
