"""Residual networks (He et al. 2015, https://arxiv.org/abs/1512.03385): photographs (18, 50) and small images (20, 56).

Where a shortcut changes its size it is a 1x1 convolution with batch normalisation (option B of the paper)
throughout. The paper's small networks pad with zero channels there (option A: 269,722 and 853,018 parameters);
that ties all stages' channels together, so that none could be cut alone. Option B adds 2,752 parameters.
Layers are named as torchvision names them, so that its weights fit.
"""

from __future__ import annotations

from torch import Tensor, nn

from .layers import scaled
from .registry import Shape, architecture


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1, self.bn1, self.relu1 = _conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = _conv(outputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU()
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(inner + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride, as in torchvision) and 1x1 convolutions beside a four times wider shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        inner = outputs // 4
        self.conv1, self.bn1, self.relu1 = _conv(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = _conv(inner, inner, 3, stride), nn.BatchNorm2d(inner), nn.ReLU()
        self.conv3, self.bn3, self.relu3 = _conv(inner, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu1(self.bn1(self.conv1(x)))
        inner = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(inner)))))
        return self.relu3(inner + self.downsample(x))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """A first convolution, stages of blocks (each but the first halves the image), a global average and a full layer.

    `small` images meet a 3x3 convolution at full size, photographs a 7x7 one and a pooling that quarter them.
    """

    def __init__(
        self,
        classes: int,
        shape: Shape,
        width: float,
        *,
        stages: tuple[tuple[int, int], ...],  # channels, blocks
        block: type[nn.Module],
        small: bool,
    ):
        super().__init__()
        channels = scaled(16 if small else 64, width)
        self.conv1 = _conv(shape[0], channels, 3) if small else _conv(shape[0], channels, 7, 2)
        self.bn1, self.relu = nn.BatchNorm2d(channels), nn.ReLU()
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.stages = [f"layer{number}" for number in range(1, len(stages) + 1)]
        for name, (filters, count) in zip(self.stages, stages, strict=True):
            blocks = []
            for place in range(count):
                stride = 2 if place == 0 and name != "layer1" else 1
                outputs = scaled(filters, width, 4)
                blocks.append(block(channels, outputs, stride))
                channels = outputs
            self.add_module(name, nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(self.flatten(self.avgpool(x)))


def _small(blocks: int) -> tuple[tuple[int, int], ...]:
    return ((16, blocks), (32, blocks), (64, blocks))


@architecture("resnet18", head="fc")
def resnet18(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    stages = ((64, 2), (128, 2), (256, 2), (512, 2))
    return ResNet(classes, shape, width, stages=stages, block=BasicBlock, small=False)


@architecture("resnet50", head="fc")
def resnet50(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    stages = ((256, 3), (512, 4), (1024, 6), (2048, 3))
    return ResNet(classes, shape, width, stages=stages, block=Bottleneck, small=False)


@architecture("resnet20", head="fc")
def resnet20(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return ResNet(classes, shape, width, stages=_small(3), block=BasicBlock, small=True)


@architecture("resnet56", head="fc")
def resnet56(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return ResNet(classes, shape, width, stages=_small(9), block=BasicBlock, small=True)
