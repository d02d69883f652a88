"""The shapes that boxes start from: k-means over the training boxes with distance 1 - IoU (YOLOv2, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from evolution_core.seeds import generator
from evolution_core.spec import DataError

from .geometry import shape_iou

ROUNDS = 100
STARTS = 5  # the best of so many starts is kept


def find_anchors(sizes: Tensor, count: int, seed: int) -> Tensor:
    """float32 [count, 2] widths and heights, smallest area first, for box sizes [n, 2] (fractions of the image).

    A function of `sizes`, `count` and `seed`. Starts are drawn far apart (k-means++), centres are medians, which
    few odd boxes do not move. Fewer different sizes than `count` are filled up with scaled copies.
    Raises DataError without any box.
    """
    sizes = sizes.double()
    if len(sizes) == 0:
        raise DataError("there are no boxes to find anchors in")
    different = torch.unique(sizes, dim=0)
    if len(different) <= count:
        filled = [different[place % len(different)] * 1.3 ** (place // len(different)) for place in range(count)]
        return _in_order(torch.stack(filled).clamp(max=1.0))
    best, best_score = different[:count], -1.0
    for start in range(STARTS):
        centres = _cluster(sizes, _first(sizes, count, generator(seed, "anchors", start)))
        score = mean_best_iou(sizes, centres)
        if score > best_score + 1e-12:
            best, best_score = centres, score
    return _in_order(best)


def mean_best_iou(sizes: Tensor, anchors: Tensor) -> float:
    """How well anchors [k, 2] stand for sizes [n, 2]: the mean over boxes of the best overlap."""
    return float(shape_iou(sizes.double(), anchors.double()).amax(1).mean())


def _first(sizes: Tensor, count: int, luck: torch.Generator) -> Tensor:
    """k-means++: each further centre is drawn with a chance in proportion to its squared distance to the others."""
    chosen = [int(torch.randint(len(sizes), (1,), generator=luck))]
    for _ in range(count - 1):
        distance = (1.0 - shape_iou(sizes, sizes[chosen]).amax(1)).clamp(min=0).square()
        chosen.append(int(torch.multinomial(distance + 1e-12, 1, generator=luck)))
    return sizes[chosen].clone()


def _cluster(sizes: Tensor, centres: Tensor) -> Tensor:
    members = torch.full((len(sizes),), -1)
    for _ in range(ROUNDS):
        nearest = shape_iou(sizes, centres).argmax(1)
        if torch.equal(nearest, members):
            break
        members = nearest
        for index in range(len(centres)):
            own = sizes[members == index]
            if len(own):
                centres[index] = own.median(0).values
    return centres


def _in_order(anchors: Tensor) -> Tensor:
    return anchors[anchors.prod(1).argsort(stable=True)].float()
