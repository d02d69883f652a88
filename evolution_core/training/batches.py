"""Batches drawn from memory, in an order that (seed, phase, epoch) fixes. No loader, no worker processes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..seeds import generator
from ..spec import RunSpec, TrainingError
from ..tasks import Data, Task

LEAST_STEPS = 20  # an epoch has at least so many steps, on small data by smaller batches
LEAST_BATCH = 8


def has_batch_norm(model: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


class Batches:
    """Which images each step sees. Steps count from 0 over the whole phase; an epoch is one pass.

    A set of fewer than LEAST_STEPS * spec.batch_size images is taken in smaller batches: a few hundred photographs in
    batches of 128 would be three steps an epoch, too few for any optimizer. The last batch of an epoch may be
    smaller than the others; one of a single image is left out when the network normalises over the batch.
    """

    def __init__(self, data: Data, task: Task, spec: RunSpec, *, phase: str, seed: int, alone: bool = True) -> None:
        self.images, self.targets = data.train.images, data.train.targets
        self.mean, self.std = data.mean, data.std
        self._task, self._augmentation, self._phase, self._seed = task, spec.augmentation, phase, seed
        self.count = len(data.train)
        least = 1 if alone else 2
        if self.count < least:
            raise TrainingError(f"{self.count} training images are too few: this network needs {least} a step")
        self.size = max(least, min(spec.batch_size, max(LEAST_BATCH, self.count // LEAST_STEPS), self.count))
        self.per_epoch = math.ceil(self.count / self.size)
        if not alone and self.count % self.size == 1:
            self.per_epoch -= 1
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def indices(self, step: int) -> Tensor:
        """int64 [B]: the training images of a step."""
        epoch, within = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._order = torch.randperm(self.count, generator=generator(self._seed, self._phase, "order", epoch))
            self._epoch = epoch
        return self._order[within * self.size : (within + 1) * self.size]

    def at(self, step: int) -> tuple[Tensor, Any]:
        """uint8 images [B, C, H, W] and the task's targets of a step, augmented."""
        indices = self.indices(step)
        images, targets = self.images.index_select(0, indices), self._task.batch(self.targets, indices)
        if self._augmentation == "none":
            return images, targets
        luck = generator(self._seed, self._phase, "augmentation", step)
        return self._task.augment(images, targets, self._augmentation, luck)
