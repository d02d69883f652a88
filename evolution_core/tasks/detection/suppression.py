"""Non-maximum suppression: of boxes that mean the same object, the surest stays."""

from __future__ import annotations

import torch
from torch import Tensor

from .geometry import iou_matrix


def suppress(corners: Tensor, scores: Tensor, classes: Tensor, overlap: float) -> Tensor:
    """int64 indices of the boxes that stay, the surest first; boxes of different classes leave each other alone.

    Greedy: the surest box stays, and everything of its class that overlaps it by more than `overlap` goes; then
    the surest of what is left. Equal scores go by their order. corners [n, 4], scores [n], classes [n].
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, labels = corners[order], classes[order]
    rivals = (iou_matrix(boxes, boxes) > overlap) & (labels[:, None] == labels[None])
    against = rivals.cpu().numpy()
    alive = torch.ones(len(order), dtype=torch.bool).numpy()
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= ~against[place, place + 1 :]
    return order[torch.from_numpy(alive).to(order.device)]
