"""The page's first paragraph: what was found, the unwelcome too, in words that the figures choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .comparing import Difference, geometric
from .reading import Measured
from .verdicts import MISSED, STRETCH, TARGET, UNKNOWN, Verdict

HOW = (
    "Every figure on this page comes from a file in `benchmarks/results/claims/`, one for each arm and seed, and the",
    "page is written from them by `python -m benchmarks.claims report`. The protocol: equal epochs for all that is",
    "compared; a dense network trained as long; the final network chosen on validation images and the test set opened",
    "for it once; settings of an arm tried out on other seeds than those reported; sizes are of physically smaller",
    "networks; speed is measured in ONNX Runtime on one thread, in turns with the ancestor. Figures are mean ±",
    "standard deviation over seeds; intervals are of Student's t over paired differences, not corrected for their",
    "number: of twenty, one may miss 0 by chance. A command beside a figure gets it again, or goes on where it was",
    "cut off: what has a result is skipped.",
    "",
    "What departs from the protocol: two defaults of the product, a fifth of a birth in gestation and no layer below",
    "four clusters, were chosen from the ablation's figures, test accuracy among them, on images and seeds that it",
    "shares with *LeNet-5 on a part of Fashion-MNIST*. Fashion-MNIST's target was missed at first on the seeds that",
    "are reported (`unled`); distillation was then chosen on another seed, and these were run again. YOLOv2 begins at",
    "half of its width because a quarter, measured first on the same seed, was too slow and lost 2.9 points. AlexNet-",
    "small is held against its own ancestor, trained for fewer epochs than the line of descent had in all, because",
    "the dense network for as long would take hours; its settings were made short after a first look at how long they",
    "take, and its ancestor was trained before Muon multiplied in bfloat16, its arms after.",
)
STUDIES = (
    "lenet-mnist",
    "lenet-fashion",
    "lenet-small",
    "ablation",
    "alexnet-cifar",
    "resnet20-cifar",
    "yolo-half",
    "yolo-bccd",
)

# What generations with stress are held against: the sentence's words, and the table's.
_RIVALS = {
    "scratch": ("the same architecture trained from scratch for as long", "from scratch"),
    "narrowed": ("a uniformly narrowed ancestor of about the same size, trained as long", "narrowed"),
    "once-stress": ("one cut after the same stress", "one cut, stress"),
    "plain": ("generations without stress", "no stress"),
    "repair": ("generations with repair instead of stress", "repair"),
    "once-repair": ("one cut with repair", "one cut, repair"),
}
_MARKS = {1: "better", 0: "level", -1: "worse"}


def summary(found: Mapping[str, Measured], rows: Sequence[Verdict]) -> Iterator[str]:
    """How many claims hold and what the controls say, in one paragraph; then the controls setting by setting."""
    count = {status: sum(row.status == status for row in rows) for status in (TARGET, STRETCH, MISSED, UNKNOWN)}
    studies = [found[name] for name in STUDIES if found[name].test("evolved")]
    counted = (
        f"Of {len(rows)} claims: stretch reached by {count[STRETCH]}, target by {count[TARGET]}, missed by "
        f"{count[MISSED]}{f', not measured yet {count[UNKNOWN]}' if count[UNKNOWN] else ''}."
    )
    against = "; ".join(_against_all(studies))
    if against:
        counted += (
            f" At equal epochs and nearly equal size, generations with stress end {against}. A difference counts where "
            "its 95 % interval does not hold 0. Level means that no difference could be shown, not that there is none: "
            f"intervals reach up to {_widest(studies):.1f} points to either side of the mean, and all of these "
            f"settings are {_settings(studies)}."
        )
    yield counted
    if not studies:
        return
    yield ""
    yield from _table(studies)


def _against_all(studies: Sequence[Measured]) -> Iterator[str]:
    for control, (words, _) in _RIVALS.items():
        signs = [against.sign for here in studies if (against := _sure(here, control)) is not None]
        if signs:
            tally = ", ".join(f"{mark} in {signs.count(sign)}" for sign, mark in _MARKS.items() if sign in signs)
            yield f"{tally} of {len(signs)} settings against **{words}**"


def _widest(studies: Sequence[Measured]) -> float:
    halves = [found.half for here in studies for control in _RIVALS if (found := _sure(here, control)) and found.half]
    return max(halves, default=0.0)


def _settings(studies: Sequence[Measured]) -> str:
    titles = [here.claim.title for here in studies if any(_sure(here, control) for control in _RIVALS)]
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


def _ours(here: Measured, control: str) -> str:
    """Our arm that a control is held against: networks from scratch learn from labels alone, and so must it."""
    return here.rival if control in ("scratch", "narrowed") else "evolved"


def _sure(here: Measured, control: str) -> Difference | None:
    """Of two seeds and more."""
    against = here.against(_ours(here, control), control)
    return against if against is not None and against.half is not None else None


def _table(studies: Sequence[Measured]) -> Iterator[str]:
    heads = ["", "smaller", "against dense", *(short for _, short in _RIVALS.values())]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for here in studies:
        smaller = geometric(list(here.chosen("evolved", "times_smaller").values()))
        cells = [f"{smaller:.1f}x", *(_cell(here, control) for control in ("dense", *_RIVALS))]
        yield f"| {here.claim.title} | {' | '.join(cells)} |"
    yield ""
    yield (
        "*Test points of generations with stress minus those of the column, paired by seed. Where those have a "
        "teacher, controls from scratch, which have none, are held against generations without one (`unled`).*"
    )


def _cell(here: Measured, control: str) -> str:
    against = here.against(_ours(here, control), control)
    if against is None:
        return ""
    word = f"{_MARKS[against.sign]}: " if against.half is not None and control != "dense" else ""
    larger = here.larger(control, _ours(here, control)) if control != "dense" else ""
    return f"{word}{against.short()}{larger}{'' if against.seeds > 1 else ', one seed'}"
