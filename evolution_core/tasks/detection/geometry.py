"""Boxes as tensors: centre forms, corner forms, and how much two overlap. All numbers are fractions of the image."""

from __future__ import annotations

import torch
from torch import Tensor


def to_corners(boxes: Tensor) -> Tensor:
    """[..., 4] centre x, y, width, height -> left, top, right, bottom."""
    centre, half = boxes[..., :2], boxes[..., 2:4] / 2
    return torch.cat([centre - half, centre + half], -1)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of corner boxes [..., 4], broadcast against each other: [...] in 0..1."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:4], second[..., 2:4])
    shared = (high - low).clamp(min=0).prod(-1)
    total = area(first) + area(second) - shared
    return shared / total.clamp(min=1e-12)


def area(corners: Tensor) -> Tensor:
    """[...] areas of corner boxes [..., 4]; nothing where a side is negative."""
    return (corners[..., 2:4] - corners[..., :2]).clamp(min=0).prod(-1)


def iou_matrix(first: Tensor, second: Tensor) -> Tensor:
    """[n, m] overlaps of corner boxes [n, 4] and [m, 4]."""
    return iou(first[:, None], second[None])


def shape_iou(first: Tensor, second: Tensor) -> Tensor:
    """[n, m] overlaps of widths and heights [n, 2] and [m, 2], as if all boxes had one centre."""
    shared = torch.minimum(first[:, None], second[None]).prod(-1)
    return shared / (first.prod(-1)[:, None] + second.prod(-1)[None] - shared).clamp(min=1e-12)
