"""YOLOv2's loss (method.md, section 4; after Redmon & Farhadi 2016 and Darknet's region layer)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .decoding import Predictions, decode, raw
from .geometry import iou, shape_iou, to_corners

OBJECT, NO_OBJECT, COORDINATES, CLASSES = 5.0, 1.0, 1.0, 1.0
GOOD_ENOUGH = 0.6  # a box that overlaps a truth by more is not pushed towards "no object"


@dataclass(frozen=True)
class Assigned:
    """Which prediction answers for which truth. All have one entry for each truth that counts, over the whole batch:
    image and place int64 [m] (place = (row * W + column) * k + anchor), truth [m, 5] and anchor int64 [m]."""

    image: Tensor
    place: Tensor
    truth: Tensor
    anchor: Tensor


def yolo_loss(outputs: Tensor, targets: list[Tensor], anchors: Tensor) -> Tensor:
    """The scalar loss: a sum over each image's predictions, a mean over the images of the batch.

    outputs [N, k * (5 + K), H, W]; targets[i] [n, 5] class, centre x, y, width, height as fractions.
    For each truth the anchor of the likest shape in the truth's cell answers: squared error on sigmoid(t_xy) and
    t_wh, objectness towards the IoU reached (times 5), cross-entropy over the classes. Every other prediction's
    objectness goes to 0 unless its best IoU with a truth exceeds .6.
    """
    predictions = decode(outputs, anchors)
    count, _, height, width = outputs.shape
    own = assign(targets, anchors.detach(), height, width)
    values = raw(outputs, anchors).reshape(count, -1, outputs.shape[1] // len(anchors))
    quiet = _background(predictions, targets)
    quiet[own.image, own.place] = False
    loss = NO_OBJECT * predictions.objectness.square()[quiet].sum()
    if len(own.image):
        loss = loss + _of_truths(predictions, values, own, anchors, (height, width))
    return loss / count


def _of_truths(
    predictions: Predictions, values: Tensor, own: Assigned, anchors: Tensor, size: tuple[int, int]
) -> Tensor:
    chosen, boxes = values[own.image, own.place], predictions.boxes[own.image, own.place]
    extent = torch.tensor([size[1], size[0]], dtype=values.dtype, device=values.device)
    aim = own.truth[:, 1:3] * extent
    offsets = aim - aim.floor().clamp(max=extent - 1)
    growth = torch.log(own.truth[:, 3:5].clamp(min=1e-6) / anchors[own.anchor])
    coordinates = (torch.sigmoid(chosen[:, :2]) - offsets).square().sum() + (chosen[:, 2:4] - growth).square().sum()
    reached = iou(to_corners(boxes), to_corners(own.truth[:, 1:5])).detach()
    objectness = (predictions.objectness[own.image, own.place] - reached).square().sum()
    classes = F.cross_entropy(predictions.logits[own.image, own.place], own.truth[:, 0].long(), reduction="sum")
    return COORDINATES * coordinates + OBJECT * objectness + CLASSES * classes


def assign(targets: list[Tensor], anchors: Tensor, height: int, width: int) -> Assigned:
    """Each truth's cell and likest anchor; of two truths that want the same prediction the later one gets it."""
    device = anchors.device
    image = torch.cat([torch.full((len(t),), i, dtype=torch.int64) for i, t in enumerate(targets)]).to(device)
    truth = torch.cat([torch.zeros(0, 5), *targets]).to(device)
    column = (truth[:, 1] * width).long().clamp(0, width - 1)
    row = (truth[:, 2] * height).long().clamp(0, height - 1)
    anchor = shape_iou(truth[:, 3:5], anchors).argmax(1) if len(truth) else torch.zeros(0, dtype=torch.int64)
    anchor = anchor.to(device)
    place = (row * width + column) * len(anchors) + anchor
    key = image * (height * width * len(anchors)) + place
    last = {int(value): index for index, value in enumerate(key.tolist())}
    keep = torch.tensor(sorted(last.values()), dtype=torch.int64, device=device)
    return Assigned(image[keep], place[keep], truth[keep], anchor[keep])


def _background(predictions: Predictions, targets: list[Tensor]) -> Tensor:
    """bool [N, B]: predictions whose best IoU with a truth of their image is at most .6."""
    quiet = torch.ones_like(predictions.objectness, dtype=torch.bool)
    with torch.no_grad():
        corners = to_corners(predictions.boxes)
        for index, truth in enumerate(targets):
            if len(truth):
                known = to_corners(truth[:, 1:5].to(corners.device))
                quiet[index] = iou(corners[index][:, None], known[None]).amax(1) <= GOOD_ENOUGH
    return quiet
