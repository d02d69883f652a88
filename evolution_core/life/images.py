"""A few training images, the same ones every time: for repair, Taylor strength and the comparison of candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..data import Data, Split
from ..seeds import generator
from ..tasks import Task, pixels

BATCH = 128


def sample(data: Data, count: int, seed: int, purpose: str) -> Split:
    """`count` training images (all, if there are fewer) drawn by seed, with their targets."""
    rows = torch.randperm(len(data.train), generator=generator(seed, "sample", purpose))[:count].sort().values
    targets: Any = data.train.targets
    chosen = targets[rows] if isinstance(targets, Tensor) else [targets[row] for row in rows.tolist()]
    return Split(data.train.images[rows], chosen)


def inputs(split: Split, data: Data) -> Tensor:
    """float32 [N, C, H, W]: the split's images as the network is fed them."""
    return pixels.normalise(split.images, data.mean, data.std)


def batches(split: Split, data: Data, task: Task) -> list[tuple[Tensor, Any]]:
    """(images, targets) as the task's loss takes them."""
    result = []
    for rows in torch.arange(len(split)).split(BATCH):
        images = pixels.normalise(split.images[rows], data.mean, data.std)
        result.append((images, task.batch(split.targets, rows)))
    return result


def seen_as(data: Data, mean: Any, std: Any) -> Data:
    """The data with the pixel statistics that a network was made for."""
    return replace(data, mean=torch.as_tensor(mean, dtype=torch.float32), std=torch.as_tensor(std, dtype=torch.float32))
