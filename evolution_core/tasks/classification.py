"""Telling classes apart: cross-entropy and accuracy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.splits import spread_rows
from ..spec.errors import DataError
from . import layouts, memory, pixels
from .base import Data, Split, Task

AT_ONCE = 500  # images, at most
TEMPERATURE = 2.0  # softens both sides of distillation; Hinton et al. 2015, arXiv 1503.02531


class Classification(Task):
    """Outputs are logits [B, K]; targets are class indices [B] of any integer type."""

    name = "classification"
    metric = "accuracy"
    most_at_once = AT_ONCE

    def outputs(self, classes: int) -> int:
        return classes

    def batch(self, targets: Tensor, indices: Tensor) -> Tensor:
        return targets.index_select(0, indices).long()

    def loss(self, outputs: Tensor, targets: Tensor, model: nn.Module) -> Tensor:
        """Mean cross-entropy in nats."""
        return F.cross_entropy(outputs, targets)

    def distil(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Kullback-Leibler divergence from the teacher's softened probabilities, times the squared temperature, so
        that its gradients keep the size of the cross-entropy's (Hinton et al. 2015)."""
        soft = F.log_softmax(outputs / TEMPERATURE, dim=1)
        aim = F.log_softmax(teacher / TEMPERATURE, dim=1)
        return F.kl_div(soft, aim, reduction="batchmean", log_target=True) * TEMPERATURE**2

    def evaluate(
        self, model: nn.Module, split: Split, data: Data, *, limit: int | None = None, batch_size: int | None = None
    ) -> dict[str, float]:
        """`accuracy`, and `balanced_accuracy`: the mean over classes of the share recognised, which a frequent class
        cannot carry. Raises DataError on an empty split."""
        rows = torch.tensor(spread_rows(len(split), limit or len(split)), dtype=torch.long)
        if not len(rows):
            raise DataError("there are no images to measure accuracy on")
        targets = split.targets[rows].long().cpu()
        right = predictions(model, split.images, data, rows=rows, batch_size=batch_size) == targets
        seen = torch.bincount(targets)
        known = torch.bincount(targets[right], minlength=len(seen))
        present = seen > 0
        balanced = (known[present].double() / seen[present].double()).mean()
        return {"accuracy": int(right.sum()) / len(rows), "balanced_accuracy": float(balanced)}

    def chance(self, data: Data) -> float:
        """The share of the most frequent class among the training images: what always naming it would score."""
        targets = data.train.targets.long()
        return int(torch.bincount(targets).max()) / len(targets)


def predictions(
    model: nn.Module, images: Tensor, data: Data, *, rows: Tensor | None = None, batch_size: int | None = None
) -> Tensor:
    """The class that `model` names for each of the uint8 `images` [N, C, H, W], or of their `rows` (int64 [n]); the
    model's mode is restored."""
    return answers(model, images, data, rows=rows, batch_size=batch_size)[0]


def answers(
    model: nn.Module, images: Tensor, data: Data, *, rows: Tensor | None = None, batch_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """The class that `model` names for each of the uint8 `images` [N, C, H, W], or of their `rows` (int64 [n]), and how
    sure it is of it: the softmax's largest, 0 to 1. The model's mode is restored."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    shape = (images.shape[1], images.shape[2], images.shape[3])
    layout = layouts.layout_for(model, shape)
    batch_size = batch_size or memory.images_at_once(model, shape, AT_ONCE)
    named, sure = [], []
    model.eval()
    try:
        with torch.inference_mode():
            for batch in pixels.batches(images, rows, batch_size):
                logits = model(pixels.normalise(batch.to(device), data.mean, data.std, layout))
                label = logits.argmax(1, keepdim=True)
                named.append(label[:, 0].cpu())
                sure.append(logits.float().softmax(1).gather(1, label)[:, 0].cpu())
    finally:
        model.train(was_training)
    return torch.cat(named), torch.cat(sure)
