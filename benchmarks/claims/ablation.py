"""What each part of the method is worth: one part changed at a time, on a small set that many arms can be tried on."""

from __future__ import annotations

from typing import Any

from .arms import HEADLINE, controls
from .declared import Arm, Claim

BASE: dict[str, Any] = {
    "architecture": "lenet5",
    "limit": 8000,
    "validation_share": 0.25,
    "generations": 4,
    "offspring": 1,
    "epochs": 2.0,
    "environment": 0.5,
    "gestation": 0.4,  # these two were the product's defaults until this claim was measured
    "minimum_clusters": 2,
}
_ROUNDS = 4 * 2.0
_ONCE = {"generations": 1, "environment": 0.5**4, "epochs": _ROUNDS, "ancestor_epochs": 2.0}
_REST = {"stress": "none", "gestation": 0.0}


def _changed(group: str, prefix: str, field: str, values: dict[Any, str], **also: Any) -> tuple[Arm, ...]:
    """One arm a value of one field."""
    return tuple(
        Arm(f"{prefix}-{value}", title, group, fields={field: value, **also}) for value, title in values.items()
    )


_STRESS = (
    *_changed("stress", "stress", "stress", {
        "rehearsal": "rehearsal", "weakening": "weakening", "pressure": "pressure",
    }),
    Arm("random", "random deaths", "stress", fields={"stress": "random"}),
    Arm("waiting", "gestation without stress", "stress", fields={"stress": "none"}),
    Arm("plain", "no gestation", "stress", fields=_REST),
)  # fmt: skip

_HEREDITY = (
    Arm("newborn", "nothing inherited", "heredity", fields={"inheritance": "newborn"}),
    Arm("waiting-repair", "repair, gestation without stress", "heredity", fields={"repair": True, "stress": "none"}),
    Arm("repair", "repair, no gestation", "heredity", fields={**_REST, "repair": True}),
)

_ONE_CUT = (
    Arm("once-stress", "one cut, death list", "one generation, as small, as long", fields=_ONCE),
    Arm("once-waiting", "one cut, gestation without stress", "one generation, as small, as long",
        fields={**_ONCE, "stress": "none"}),
    Arm("once-repair", "one cut, repair, no gestation", "one generation, as small, as long",
        fields={**_ONCE, **_REST, "repair": True}),
)  # fmt: skip

ABLATION = Claim(
    "ablation",
    "Ablation: LeNet-5 on 8,000 images of Fashion-MNIST",
    "Four generations at half of the clusters each; few images and few epochs, to choose defaults by.",
    "fashion-mnist",
    BASE,
    (
        Arm("evolved", "death list, inherited, one parent, one draw", HEADLINE),
        *controls(),
        *_STRESS,
        *_changed("gestation", "gestation", "gestation", {
            0.2: "a fifth of the epochs in gestation", 0.6: "three fifths", 0.8: "four fifths",
        }),
        *_HEREDITY,
        *_ONE_CUT,
        *_changed("parents, of three offspring", "parents", "parents", {1: "1 parent", 2: "2 parents", 3: "3 parents"},
                  offspring=3, survivors=3),
        Arm("parents-5", "5 parents, of five offspring", "parents, of three offspring",
            fields={"parents": 5, "offspring": 5, "survivors": 5}),
        *_changed("best of k", "candidates", "candidates", {8: "best of 8"}),
        Arm("candidates-8-waiting", "best of 8, no stress", "best of k", fields={"candidates": 8, "stress": "none"}),
        *_changed("sharpness", "sharpness", "sharpness", {1.0: "sharpness 1", 16.0: "sharpness 16"}),
        *_changed("strength", "strength", "strength", {"l2": "L2 norm", "taylor": "Taylor"}),
        *_changed("floor", "floor", "minimum_clusters", {
            1: "no layer below 1 cluster", 4: "no layer below 4 clusters",
        }),
        *_changed("optimizer", "optimizer", "optimizer", {"adamw": "AdamW", "sgd": "SGD"}),
        *_changed("encoding", "encoding", "encoding", {"both": "clusters and synapses"}),
    ),
    seeds=3,
)  # fmt: skip
