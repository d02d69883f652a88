"""LeNet-5 on MNIST and Fashion-MNIST: the headline, the first question, the controls and the peer."""

from __future__ import annotations

from .arms import REMEDIES, controls, peers, question, remedies, study
from .declared import Arm, Claim

MNIST = study(
    "lenet-mnist",
    "LeNet-5 on MNIST",
    "From 431,080 parameters to a hundredth in three generations.",
    data="mnist",
    further=("200x", "to a two-hundredth"),
    seeds=5,
)
FASHION = study(
    "lenet-fashion",
    "LeNet-5 on Fashion-MNIST",
    "From 431,080 parameters to a fifteenth in three generations.",
    data="fashion-mnist",
    further=("30x", "to a thirtieth"),
    more=(
        Arm("unled", "no distillation: the labels alone", REMEDIES, fields={"distillation": 0.0}),
        Arm("unled-30x", "the same, to a thirtieth", REMEDIES, fields={"distillation": 0.0, "environment": "30x"}),
        Arm(
            "wide",
            "conv1 and conv2 keep half of their filters",
            REMEDIES,
            fields={"distillation": 0.0, "floors": {"conv1": 0.5, "conv2": 0.5}},
        ),
        Arm("wide-led", "both", REMEDIES, fields={"floors": {"conv1": 0.5, "conv2": 0.5}}),
        Arm("candidates", "no distillation, best of 8 draws", REMEDIES, fields={"distillation": 0.0, "candidates": 8}),
    ),
    seeds=5,
)

# Small enough that every arm of the first question has many seeds in an hour, and a learning curve many points.
SMALL = Claim(
    "lenet-small",
    "LeNet-5 on a part of Fashion-MNIST",
    "From 431,080 parameters to a hundredth in four generations, on 6,000 training images: the smallest setting.",
    "fashion-mnist",
    {
        "architecture": "lenet5",
        "limit": 8000,
        "validation_share": 0.25,
        "offspring": 1,
        "generations": 4,
        "ancestor_epochs": 3.0,
        "epochs": 3.0,
        "resource": "parameters",
    },
    (
        *question({"environment": "100x"}, 4 * 3.0),
        *controls(),
        *remedies({"environment": "100x"}, 4 * 3.0, 4),
        *peers(),
    ),
    seeds=5,
)
