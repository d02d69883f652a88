"""Every row of the table of claims: its target, and what the results say of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evolution_core.records import read_json

from .arms import IMPORTANCES, PEER, SHARES
from .comparing import Difference, geometric, spread
from .places import ROOT
from .reading import Measured

TARGET, STRETCH, MISSED, UNKNOWN = "target reached", "stretch reached", "not reached", "not measured yet"
Found = Mapping[str, Measured]


@dataclass(frozen=True)
class Verdict:
    """`figure` says what was measured; `command` gets it (again); `of` is the claim's name, "" for one of several."""

    claim: str
    target: str
    stretch: str
    status: str
    figure: str
    command: str
    of: str = ""


def verdicts(found: Found) -> Iterator[Verdict]:
    """One for each row that can be told from the claims' results, in the order of the page."""
    yield _smaller(found["lenet-mnist"], "LeNet-5, MNIST: parameters, at most 1 point below dense", (100, 200))
    yield _smaller(
        found["lenet-fashion"], "LeNet-5, Fashion-MNIST: the same, the ancestor being their teacher", (15, 30)
    )
    yield _smaller(found["alexnet-cifar"], "AlexNet-small, CIFAR-10 (JPEG): at most 1 point below its ancestor, which "
                   "has 82 % or more", (20, 40), ancestor=82.0)  # fmt: skip
    yield _smaller(found["resnet20-cifar"], "ResNet-20, the same data: multiply-adds, no loss", (2.6, 4), drop=0.0,
                   size="times_fewer_macs")  # fmt: skip
    yield _shock(found)
    for name in ("lenet-mnist", "lenet-fashion", "lenet-small"):
        yield _peer(found[name])
    yield _faster(found["alexnet-speed"], "40x", "AlexNet-small, 40x smaller: ONNX Runtime, one thread", (8, 15))
    yield _yolo(found)
    yield _faster(
        found["yolo-speed"], "33x", "Full YOLOv2, 33x smaller: ONNX Runtime, one thread, 416 pixels", (5.5, 8)
    )
    yield _recovery(found["lenet-small"])


def _yolo(found: Found) -> Verdict:
    """From half of its width; with what came of a quarter, which was tried first."""
    sizes, faster = (33, 50), (5.5, 8)
    row = _smaller(found["yolo-half"], "YOLOv2 by width, BCCD: parameters, at most 2 points of mAP50, and 5.5x faster "
                   "(stretch: 8x)", sizes, drop=2.0, faster=faster)  # fmt: skip
    first = found["yolo-bccd"]
    dense = first.against("evolved", "dense")
    lost = dense or first.against_ancestor("evolved")
    if lost is None or row.status == UNKNOWN:
        return row
    tried = f"tried first, from a quarter of its width: {_told(first, {'evolved': lost}, 'times_smaller', faster)}"
    slow = found["yolo-speed"].slowest("33x-quarter")
    why = f" (a newborn one spends {100 * slow[1]:.0f} % of its time in {slow[0]})" if slow else ""
    held = "" if dense else ", against its own ancestor, trained for fewer epochs"
    return replace(row, figure=f"{row.figure}; {tried}{why}{held}")


def _unmeasured(claim: str, target: str, stretch: str, command: str) -> Verdict:
    return Verdict(claim, target, stretch, UNKNOWN, UNKNOWN, command)


