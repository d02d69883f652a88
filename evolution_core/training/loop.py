"""The one training loop: every network of every task, in every phase of its life, is trained here.

It is a generator. Between two of its events a caller may evaluate the network, or stop; taken up again from the
checkpoint it goes on to the very bits it would have reached, because every random number is a function of
(seed, phase, step) and nothing depends on the clock except when it speaks and when it saves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..spec import RunSpec, TrainingError
from ..stress import Moment, Signal, combined_gain
from ..tasks import Data, Task, layouts, pixels
from . import precision
from .batches import Batches, has_batch_norm
from .checkpoint import Checkpoint, Saved
from .determinism import reproducible, reseed
from .optimizers import Optimizer
from .schedule import rate, step_count
from .sizes import SizeSchedule

INTERVAL = 0.5  # seconds of work between two events
MARKS = 50  # about so many ends of epochs are told of in one phase


@dataclass(frozen=True)
class TrainingProgress:
    """Where a phase stands: `step` of `steps` are done, `epoch` passes (a fraction). `loss` is the mean since the last
    event, `images_per_second` counts working time only. `epoch_ended`: a pass has just ended (in a long phase, not
    every one is told). `notices` are sentences for the user, in a phase's first event only."""

    phase: str
    step: int
    steps: int
    epoch: float
    loss: float
    images_per_second: float
    epoch_ended: bool = False
    notices: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """0..1 of the phase."""
        return self.step / self.steps if self.steps else 1.0


def train(
    model: nn.Module,
    task: Task,
    data: Data,
    spec: RunSpec,
    *,
    epochs: float,
    phase: str,
    seed: int,
    signals: Sequence[Signal] = (),
    teacher: nn.Module | None = None,
    masks: Mapping[str, Tensor] | None = None,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[int, float], None] | None = None,
    interval: float = INTERVAL,
) -> Iterator[TrainingProgress]:
    """Train `model` in place for `epochs` passes; yields at least once, at the end, unless there is nothing to do.

    `phase` names the schedule and the random streams (ancestor, gestation, growth); `signals` are the stress signals
    imposed; `teacher` is followed for spec.distillation of the loss; `masks` (bool, by parameter name) say which
    synapses live: the others are zero after every step. With a `checkpoint` the state is saved every so many seconds
    and when the caller closes the generator, and a saved state of the same phase is taken up first. `on_step` is
    called with (step, loss) after each. The result is bit-identical for the same arguments and thread count, however
    often it was interrupted.

    Raises TrainingError when the loss or its gradients are no finite numbers, or the data too few for the network.
    """
    training = _Training(model, task, data, spec, epochs, phase, seed, signals, teacher, masks)
    if training.steps == 0:
        return
    with reproducible():
        training.begin(checkpoint)
    saved_at = time.perf_counter()
    try:
        while True:
            with reproducible(), layouts.safe_gradients(model):
                progress = training.burst(interval, on_step)
            yield progress
            # Saved once the caller has noted what this progress brought, such as a point of the learning curve: a
            # process that is killed here and taken up again would not come by it any more.
            if checkpoint is not None and (training.done or time.perf_counter() - saved_at >= checkpoint.every):
                training.save(checkpoint)
                saved_at = time.perf_counter()
            if training.done:
                return
    except GeneratorExit:
        if checkpoint is not None:  # at the phase's very end too: the caller's notes may have grown since
            training.save(checkpoint)
        raise


