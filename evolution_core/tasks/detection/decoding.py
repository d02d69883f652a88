"""From a detector's map to boxes: YOLOv2's parametrisation (section 2, "Direct location prediction")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from evolution_core.architectures.region import BOX

from .geometry import to_corners
from .suppression import suppress

LARGEST_GROWTH = 8.0  # exp of more would be no box of an image: e^8 anchors


@dataclass(frozen=True)
class Predictions:
    """What a map says, for every cell (row, column) and anchor, in that order: B boxes = H * W * k an image.

    boxes [N, B, 4] centre x, y, width, height as fractions of the image; objectness [N, B] in 0..1; logits [N, B, K].
    """

    boxes: Tensor
    objectness: Tensor
    logits: Tensor

    @property
    def scores(self) -> Tensor:
        """[N, B, K] objectness times class probability."""
        return self.objectness[..., None] * torch.softmax(self.logits, -1)


@dataclass(frozen=True)
class Detections:
    """One image's boxes after suppression, the surest first: corners [n, 4], scores [n], classes int64 [n]."""

    corners: Tensor
    scores: Tensor
    classes: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Detections:
        keep = self.scores >= threshold
        return Detections(self.corners[keep], self.scores[keep], self.classes[keep])


def raw(outputs: Tensor, anchors: Tensor) -> Tensor:
    """The map [N, k * (5 + K), H, W] as [N, H, W, k, 5 + K]."""
    count, channels, height, width = outputs.shape
    each = channels // len(anchors)
    return outputs.view(count, len(anchors), each, height, width).permute(0, 3, 4, 1, 2)


def cells(height: int, width: int) -> Tensor:
    """[H, W, 1, 2] the column and row of each cell."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([columns, rows], -1).float()[:, :, None]


def decode(outputs: Tensor, anchors: Tensor) -> Predictions:
    """b_xy = (sigmoid(t) + cell) / size of the map; b_wh = anchor * exp(t); objectness = sigmoid(t)."""
    values = raw(outputs, anchors)
    count, height, width, _, each = values.shape
    extent = torch.tensor([width, height], dtype=values.dtype, device=values.device)
    centres = (torch.sigmoid(values[..., :2]) + cells(height, width).to(values.device)) / extent
    sizes = anchors * torch.exp(values[..., 2:4].clamp(max=LARGEST_GROWTH))
    boxes = torch.cat([centres, sizes], -1).reshape(count, -1, 4)
    objectness = torch.sigmoid(values[..., 4]).reshape(count, -1)
    return Predictions(boxes, objectness, values[..., BOX:].reshape(count, -1, each - BOX))


def detect(
    outputs: Tensor,
    anchors: Tensor,
    *,
    threshold: float = 0.25,
    overlap: float = 0.45,
    candidates: int = 400,
    maximum: int = 100,
) -> list[Detections]:
    """Each image's detections: boxes surer than `threshold`, without those that overlap a surer one of their class.

    At most `candidates` boxes enter the suppression and `maximum` come out of it. Corners are clipped to the image.
    """
    predictions = decode(outputs, anchors)
    corners, scores = to_corners(predictions.boxes).clamp(0.0, 1.0), predictions.scores
    return [_one(c, s, threshold, overlap, candidates, maximum) for c, s in zip(corners, scores, strict=True)]


def _one(
    corners: Tensor, scores: Tensor, threshold: float, overlap: float, candidates: int, maximum: int
) -> Detections:
    places, classes = (scores > threshold).nonzero(as_tuple=True)
    values = scores[places, classes]
    order = values.argsort(descending=True, stable=True)[:candidates]
    places, classes, values = places[order], classes[order], values[order]
    kept = suppress(corners[places], values, classes, overlap)[:maximum]
    return Detections(corners[places[kept]], values[kept], classes[kept])
