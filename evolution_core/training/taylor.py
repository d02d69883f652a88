"""Gradients for the Taylor strength: how much the loss would rise without a cluster, from a few training images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..genome import ClusterMap, taylor_strength
from ..seeds import generator
from ..tasks import Data, Task, pixels
from .determinism import reproducible


def some_batches(
    model: nn.Module, task: Task, data: Data, *, images: int, seed: int, batch_size: int = 250
) -> list[tuple[Tensor, Any]]:
    """Batches of normalised float images [B, C, H, W] and targets: `images` of the training images, drawn by `seed`
    without replacement and not augmented."""
    count = min(images, len(data.train))
    chosen = torch.randperm(len(data.train), generator=generator(seed, "some images"))[:count]
    layout = pixels.layout_for(model, data.shape)
    device = next(model.parameters()).device
    return [
        (
            pixels.normalise(data.train.images.index_select(0, part).to(device), data.mean, data.std, layout),
            task.batch(data.train.targets, part),
        )
        for part in chosen.split(batch_size)
    ]


def taylor_scores(
    model: nn.Module, clusters: ClusterMap, task: Task, data: Data, *, images: int = 2000, seed: int = 0
) -> Tensor:
    """[n] first-order Taylor scores of the clusters of `model` on some training images (Molchanov et al. 2017,
    arXiv 1611.06440), in evaluation mode; the model is left as it was. The same seed gives the same bits."""
    with reproducible():
        batches = some_batches(model, task, data, images=images, seed=seed)
        return taylor_strength(model, clusters, batches, task.loss)
