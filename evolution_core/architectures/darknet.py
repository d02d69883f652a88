"""Darknet-19, the classifier behind YOLOv2 (Redmon & Farhadi 2016, https://arxiv.org/abs/1612.08242)."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import scaled
from .registry import Shape, architecture

# Filters and kernel of the 18 convolutions; "M" halves the image. Detection builds on the same list.
DARKNET19: tuple[tuple[int, int] | str, ...] = (
    *((32, 3), "M"),
    *((64, 3), "M"),
    *((128, 3), (64, 1), (128, 3), "M"),
    *((256, 3), (128, 1), (256, 3), "M"),
    *((512, 3), (256, 1), (512, 3), (256, 1), (512, 3), "M"),
    *((1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3)),
)


def conv_unit(inputs: int, outputs: int, kernel: int) -> list[tuple[str, nn.Module]]:
    """Convolution without bias, batch normalisation, leaky ReLU .1: Darknet's unit, as (name stem, layer)."""
    return [
        ("conv", nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)),
        ("bn", nn.BatchNorm2d(outputs)),
        ("relu", nn.LeakyReLU(0.1)),
    ]


def backbone(channels: int, width: float) -> tuple[list[tuple[str, nn.Module]], int]:
    """The layers of Darknet-19 up to its classifier in order, named conv1, bn1, relu1, pool1 …, and the last width."""
    layers: list[tuple[str, nn.Module]] = []
    convolutions = pools = 0
    for entry in DARKNET19:
        if isinstance(entry, str):
            pools += 1
            layers.append((f"pool{pools}", nn.MaxPool2d(2)))
            continue
        convolutions += 1
        outputs = scaled(entry[0], width)
        layers += [(f"{stem}{convolutions}", layer) for stem, layer in conv_unit(channels, outputs, entry[1])]
        channels = outputs
    return layers, channels


class Darknet19(nn.Module):
    """18 convolutions with batch norm, a 1x1 classifier, a global average: 20,842,376 at 224x224x3, K=1000."""

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        layers, channels = backbone(shape[0], width)
        self.order = [name for name, _ in layers]
        for name, layer in layers:
            self.add_module(name, layer)
        self.conv19 = nn.Conv2d(channels, classes, 1)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            x = getattr(self, name)(x)
        return self.flatten(self.average(self.conv19(x)))


@architecture("darknet19", head="conv19")
def darknet19(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return Darknet19(classes, shape, width)
