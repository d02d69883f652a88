"""VGG-16 with batch normalisation (Simonyan & Zisserman 2014, https://arxiv.org/abs/1409.1556, configuration D)."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import scaled
from .registry import Shape, architecture

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters, convolutions


class VGG16(nn.Module):
    """13 convolutions in five stages, two full layers of 4096 with dropout .5: 138,365,992 at 224x224x3, K = 1000."""

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        self.order: list[str] = []
        channels, full = shape[0], scaled(4096, width)
        for stage, (filters, count) in enumerate(STAGES, 1):
            filters = scaled(filters, width)
            for number in range(1, count + 1):
                self._append(f"conv{stage}_{number}", nn.Conv2d(channels, filters, 3, padding=1))
                self._append(f"bn{stage}_{number}", nn.BatchNorm2d(filters))
                self._append(f"relu{stage}_{number}", nn.ReLU())
                channels = filters
            self._append(f"pool{stage}", nn.MaxPool2d(2))
        self._append("flatten", nn.Flatten())
        inputs = channels * (shape[1] // 32) * (shape[2] // 32)
        for name, outputs in (("6", full), ("7", full)):
            self._append(f"fc{name}", nn.Linear(inputs, outputs))
            self._append(f"relu{name}", nn.ReLU())
            self._append(f"drop{name}", nn.Dropout(0.5))
            inputs = outputs
        self._append("fc8", nn.Linear(inputs, classes))

    def _append(self, name: str, layer: nn.Module) -> None:
        self.add_module(name, layer)
        self.order.append(name)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            x = getattr(self, name)(x)
        return x


def torchvision_names() -> dict[str, str]:
    """Module names of torchvision's `vgg16_bn` -> ours."""
    names = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}
    place = 0
    for stage, (_, count) in enumerate(STAGES, 1):
        for number in range(1, count + 1):
            names[f"features.{place}"] = f"conv{stage}_{number}"
            names[f"features.{place + 1}"] = f"bn{stage}_{number}"
            place += 3
        place += 1
    return names


@architecture("vgg16-bn", head="fc8", aliases=torchvision_names)
def vgg16_bn(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return VGG16(classes, shape, width)
