"""How fast networks train on this machine: a few steps of the real loop, timed."""

from __future__ import annotations

import contextlib
import copy
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn

from ..life.birth import signals_for
from ..training import TrainingProgress, train
from ..training.sizes import accepts
from .report import Range
from .sketch import Born

LEAST_STEPS = 3  # timed, unless a single one takes longer than the whole probe may
EVALUATED = 256  # validation images that an evaluation is timed on


@dataclass(frozen=True)
class Pace:
    """Seconds for one image: in training (a range: the quartiles of its steps), and in evaluation."""

    training: Range
    evaluation: float

    @property
    def images_per_second(self) -> float:
        middle = (self.training.low + self.training.high) / 2
        return 1.0 / middle if middle > 0 else 0.0


def pace_of(born: Born, *, seconds: float, check: Callable[[], None], teacher: nn.Module | None = None) -> Pace:
    """Train a copy of the network as in growth, and evaluate it, for about `seconds`."""
    phase = "growth" if born.parent is not None else "ancestor"
    steps = _train(born, copy.deepcopy(born.model), phase, seconds, check, teacher=teacher)
    validation = born.data.validation
    count = min(EVALUATED, len(validation))
    clock = time.perf_counter()
    if count:
        born.work.task.evaluate(born.model, validation, born.data, limit=count)
    return Pace(_quartiles(steps), (time.perf_counter() - clock) / count if count else 0.0)


def gestation_pace(born: Born, *, seconds: float, check: Callable[[], None]) -> Range:
    """Seconds for one image while a copy of the parent trains under the spec's stress, before `born` is cut from it."""
    assert born.parent is not None
    assert born.alive is not None
    model = copy.deepcopy(born.parent.model)
    signals = signals_for(born.work, born.parent, model, born.alive)
    return _quartiles(_train(born, model, "gestation", seconds, check, signals=signals))


def _train(
    born: Born,
    model: nn.Module,
    phase: str,
    seconds: float,
    check: Callable[[], None],
    *,
    signals: Sequence = (),
    teacher: nn.Module | None = None,
) -> list[float]:
    """Seconds an image of each timed step. The first is left out: it warms caches and memory up.

    Images are full-size from the first step: what smaller ones spare follows from their size. Raises TrainingError.
    """
    spec = born.work.spec.replace(progressive_size=None)
    times: list[float] = []
    clock = started = time.perf_counter()

    def stepped(_step: int, _loss: float) -> None:
        nonlocal clock
        now = time.perf_counter()
        times.append(now - clock)
        clock = now

    training = train(
        model,
        born.work.task,
        born.data,
        spec,
        epochs=max(spec.epochs, 1.0),
        phase=phase,
        seed=born.work.seed,
        signals=signals,
        teacher=teacher,
        masks=born.masks if phase == "growth" else None,
        on_step=stepped,
        interval=min(0.25, seconds),
    )
    images = 1.0  # a step
    with contextlib.closing(cast(Generator[TrainingProgress, None, None], training)):
        for progress in training:
            check()
            images = progress.epoch * len(born.data.train) / progress.step
            clock = time.perf_counter()
            spent = clock - started
            if spent >= seconds and (len(times) > LEAST_STEPS or spent >= 4 * seconds):
                break
    return [taken / images for taken in (times[1:] or times)]


def _quartiles(times: list[float]) -> Range:
    if len(times) < 4:
        return Range(min(times), max(times))
    low, _, high = statistics.quantiles(times, n=4)
    return Range(low, high)


def progressive_share(born: Born) -> float:
    """What share of the full-size work is left when training starts on small images (1 where it does not)."""
    spec, shape = born.work.spec, born.data.shape
    size = spec.progressive_size
    if size is None or size >= min(shape[1:]) or not accepts(born.model, shape, size):
        return 1.0
    return 1.0 - spec.progressive_share * (1.0 - (size / min(shape[1:])) ** 2)
