"""Boxes of photographs that are varied: they move with the frame."""

from __future__ import annotations

import torch
from torch import Tensor

from ..photographs import Frames

LEAST_VISIBLE = 0.25  # of a box's area; what shows less of itself is no longer taught
LEAST_SIDE = 0.004  # of the image


def framed_boxes(boxes: Tensor, left: float, top: float, width: float, height: float, mirrored: bool) -> Tensor:
    """[n, 5] -> [m, 5] as they lie in the frame, cut off at its edges; those hardly visible are left out."""
    if len(boxes) == 0:
        return boxes
    size = torch.tensor([width, height])
    origin = torch.tensor([left, top])
    low = (boxes[:, 1:3] - boxes[:, 3:5] / 2 - origin) / size
    high = (boxes[:, 1:3] + boxes[:, 3:5] / 2 - origin) / size
    whole = (high - low).prod(1)
    low, high = low.clamp(0, 1), high.clamp(0, 1)
    sides = high - low
    keep = (sides.prod(1) >= LEAST_VISIBLE * whole) & (sides.amin(1) >= LEAST_SIDE)
    centres = (low + high) / 2
    if mirrored:
        centres = torch.stack([1 - centres[:, 0], centres[:, 1]], 1)
    return torch.cat([boxes[:, :1], centres, sides], 1)[keep]


def framed_targets(targets: list[Tensor], frames: Frames) -> list[Tensor]:
    """Every image's boxes in its frame."""
    numbers = (frames.left, frames.top, frames.width, frames.height, frames.mirrored)
    rows = zip(*(part.tolist() for part in numbers), strict=True)
    return [framed_boxes(boxes, *row) for boxes, row in zip(targets, rows, strict=True)]
