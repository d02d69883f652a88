"""MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381)."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import scaled
from .registry import Shape, architecture

# Expansion, channels, blocks, first stride: table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    """A thin input is expanded 1x1, filtered depthwise 3x3 and projected back 1x1; the shortcut joins the thin ends."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        self.is_expanded = expansion != 1
        self.is_residual = stride == 1 and inputs == outputs
        if self.is_expanded:
            self.expand = nn.Conv2d(inputs, inner, 1, bias=False)
            self.bn1, self.relu1 = nn.BatchNorm2d(inner), nn.ReLU6()
        self.depthwise = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2, self.relu2 = nn.BatchNorm2d(inner), nn.ReLU6()
        self.project = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu1(self.bn1(self.expand(x))) if self.is_expanded else x
        inner = self.bn3(self.project(self.relu2(self.bn2(self.depthwise(inner)))))
        return x + inner if self.is_residual else inner


class MobileNetV2(nn.Module):
    """17 inverted residuals between two convolutions: 3,504,872 parameters at 224x224x3, K = 1000."""

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        channels, last = scaled(32, width), scaled(1280, width)
        self.conv1, self.bn1, self.relu1 = (
            nn.Conv2d(shape[0], channels, 3, 2, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU6(),
        )
        self.blocks: list[str] = []
        for expansion, filters, count, first in STAGES:
            for place in range(count):
                name = f"block{len(self.blocks) + 1}"
                outputs = scaled(filters, width)
                self.add_module(name, InvertedResidual(channels, outputs, first if place == 0 else 1, expansion))
                self.blocks.append(name)
                channels = outputs
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(channels, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6()
        self.average, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        for name in self.blocks:
            x = getattr(self, name)(x)
        x = self.relu2(self.bn2(self.conv2(x)))
        return self.fc(self.drop(self.flatten(self.average(x))))


def torchvision_names() -> dict[str, str]:
    """Module names of torchvision's `mobilenet_v2` -> ours."""
    names = {"features.0.0": "conv1", "features.0.1": "bn1", "features.18.0": "conv2", "features.18.1": "bn2"}
    names["classifier.1"] = "fc"
    place = 0
    for expansion, _, count, _ in STAGES:
        for _ in range(count):
            place += 1
            layers = ["depthwise", "bn2", "project", "bn3"]
            theirs = ["0.0", "0.1", "1", "2"]
            if expansion != 1:
                layers = ["expand", "bn1", *layers]
                theirs = ["0.0", "0.1", "1.0", "1.1", "2", "3"]
            names |= {f"features.{place}.conv.{t}": f"block{place}.{o}" for t, o in zip(theirs, layers, strict=True)}
    return names


@architecture("mobilenet-v2", head="fc", aliases=torchvision_names)
def mobilenet_v2(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return MobileNetV2(classes, shape, width)
