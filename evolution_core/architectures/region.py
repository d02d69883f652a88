"""YOLOv2's region: the last module of a detector, which keeps the shapes that its boxes start from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evolution_core.spec import NetworkError

ANCHORS = 5  # boxes predicted in each cell
BOX = 5  # numbers of a box before its classes: x, y, width, height, objectness


def channels_for(classes: int) -> int:
    """Channels of the map that a detector of `classes` classes puts out."""
    return ANCHORS * (BOX + classes)


class Region(nn.Module):
    """Hands the map [N, 5 * (5 + K), H, W] on unchanged, and keeps `anchors` [5, 2]: widths and heights as fractions
    of the image (YOLOv2 counts them in cells; fractions hold for every input size).

    The anchors are a buffer, so they travel with the network's file and through surgery; they are not learnt but found
    by k-means over the training boxes. Trace it as a leaf.
    """

    anchors: Tensor

    def __init__(self, anchors: tuple[tuple[float, float], ...]):
        super().__init__()
        self.usual = anchors
        self.register_buffer("anchors", torch.zeros(len(anchors), 2))

    def reset_parameters(self) -> None:
        """Back to the published shapes."""
        with torch.no_grad():
            self.anchors.copy_(torch.tensor(self.usual))

    def forward(self, x: Tensor) -> Tensor:
        return x

    def extra_repr(self) -> str:
        return f"{len(self.usual)} anchors"


def region_of(model: nn.Module) -> Region:
    """The model's region. Raises NetworkError when it has none: then it is no detector."""
    found = next((module for module in model.modules() if isinstance(module, Region)), None)
    if found is None:
        raise NetworkError("the network has no region, so it is no detector")
    return found
