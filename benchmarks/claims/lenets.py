"""LeNet-5 on MNIST and Fashion-MNIST: the headline, the first question, the controls and the peer."""

from __future__ import annotations

from typing import Any

from .arms import HEADLINE, controls, peers, question, remedies
from .declared import Arm, Claim

BASE: dict[str, Any] = {
    "architecture": "lenet5",
    "validation_share": 1 / 12,  # 5,000 images
    "offspring": 1,
    "generations": 3,
    "ancestor_epochs": 2.0,
    "epochs": 2.0,
    "last_epochs": 6.0,
    "resource": "parameters",
}
ROUNDS = 2.0 + 2.0 + 6.0  # epochs of the generations together

_MNIST, _MNIST_200 = {"environment": "100x"}, {"environment": "200x"}
_FASHION, _FASHION_30 = {"environment": "15x"}, {"environment": "30x"}

MNIST = Claim(
    "lenet-mnist",
    "LeNet-5 on MNIST",
    "From 431,080 parameters to a hundredth in three generations.",
    "mnist",
    BASE,
    (
        *question(_MNIST, ROUNDS)[:1],
        *controls()[:1],
        Arm("evolved-200x", "generations, death-list stress, to a two-hundredth", HEADLINE, fields=_MNIST_200),
        *question(_MNIST, ROUNDS)[1:],
        *controls()[1:],
        *peers(),
    ),
    seeds=5,
)

FASHION = Claim(
    "lenet-fashion",
    "LeNet-5 on Fashion-MNIST",
    "From 431,080 parameters to a fifteenth in three generations.",
    "fashion-mnist",
    BASE,
    (
        *question(_FASHION, ROUNDS)[:1],
        *controls()[:1],
        Arm("evolved-30x", "generations, death-list stress, to a thirtieth", HEADLINE, fields=_FASHION_30),
        *question(_FASHION, ROUNDS)[1:],
        *controls()[1:],
        *peers(),
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
