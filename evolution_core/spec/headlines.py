"""The settings of claims in docs/results.md: `benchmarks/claims` measures them, the run form offers the measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .run import RunSpec


@dataclass(frozen=True)
class Headline:
    """`name` is the claim's, `label` what is shrunk and how far, `data` the data set that it is measured on, with its
    `task`; `settings` are over a spec's defaults, `seeds` how many have been measured (a test counts the files)."""

    name: str
    label: str
    data: str
    settings: Mapping[str, Any]
    seeds: int = 0
    task: str = "classification"

    @property
    def spec(self) -> RunSpec:
        return RunSpec.from_json(self.settings)


_LENET: dict[str, Any] = {
    "architecture": "lenet5",
    "validation_share": 1 / 12,  # 5,000 images
    "offspring": 1,
    "generations": 3,
    "ancestor_epochs": 2.0,
    "epochs": 2.0,
    "last_epochs": 6.0,
    "resource": "parameters",
}
_FASHION: dict[str, Any] = {**_LENET, "environment": "15x", "distillation": 0.5}
_COLOUR: dict[str, Any] = {
    "validation_share": 0.1,
    "augmentation": "flip-shift",
    "precision": "bfloat16",
    "offspring": 1,
    "candidates": 8,
    "generations": 3,
    "strength": "taylor",
    "repair_images": 1024,
}
_ALEXNET: dict[str, Any] = {
    **_COLOUR,
    "architecture": "alexnet-small",
    "ancestor_epochs": 6.0,
    "epochs": 1.5,
    "last_epochs": 6.0,
    "resource": "parameters",
    "progressive_size": 24,
}
_RESNET: dict[str, Any] = {
    **_COLOUR,
    "architecture": "resnet20",
    "ancestor_epochs": 8.0,
    "epochs": 2.0,
    "last_epochs": 8.0,
    "resource": "macs",
}
_YOLO: dict[str, Any] = {
    "architecture": "yolov2",
    "width": 0.5,
    "input_size": 416,
    "batch_size": 16,
    "augmentation": "photo",
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "weight_decay": 0.05,
    "precision": "bfloat16",
    "offspring": 1,
    "generations": 4,
    "ancestor_epochs": 60.0,
    "epochs": 20.0,
    "last_epochs": 60.0,
    "resource": "parameters",
    "strength": "taylor",
    "repair_images": 64,
    "max_drop": 2.0,
}

HEADLINES: dict[str, Headline] = {
    headline.name: headline
    for headline in (
        Headline("lenet-mnist", "LeNet-5, 100 times smaller", "MNIST", {**_LENET, "environment": "100x"}, 5),
        Headline("lenet-fashion", "LeNet-5, 15 times smaller", "Fashion-MNIST", _FASHION, 5),
        Headline("alexnet-cifar", "AlexNet, 20 times smaller", "CIFAR-10", {**_ALEXNET, "environment": "20x"}, 1),
        Headline(
            "resnet20-cifar", "ResNet-20, 2.6 times fewer MACs", "CIFAR-10", {**_RESNET, "environment": "2.6x"}, 1
        ),
        Headline("yolo-half", "YOLOv2, 33 times smaller", "BCCD", {**_YOLO, "environment": "33x"}, 1, task="detection"),
    )
}
