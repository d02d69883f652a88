"""The page's first paragraph: what was found, the unwelcome too, in words that the figures choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .comparing import Difference, geometric
from .reading import Measured
from .verdicts import MISSED, STRETCH, TARGET, UNKNOWN, Verdict

HOW = (
    "Every figure on this page comes from a file in `benchmarks/results/claims/`, one for each arm and seed, and the",
    "page is written from them by `python -m benchmarks.claims report`. The protocol: equal epochs for all that is",
    "compared; a dense network trained as long; seeds that no setting was tried out on; the final network chosen on",
    "validation images and the test set opened for it once; sizes are of physically smaller networks, without masked",
    "zeros; speed is measured in ONNX Runtime on one thread, in turns with the ancestor. Figures are mean ± standard",
    "deviation over seeds; intervals are of Student's t over paired differences. A command beside a figure gets it",
    "again, or goes on where it was cut off: what has a result is skipped.",
)
HISTORY = ()
STUDIES = ("lenet-mnist", "lenet-fashion", "lenet-small", "alexnet-cifar", "resnet20-cifar", "yolo-bccd")


def summary(found: Mapping[str, Measured], rows: Sequence[Verdict]) -> str:
    """One paragraph: how many claims hold, then for each study what the controls say."""
    count = {status: sum(row.status == status for row in rows) for status in (TARGET, STRETCH, MISSED, UNKNOWN)}
    sentences = [
        f"Of {len(rows)} claims, {count[STRETCH]} reach their stretch, {count[TARGET]} their target, {count[MISSED]} "
        f"miss it, and {count[UNKNOWN]} are not measured yet."
    ]
    for name in STUDIES:
        here = found[name]
        if here.test("evolved"):
            sentences += list(_study(here))
    return " ".join(sentences)


def _study(here: Measured) -> Iterator[str]:
    smaller = geometric(list(here.chosen("evolved", "times_smaller").values()))
    dense = here.against("evolved", "dense")
    held = f", {dense.text()} against dense" if dense is not None else ""
    yield f"**{here.claim.title}**: {smaller:.0f} times smaller{held}."
    for control, words in _RIVALS.items():
        yield from _said(here, control, words)


_RIVALS = {
    "scratch": "the same architecture trained from scratch for as long",
    "narrowed": "a uniformly narrowed ancestor of the same size, trained as long",
    "once-stress": "one cut after the same stress, without generations",
    "plain": "generations without stress",
    "repair": "generations with repair and no stress",
    "once-repair": "one cut with repair, without generations or stress",
}


def _said(here: Measured, control: str, words: str) -> Iterator[str]:
    against = here.against("evolved", control)
    if against is not None:
        yield f"{_verb(against)} {words} ({against.text()})."


def _verb(against: Difference) -> str:
    if against.half is None:
        return "One seed only, against"
    return {1: "It beats", 0: "It is **no better** than", -1: "It is **worse** than"}[against.sign]
