"""YOLOv2 and Tiny YOLOv2 (Redmon & Farhadi 2016, https://arxiv.org/abs/1612.08242), as in Darknet's VOC files."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .darknet import backbone, conv_unit
from .layers import scaled
from .region import Region, channels_for
from .registry import Shape, architecture

# Published for VOC, in cells of a 13x13 map.
_YOLOV2_CELLS = ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071))
_TINY_CELLS = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))


def _fractions(cells: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    return tuple((width / 13.0, height / 13.0) for width, height in cells)


def space_to_depth(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, 4 C, H / 2, W / 2], as strided slices joined: the order of the reference, open to surgery."""
    return torch.cat([x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], 1)


class Yolo2(nn.Module):
    """Darknet-19 without its classifier, two convolutions, the passthrough, one more, and a linear 1x1.

    50,655,389 parameters for 20 classes. The passthrough takes the last activations before the fifth halving
    (26x26x512 at 416) through 1x1x64 and space-to-depth to 13x13x256, and joins them in front of the others.
    """

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        layers, channels = backbone(shape[0], width)
        names = [name for name, _ in layers]
        halving = names.index("pool5")
        self.fine, self.coarse = names[:halving], names[halving:]
        for name, layer in layers:
            self.add_module(name, layer)
        wide, narrow, source = scaled(1024, width), scaled(64, width), scaled(512, width)
        self._unit(19, channels, wide, 3)
        self._unit(20, wide, wide, 3)
        self._unit(21, source, narrow, 1)  # the passthrough
        self._unit(22, 4 * narrow + wide, wide, 3)
        self.conv23 = nn.Conv2d(wide, channels_for(classes), 1)
        self.region = Region(_fractions(_YOLOV2_CELLS))

    def _unit(self, number: int, inputs: int, outputs: int, kernel: int) -> None:
        for stem, layer in conv_unit(inputs, outputs, kernel):
            self.add_module(f"{stem}{number}", layer)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.fine:
            x = self.get_submodule(name)(x)
        fine = self._run(21, x)
        for name in self.coarse:
            x = self.get_submodule(name)(x)
        x = self._run(20, self._run(19, x))
        x = self._run(22, torch.cat([space_to_depth(fine), x], 1))
        return self.region(self.conv23(x))

    def _run(self, number: int, x: Tensor) -> Tensor:
        for stem in ("conv", "bn", "relu"):
            x = self.get_submodule(f"{stem}{number}")(x)
        return x


class TinyYolo2(nn.Module):
    """Six halvings of which the last keeps the size, then 1024, 1024 and a linear 1x1: 15.86 M for 20 classes."""

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        channels = shape[0]
        self.order: list[str] = []
        for number, filters in enumerate((16, 32, 64, 128, 256, 512, 1024, 1024), 1):
            outputs = scaled(filters, width)
            for stem, layer in conv_unit(channels, outputs, 3):
                self._add(f"{stem}{number}", layer)
            channels = outputs
            if number < 6:
                self._add(f"pool{number}", nn.MaxPool2d(2))
            elif number == 6:
                self._add("pool6", nn.MaxPool2d(2, 1))
        self._add("conv9", nn.Conv2d(channels, channels_for(classes), 1))
        self._add("region", Region(_fractions(_TINY_CELLS)))

    def _add(self, name: str, layer: nn.Module) -> None:
        self.add_module(name, layer)
        self.order.append(name)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            if name == "pool6":  # a repeated last row and column has the maximum that Darknet's padding has
                x = nn.functional.pad(x, (0, 1, 0, 1), mode="replicate")
            x = self.get_submodule(name)(x)
        return x


@architecture("yolov2", head="conv23")
def yolov2(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return Yolo2(classes, shape, width)


@architecture("tiny-yolov2", head="conv9")
def tiny_yolov2(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return TinyYolo2(classes, shape, width)
