"""The arms that most claims share: the first question, the controls, the peer."""

from __future__ import annotations

from typing import Any

from .declared import Arm

HEADLINE, QUESTION, CONTROLS, PEER = "headline", "question", "controls", "peer"
IMPORTANCES = ("magnitude", "group-norm", "taylor")
SHARES = {"uniform": "every layer alike", "global": "the weakest of all layers", "ours": "our widths"}

_REST = {"stress": "none", "gestation": 0.0}


def question(evolved: dict[str, Any], rounds: float) -> tuple[Arm, ...]:
    """Arms of equal epochs and equal final size. `evolved` are the fields of the headline arm, which has a death list
    and repair and is the first of them; `rounds` is how many epochs its generations have together."""
    plain = {**evolved, "repair": False}
    once = {"generations": 1, "last_epochs": rounds}
    return (
        Arm("evolved", "generations, death-list stress, repair", HEADLINE, fields=evolved),
        Arm("stress", "generations, death-list stress", QUESTION, fields=plain),
        Arm("random", "generations, random stress", QUESTION, fields={**plain, "stress": "random"}),
        Arm("waiting", "generations, no stress in gestation", QUESTION, fields={**plain, "stress": "none"}),
        Arm("plain", "generations, no gestation", QUESTION, fields={**plain, **_REST}),
        Arm("waiting-repair", "generations, no stress in gestation, repair", QUESTION,
            fields={**evolved, "stress": "none"}),
        Arm("repair", "generations, no gestation, repair", QUESTION, fields={**evolved, **_REST}),
        Arm("once-repair", "one cut, no gestation, repair", QUESTION, fields={**evolved, **_REST, **once}),
        Arm("once", "one cut, no gestation", QUESTION, fields={**plain, **_REST, **once}),
        Arm("once-stress-repair", "one cut, death-list stress, repair", QUESTION, fields={**evolved, **once}),
        Arm("newborn", "generations, death-list stress, nothing inherited", QUESTION,
            fields={**plain, "inheritance": "newborn"}),
    )  # fmt: skip


def controls(of: str = "evolved") -> tuple[Arm, ...]:
    return (
        Arm("dense", "the ancestor, trained as long", CONTROLS, kind="dense", of=of),
        Arm("scratch", "the chosen architecture, from scratch, as long", CONTROLS, kind="scratch", of=of),
        Arm("narrowed", "the ancestor narrowed alike, from scratch, as long", CONTROLS, kind="narrowed", of=of),
    )


def peers(of: str = "evolved") -> tuple[Arm, ...]:
    """Torch-Pruning by each importance and each way to share the cut out."""
    return tuple(
        Arm(
            f"tp-{importance}-{share}",
            f"Torch-Pruning, {importance}, {said}",
            PEER,
            kind="torch-pruning",
            of=of,
            options={"importance": importance, "share": share},
        )
        for share, said in SHARES.items()
        for importance in IMPORTANCES
    )
