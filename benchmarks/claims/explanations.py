"""Why a claim is missed: the best explanation that the figures give, and what was tried against it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from .arms import REMEDIES
from .comparing import Difference, spread
from .reading import Measured
from .verdicts import MISSED, Verdict

Found = Mapping[str, Measured]


def explained(found: Found, rows: Sequence[Verdict]) -> Iterator[str]:
    """A list of the claims that are missed; nothing where there is none."""
    missed = [row for row in rows if row.status == MISSED and row.of]
    if not missed:
        return
    yield from ("### Why claims are missed", "")
    for row in missed:
        why = _WHY[row.of](found) if row.of in _WHY else _plainly(found[row.of])
        yield f"- **{row.claim.partition(':')[0]}**: {why}"
    yield ""


def _plainly(here: Measured) -> str:
    return f"the drop is paid by {_drops(here, 'evolved')} of validation from generation to generation. {_tried(here)}"


def _alexnet(found: Found) -> str:
    here = found["alexnet-cifar"]
    epochs, test = here.claim.base["ancestor_epochs"], _mean(here.ancestor_test("evolved"))
    return (
        f"the ancestor, trained for {epochs:g} epochs, reaches {test}, and 82 % are asked of it. The drop is paid by "
        f"{_drops(here, 'evolved')} of validation accuracy from generation to generation, "
        f"{_drops(here, 'evolved-40x')} on the way to a fortieth. {_tried(here)}"
    )


def _resnet(found: Found) -> str:
    here = found["resnet20-cifar"]
    gained = _mean_of(here.test("dense")) - _mean_of(here.ancestor_test("dense"))
    return (
        f"the dense network gains {gained:.1f} points by training on, in one schedule, past its "
        f"{here.claim.base['ancestor_epochs']:g} epochs as an ancestor. The line of descent begins a schedule anew in "
        f"each generation and ends at {_points(here.against_ancestor('evolved'))} against the same ancestor. "
        f"{_tried(here)}"
    )


def _yolo(found: Found) -> str:
    here = found["yolo-half"]
    slow = found["yolo-speed"].slowest("33x-half")
    pace = f"a newborn network cut alike spends {100 * slow[1]:.0f} % of its time in {slow[0]}; " if slow else ""
    return f"{pace}where the drop is paid: {_drops(here, 'evolved')} of validation mAP@.5 by generation. {_tried(here)}"


def _recovery(found: Found) -> str:
    return (
        "what stress saves at the cut, growth without it wins back within two epochs, where either comes back at all: "
        "the milder shock is real, and does not last."
    )


_WHY: Mapping[str, Callable[[Found], str]] = {
    "alexnet-cifar": _alexnet,
    "resnet20-cifar": _resnet,
    "yolo-half": _yolo,
    "lenet-small": _recovery,
}


def _drops(here: Measured, arm: str) -> str:
    """By how many points each generation's grown network differs from its parent: "-0.4, +0.1 and -2.0 points"."""
    steps = []
    before = {seed: 100.0 * run["ancestor"]["validation"] for seed, run in here.runs(arm).items()}
    for number in range(1, here.generations(arm) + 1):
        grown = here.generation(arm, number, "validation")
        steps.append(f"{statistics.mean(grown[seed] - before[seed] for seed in grown):+.1f}")
        before = grown
    return f"{', '.join(steps[:-1])} and {steps[-1]} points" if len(steps) > 1 else "".join(steps)


def _tried(here: Measured) -> str:
    """What controls and remedies reach instead, in test points against the headline arm."""
    told = []
    for arm in here.arms():
        against = here.against(arm.name, "evolved")
        if against is not None and (arm.group == REMEDIES or arm.name in ("scratch", "narrowed", "once-stress")):
            told.append(f"{arm.title}{here.larger(arm.name, 'evolved')}: {_points(against)}")
    return f"In its place, against it: {'; '.join(told)}." if told else "No remedy is measured yet."


def _points(found: Difference | None) -> str:
    return "nothing known" if found is None else found.text()


def _mean(values: Mapping[int, float]) -> str:
    return f"{spread(list(values.values()), 1)} %" if values else "nothing known"


def _mean_of(values: Mapping[int, float]) -> float:
    return statistics.mean(values.values()) if values else float("nan")
