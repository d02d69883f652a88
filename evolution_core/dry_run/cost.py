"""From measured paces to a whole run: seconds, as a range, and bytes on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..life.offspring import epochs_of
from ..life.work import CURVE_IMAGES
from ..spec import RunSpec
from ..training.loop import MARKS
from .pace import Pace
from .report import Range, Sketched

# Around the quartiles of the measured steps: a machine that idles later, and one that has other work beside it.
FASTEST, SLOWEST = 0.9, 1.25
# Networks trained side by side share caches and memory, so that each is slower than the one that was measured alone.
CROWDED = 1.3
OPTIMIZER_COPIES = 2  # of the parameters, at most: AdamW's two moments
CHECKPOINTED = 1 + OPTIMIZER_COPIES


@dataclass(frozen=True)
class Measured:
    """What the arithmetic starts from. `paces` are of networks with `macs` multiply-adds, in any order; `gestation`
    is training under stress, in units of the parent's training without it; `birth` the seconds that drawing, cutting
    and proving take; `finishing` those that measuring a grown network takes; `progressive` the share of full-size work
    that progressive image sizes leave."""

    macs: Sequence[int]
    paces: Sequence[Pace]
    gestation: float
    birth: float
    finishing: float
    progressive: float
    train: int
    validation: int
    test: int


class Cost:
    """Seconds of each part of a run."""

    def __init__(self, spec: RunSpec, measured: Measured, line: Sequence[Sketched], ancestor_epochs: float):
        self.spec, self.measured, self.line, self.ancestor_epochs = spec, measured, line, ancestor_epochs

    def ancestor(self) -> Range:
        macs = self.line[0].macs
        learning = self._training(macs, self.ancestor_epochs)
        return learning + self._evaluating(macs, _marks(self.ancestor_epochs), 1) + _certain(self.measured.finishing)

    def birth(self, generation: int) -> Range:
        """One offspring of that generation."""
        epochs = epochs_of(self.spec, generation)
        parent, child = self._macs(generation - 1), self._macs(generation)
        seconds = self._training(parent, epochs.gestation).times(self.measured.gestation)
        seconds += self._training(child, epochs.growth)
        seconds += self._evaluating(parent, _marks(epochs.gestation), 0)
        seconds += self._evaluating(child, _marks(epochs.growth), 2)  # and at the shock, and at the end
        return seconds + _certain(self.measured.birth) + self._candidates(child) + _certain(self.measured.finishing)

    def whole(self, at_once: int) -> Range:
        """The run with `at_once` networks trained side by side; generations wait for each other."""
        side_by_side = min(at_once, self.spec.offspring)
        turns = math.ceil(self.spec.offspring / side_by_side)
        births = Range()
        for generation in range(1, self.spec.generations + 1):
            births += self.birth(generation).times(turns)
        if side_by_side > 1:
            births = Range(births.low, births.high * CROWDED)
        tested = self.measured.test * (self._evaluation(self._macs(0)) + self._evaluation(self._macs(10**6)))
        return self.ancestor() + births + _certain(tested)

    def _macs(self, generation: int) -> int:
        """Generations that were not drawn are taken to be as large as the last that was."""
        return self.line[min(generation, len(self.line) - 1)].macs

    def _training(self, macs: int, epochs: float) -> Range:
        images = epochs * self.measured.train * self.measured.progressive
        low = self._between(macs, [pace.training.low for pace in self.measured.paces])
        high = self._between(macs, [pace.training.high for pace in self.measured.paces])
        return Range(low * images * FASTEST, high * images * SLOWEST)

    def _evaluation(self, macs: int) -> float:
        return self._between(macs, [pace.evaluation for pace in self.measured.paces])

    def _evaluating(self, macs: int, curve: int, whole: int) -> Range:
        """`curve` points of a learning curve and `whole` passes over the validation images."""
        images = curve * min(self.measured.validation, CURVE_IMAGES) + whole * self.measured.validation
        return _certain(images * self._evaluation(macs))

    def _candidates(self, macs: int) -> Range:
        if self.spec.candidates == 1:
            return Range()
        images = min(self.spec.repair_images, self.measured.train)
        return _certain(self.spec.candidates * (self.measured.birth + images * self._evaluation(macs)))

    def _between(self, macs: int, values: Sequence[float]) -> float:
        """Linear in multiply-adds between the networks that were measured, level outside."""
        known = sorted(zip(self.measured.macs, values, strict=True))
        return float(np.interp(macs, [x for x, _ in known], [y for _, y in known]))


def _certain(seconds: float) -> Range:
    return Range(seconds * FASTEST, seconds * SLOWEST)


def _marks(epochs: float) -> int:
    """Points of a learning curve in a phase of so many epochs."""
    return min(math.ceil(epochs), MARKS)


def disk(spec: RunSpec, line: Sequence[Sketched], at_once: int, image_bytes: int) -> tuple[int, int]:
    """(bytes that stay: every network's file; bytes that a run needs on top while it goes on: a working copy of the
    files, checkpoints of the networks under way, and the images as they are read)."""
    last = len(line) - 1
    files = [line[min(generation, last)].file_bytes for generation in range(spec.generations + 1)]
    kept = files[0] + spec.offspring * sum(files[1:])
    checkpoints = min(at_once, spec.offspring) * CHECKPOINTED * max(network.bytes for network in line)
    return kept, kept + checkpoints + image_bytes
