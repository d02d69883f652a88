"""AlexNet-small and ResNet-20 on colour images: few epochs, in mixed precision, so that an arm takes minutes and a
dense network under an hour of one core."""

from __future__ import annotations

from typing import Any

from .arms import HEADLINE, controls, peers, question
from .declared import Arm, Claim

_DATA = "cifar10-jpeg"
_ALEXNET: dict[str, Any] = {
    "architecture": "alexnet-small",
    "validation_share": 0.1,
    "augmentation": "flip-shift",
    "offspring": 1,
    "candidates": 8,
    "generations": 3,
    "ancestor_epochs": 6.0,
    "epochs": 1.5,
    "last_epochs": 6.0,
    "resource": "parameters",
    "strength": "taylor",
    "repair_images": 1024,
    "progressive_size": 24,
    "precision": "bfloat16",
}
_RESNET = {**_ALEXNET, "architecture": "resnet20", "resource": "macs", "progressive_size": None}
_RESNET |= {"ancestor_epochs": 8.0, "epochs": 2.0, "last_epochs": 8.0}
_ROUNDS = 1.5 + 1.5 + 6.0
_RESNET_ROUNDS = 2.0 + 2.0 + 8.0

ALEXNET = Claim(
    "alexnet-cifar",
    "AlexNet-small on CIFAR-10 (JPEG)",
    "From 5.7 million parameters to a twentieth, and a fortieth, in three generations.",
    _DATA,
    _ALEXNET,
    (
        *question({"environment": "20x"}, _ROUNDS)[:1],
        *controls()[:1],
        Arm("evolved-40x", "generations, death-list stress, to a fortieth", HEADLINE,
            fields={"environment": "40x"}),
        *question({"environment": "20x"}, _ROUNDS)[1:],
        *controls()[1:],
        *peers(),
    ),
    seeds=3,
)  # fmt: skip

RESNET = Claim(
    "resnet20-cifar",
    "ResNet-20 on CIFAR-10 (JPEG)",
    "To a share of 1 / 2.6 of the multiply-adds in three generations.",
    _DATA,
    _RESNET,
    (
        *question({"environment": "2.6x"}, _RESNET_ROUNDS)[:1],
        *controls()[:1],
        Arm("evolved-4x", "generations, death-list stress, to a quarter", HEADLINE,
            fields={"environment": "4x"}),
        *question({"environment": "2.6x"}, _RESNET_ROUNDS)[1:],
        *controls()[1:],
        *peers(),
    ),
    seeds=3,
)  # fmt: skip