def _smaller(
    here: Measured,
    claim: str,
    times: tuple[float, float],
    *,
    drop: float = 1.0,
    size: str = "times_smaller",
    ancestor: float | None = None,
    faster: tuple[float, float] = (0.0, 0.0),
) -> Verdict:
    """How small, within the drop allowed against a dense network that was trained as long, or against the ancestor
    itself, which then must reach `ancestor` percent. The headline arms are `evolved` and `evolved-Nx`; the smallest
    that is within the drop, and `faster` by that much, counts. Where the dense network is not measured yet, the figure
    says what is lost against the ancestor, and none is reached."""
    targets = [f"{value:g}x" for value in times]
    arms = ["evolved", f"evolved-{times[1]:g}x"]
    command = here.commands(",".join([*arms, "dense"] if ancestor is None else arms))
    to_ancestor = {arm: found for arm in arms if (found := here.against_ancestor(arm))}
    to_dense = {arm: found for arm in arms if (found := here.against(arm, "dense"))}
    against = to_dense if ancestor is None else to_ancestor
    if not against:
        figure = (
            f"{_told(here, to_ancestor, size, faster)} against its own ancestor, which was trained for fewer epochs"
        )
        if not to_ancestor:
            return _unmeasured(claim, *targets, command)
        quick = max(_mean(here, arm, "times_faster") for arm in to_ancestor)
        return Verdict(claim, *targets, MISSED if quick < faster[0] else UNKNOWN, figure, command, here.claim.name)
    figure = _told(here, against, size, faster)

    def reached(at: int) -> bool:
        return any(
            _mean(here, arm, size) >= 0.995 * times[at] and _mean(here, arm, "times_faster") >= faster[at]
            for arm, found in against.items()
            if found.mean >= -drop - 1e-9
        )

    status = STRETCH if reached(1) else TARGET if reached(0) else MISSED
    if ancestor is not None:
        own = statistics.mean(value for arm in arms for value in here.ancestor_test(arm).values())
        figure += f"; its ancestor has {own:.1f} %"
        status = status if own >= ancestor else MISSED
    return Verdict(claim, *targets, status, figure, command, here.claim.name)


def _told(here: Measured, against: Mapping[str, Difference], size: str, faster: tuple[float, float]) -> str:
    """Each arm's size and what was lost, and its speed where the claim speaks of it."""
    told = []
    for arm, found in against.items():
        text = f"{_mean(here, arm, size):.1f}x at {found.text()}"
        if size == "times_smaller" and (alone := _mean(here, arm, "times_smaller_convolutions")):
            text += f", {alone:.1f}x counting convolutions alone"
        told.append(text + (f", {_mean(here, arm, 'times_faster'):.1f}x faster" if any(faster) else ""))
    return "; ".join(told)


def _mean(here: Measured, arm: str, ratio: str) -> float:
    """Of a ratio over the seeds; 0 where it is not known."""
    values = list(here.chosen(arm, ratio).values())
    return geometric(values) if values else 0.0


def _shock(found: Found) -> Verdict:
    """Death list against no stress: the same epochs before the cut, the same deaths drawn, no repair."""
    claim, command = "Accuracy right after synthesis: stress minus none", ""
    told, least, late = [], [], []
    for here in found.values():
        for number in range(1, here.generations("evolved") + 1):
            ours, theirs = here.generation("evolved", number, "shock"), here.generation("waiting", number, "shock")
            seeds = sorted(set(ours) & set(theirs))
            if seeds:
                least.append(statistics.mean(ours[seed] - theirs[seed] for seed in seeds))
                told.append((here.claim.title, number, least[-1]))
        if told and told[-1][0] == here.claim.title:
            late.append(least[-1])
            command = command or here.commands("evolved,waiting")
    if not least:
        command = found["lenet-small"].commands("evolved,waiting")
        return _unmeasured(claim, "+5 points", "+20 in late generations", command)
    status = MISSED if min(least) < 5 else STRETCH if min(late) >= 20 else TARGET
    titles = dict.fromkeys(title for title, _, _ in told)
    parts = []
    for title in titles:
        values = " / ".join(f"{gain:+.1f}" for name, _, gain in told if name == title)
        parts.append(f"{title}: {values} points by generation")
    return Verdict(claim, "+5 points", "+20 in late generations", status, "; ".join(parts), command)


