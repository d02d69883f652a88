"""The arms that most claims share: the first question, the controls, the peer."""

from __future__ import annotations

from typing import Any

from evolution_core.spec import HEADLINES

from .declared import Arm, Claim

HEADLINE, QUESTION, CONTROLS, PEER, REMEDIES = "headline", "question", "controls", "peer", "remedies"
WIDTHS = "widths"
IMPORTANCES = ("magnitude", "group-norm", "taylor")
SHARES = {"uniform": "every layer alike", "global": "the weakest of all layers", "ours": "our widths"}

_REST = {"stress": "none", "gestation": 0.0}


def question(evolved: dict[str, Any], rounds: float) -> tuple[Arm, ...]:
    """Arms of equal epochs and equal final size. `evolved` are the fields of the headline arm, which has the product's
    default stress and is the first of them; `rounds` is how many epochs its generations have together.

    There is none with both stress and repair: a death list leaves its doomed at zero, so that there is nothing to refit
    and the networks are the same bit by bit.
    """
    once = {"generations": 1, "last_epochs": rounds}
    return (
        Arm("evolved", "generations, death-list stress", HEADLINE, fields=evolved),
        Arm("once-stress", "one cut, death-list stress", QUESTION, fields={**evolved, **once}),
        Arm("waiting", "generations, gestation without stress", QUESTION, fields={**evolved, "stress": "none"}),
        Arm("plain", "generations, no gestation", QUESTION, fields={**evolved, **_REST}),
        Arm("repair", "generations, no gestation, repair", QUESTION, fields={**evolved, **_REST, "repair": True}),
        Arm("once-repair", "one cut, no gestation, repair", QUESTION,
            fields={**evolved, **_REST, **once, "repair": True}),
        Arm("once", "one cut, no gestation", QUESTION, fields={**evolved, **_REST, **once}),
        Arm("waiting-repair", "generations, gestation without stress, repair", QUESTION,
            fields={**evolved, "stress": "none", "repair": True}),
        Arm("random", "generations, random stress", QUESTION, fields={**evolved, "stress": "random"}),
        Arm("newborn", "generations, nothing inherited", QUESTION, fields={**evolved, "inheritance": "newborn"}),
    )  # fmt: skip


def remedies(evolved: dict[str, Any], rounds: float, generations: int) -> tuple[Arm, ...]:
    """What may help generations to a better end, each tried alone, and then what is cheap of it together."""
    early = rounds / (2 * generations)
    late = {"epochs": early, "last_epochs": rounds - (generations - 1) * early}
    return (
        Arm("late", "most epochs in the last generation", REMEDIES, fields={**evolved, **late}),
        Arm("two", "two generations, most epochs in the last", REMEDIES,
            fields={**evolved, "generations": 2, "epochs": rounds / 4, "last_epochs": rounds * 3 / 4}),
        Arm("candidates", "best of 8 draws", REMEDIES, fields={**evolved, "candidates": 8}),
        Arm("distillation", "half of the loss follows the ancestor", REMEDIES, fields={**evolved, "distillation": 0.5}),
        Arm("taylor", "Taylor strength", REMEDIES, fields={**evolved, "strength": "taylor"}),
        Arm("once-candidates", "one cut, best of 8 draws", REMEDIES,
            fields={**evolved, "generations": 1, "last_epochs": rounds, "candidates": 8}),
        Arm("late-candidates", "most epochs in the last generation, best of 8 draws", REMEDIES,
            fields={**evolved, **late, "candidates": 8}),
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


def study(
    name: str,
    title: str,
    about: str,
    *,
    data: str,
    further: tuple[str, str],
    more: tuple[Arm, ...] = (),
    seeds: int = 3,
) -> Claim:
    """A headline's settings, a way `further` (an environment, and its words), what both are held against, `more`."""
    settings = dict(HEADLINES[name].settings)
    rounds = (settings["generations"] - 1) * settings["epochs"] + settings["last_epochs"]
    first, *questions = question({}, rounds)
    dense, *others = controls()
    environment, words = further
    stretch = Arm(f"evolved-{environment}", f"generations, death-list stress, {words}", HEADLINE,
                  fields={"environment": environment})  # fmt: skip
    return Claim(
        name, title, about, data, settings, (first, dense, stretch, *questions, *others, *more, *peers()), seeds
    )
