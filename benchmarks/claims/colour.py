"""AlexNet-small and ResNet-20 on colour images: few epochs, in mixed precision, so that an arm takes minutes and a
dense network under an hour of one core."""

from __future__ import annotations

from .arms import REMEDIES, study
from .declared import Arm

ALEXNET = study(
    "alexnet-cifar",
    "AlexNet-small on CIFAR-10 (JPEG)",
    "From 5.7 million parameters to a twentieth, and a fortieth, in three generations.",
    data="cifar10-jpeg",
    further=("40x", "to a fortieth"),
    more=(
        Arm(
            "long",
            "an ancestor of 24 epochs, 2 and 20 for its offspring: 48 epochs, more in all",
            REMEDIES,
            fields={"ancestor_epochs": 24.0, "epochs": 2.0, "last_epochs": 20.0, "progressive_share": 0.7},
        ),
    ),
)
RESNET = study(
    "resnet20-cifar",
    "ResNet-20 on CIFAR-10 (JPEG)",
    "To a share of 1 / 2.6 of the multiply-adds in three generations.",
    data="cifar10-jpeg",
    further=("4x", "to a quarter"),
    more=(
        Arm("distillation", "half of the loss follows the ancestor", REMEDIES, fields={"distillation": 0.5}),
        Arm("late", "most epochs in the last generation", REMEDIES, fields={"epochs": 1.0, "last_epochs": 10.0}),
    ),
)