def best_peer(here: Measured) -> str | None:
    """The peer's arm that does best on *validation* data, over the seeds that all its arms have: chosen as our own
    networks are."""
    arms = [f"tp-{importance}-{share}" for share in SHARES for importance in IMPORTANCES]
    arms = [arm for arm in arms if here.runs(arm)]
    shared = set.intersection(*(set(here.runs(arm)) for arm in arms)) if arms else set()
    if not shared:
        return None
    return max(arms, key=lambda arm: statistics.mean(here.chosen(arm, "validation")[seed] for seed in shared))


def _peer(here: Measured) -> Verdict:
    claim = f"Final accuracy against Torch-Pruning, {here.claim.title}"
    command = here.commands(here.rival) + f" --groups {PEER}"
    arm = best_peer(here)
    against = here.against(here.rival, arm) if arm else None
    if arm is None or against is None:
        return _unmeasured(claim, "not worse", "+0.5 points", command)
    status = MISSED if against.sign < 0 else STRETCH if against.sign > 0 and against.mean >= 0.5 else TARGET
    said = here.claim.arm(arm).title.removeprefix("Torch-Pruning, ")
    alike = "" if here.rival == "evolved" else ", neither with a teacher"
    figure = f"{against.text()} against its best ({said}){alike}"
    return Verdict(claim, "not worse", "+0.5 points", status, figure, command)


def _faster(here: Measured, arm: str, claim: str, times: tuple[float, float]) -> Verdict:
    targets, command = [f"{value:g}x faster" for value in times], here.commands(arm)
    ratios = list(here.chosen(arm, "times_faster").values())
    if not ratios:
        return _unmeasured(claim, *targets, command)
    mean = geometric(ratios)
    status = MISSED if mean < times[0] else STRETCH if mean >= times[1] else TARGET
    smaller = geometric(list(here.chosen(arm, "times_smaller").values()))
    figure = f"{spread(ratios, 1)}x faster at {smaller:.1f}x fewer parameters (newborn weights: speed alone)"
    return Verdict(claim, *targets, status, figure, command)


def _recovery(here: Measured) -> Verdict:
    claim, command = "Epochs of growth to come back within 0.5 points, stress to none", here.commands("evolved,waiting")
    ratios, told = [], []
    for number in range(1, here.generations("evolved") + 1):
        ours, theirs = here.recovery("evolved", number), here.recovery("waiting", number)
        if not ours or not theirs:
            continue
        told.append(f"{shown(ours)} to {shown(theirs)}")
        if None not in (*ours, *theirs):
            ours_mean = statistics.mean(value for value in ours if value is not None)
            theirs_mean = statistics.mean(value for value in theirs if value is not None)
            ratios.append(ours_mean / theirs_mean if theirs_mean else 1.0)
    if not told:
        return _unmeasured(claim, "half", "a quarter", command)
    mean = statistics.mean(ratios) if ratios else 1.0
    status = MISSED if mean > 0.5 else STRETCH if mean <= 0.25 else TARGET
    return Verdict(claim, "half", "a quarter", status, f"by generation: {'; '.join(told)}", command, here.claim.name)


def shown(epochs: list[float | None]) -> str:
    """Mean epochs; how many never came back is said."""
    known = [value for value in epochs if value is not None]
    never = len(epochs) - len(known)
    text = f"{statistics.mean(known):.1f}" if known else "never"
    return text if not never or not known else f"{text} ({never} of {len(epochs)} never)"


def surgery(file: Path = ROOT / "benchmarks" / "results" / "surgery_table.json") -> Verdict:
    """From the table of surgery cases, which a script of its own makes."""
    claim, command = "Surgery: exact, or left whole", "python benchmarks/surgery_table.py"
    table = read_json(file)
    if table is None:
        return _unmeasured(claim, "all", "", command)
    cases, sound = table["cases"], ("exact", "left whole")
    ours, theirs = (sum(row[name]["verdict"] in sound for row in cases) for name in ("eustress", "torch-pruning"))
    figure = f"{ours} of {len(cases)} cases; Torch-Pruning {theirs} ([table](surgery.md))"
    return Verdict(claim, "all", "", TARGET if ours == len(cases) else MISSED, figure, command)