@dataclass
class _Training:
    """One phase under way. All that changes is the model, the optimizer's state and `step`."""

    model: nn.Module
    task: Task
    data: Data
    spec: RunSpec
    epochs: float
    phase: str
    seed: int
    signals: Sequence[Signal]
    teacher: nn.Module | None
    masks: Mapping[str, Tensor] | None
    step: int = 0
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        alone = not has_batch_norm(self.model)
        self.batches = Batches(self.data, self.task, self.spec, phase=self.phase, seed=self.seed, alone=alone)
        self.steps = step_count(self.batches.per_epoch, self.epochs)
        self.device = next(self.model.parameters()).device
        self.layout = layouts.layout_for(self.model, self.data.shape)
        self.optimizer = Optimizer(self.model, self.spec)
        self.sizes = SizeSchedule(
            self.model, self.data.shape, self.spec, self.steps, self.teacher, phase=self.phase, seed=self.seed
        )
        self.notices += self.sizes.notices
        if self.phase == "ancestor":  # once in a run
            self.notices += precision.notices(self.spec, self.device)
        self.mark_every = max(1, math.ceil(self.steps / self.batches.per_epoch / MARKS)) * self.batches.per_epoch
        named = dict(self.model.named_parameters())
        self.masked = [(named[name], mask.to(self.device)) for name, mask in (self.masks or {}).items()]

    @property
    def done(self) -> bool:
        return self.step >= self.steps

    # -- beginning and saving

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Take up what the checkpoint holds of this phase, or start afresh."""
        saved = checkpoint.read() if checkpoint is not None else None
        if checkpoint is not None and checkpoint.reason:
            self.notices.append(f"The checkpoint was left aside: {checkpoint.reason}.")
        if saved is not None and (saved.phase, saved.seed, saved.steps) == (self.phase, self.seed, self.steps):
            self._restore(saved)
        else:
            self._mask()
        if self.done:
            self._finish()

    def _restore(self, saved: Saved) -> None:
        own = self.model.state_dict()
        if {name: value.shape for name, value in own.items()} != {n: v.shape for n, v in saved.model.items()}:
            self.notices.append("The checkpoint was left aside: it is of a network of another shape.")
            self._mask()
            return
        self.optimizer.restore(saved.optimizer, saved.numbers)
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(saved.model[name])
        self.step = saved.step

    def save(self, checkpoint: Checkpoint) -> None:
        tensors, numbers = self.optimizer.state()
        checkpoint.write(
            phase=self.phase,
            seed=self.seed,
            step=self.step,
            steps=self.steps,
            model=self.model.state_dict(),
            optimizer=tensors,
            numbers=numbers,
        )

    # -- working

    def burst(self, interval: float, on_step: Callable[[int, float], None] | None) -> TrainingProgress:
        """Steps until `interval` seconds have passed, an epoch to be told of ends, or the phase does."""
        self.model.train()
        started, first, images, total = time.perf_counter(), self.step, 0, 0.0
        marked = False
        while not (self.done or marked):
            loss, count = self._one_step()
            self.step, images, total = self.step + 1, images + count, total + loss
            if on_step is not None:
                on_step(self.step, loss)
            marked = self.step % self.mark_every == 0
            if time.perf_counter() - started >= interval:
                break
        if self.done and self.step > first:
            self._finish()
        seconds = max(time.perf_counter() - started, 1e-9)
        notices, self.notices = tuple(self.notices), []
        return TrainingProgress(
            self.phase,
            self.step,
            self.steps,
            self.step / self.batches.per_epoch,
            total / max(1, self.step - first),
            images / seconds,
            marked or self.done,
            notices,
        )

    def _one_step(self) -> tuple[float, int]:
        """One step: its loss and how many images it saw."""
        moment = Moment(self.step, self.steps, self.seed, self.phase, rate(self.step, self.steps))
        images, targets = self.batches.at(self.step)
        images = pixels.normalise(images.to(self.device), self.data.mean, self.data.std, self.layout)
        reseed(self.seed, self.phase, self.step)
        loss = self._loss(images, targets, moment)
        value = loss.item()
        if not math.isfinite(value):
            raise self._astray("the loss")
        loss.backward()
        if not math.isfinite(self.optimizer.step(moment.rate)):
            raise self._astray("the gradient of the loss")
        for signal in self.signals:
            signal.after_step(moment)
        self._mask()
        return value, len(images)

    def _loss(self, images: Tensor, targets: Any, moment: Moment) -> Tensor:
        seen = self.sizes.apply(images, self.step)
        gains = combined_gain(self.signals, self.model, moment)
        with precision.mixed(self.spec, self.device):
            outputs = torch.func.functional_call(self.model, gains, (seen,)) if gains else self.model(seen)
        outputs = outputs.float()
        share = self.spec.distillation
        if self.teacher is None or share == 0:
            return self.task.loss(outputs, targets, self.model)
        was_training = self.teacher.training
        self.teacher.eval()
        with torch.no_grad(), precision.mixed(self.spec, self.device):
            aim = self.teacher(seen if self.sizes.teacher_follows else images).float()
        self.teacher.train(was_training)
        distilled = self.task.distil(outputs, aim)
        return distilled * share + (self.task.loss(outputs, targets, self.model) * (1 - share) if share < 1 else 0)

    def _mask(self) -> None:
        with torch.no_grad():
            for parameter, mask in self.masked:
                parameter.mul_(mask)

    def _finish(self) -> None:
        moment = Moment(self.steps, self.steps, self.seed, self.phase)
        for signal in self.signals:
            signal.finish(moment)
        self._mask()

    def _astray(self, what: str) -> TrainingError:
        return TrainingError(
            f"training went astray in {self.phase}: {what} is no finite number at step {self.step + 1} "
            f"of {self.steps}; a learning rate below {self.optimizer.peak:g} may help"
        )
