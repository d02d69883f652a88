"""One life under way: what it works on, what it remembers from one process to the next, and how it tells."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..data import Data
from ..events import Event
from ..lineage import record_file
from ..records import REFUSED, NetworkRecord, Plan, write_json
from ..seeds import derive
from ..spec import RunSpec
from ..stress import Moment, Signal, imposed
from ..tasks import Task, task_for
from ..training import Checkpoint, TrainingProgress, train

CURVE_IMAGES = 5000  # validation images behind each point of the learning curve; records use all of them

LATENCY_SECONDS = 3.0  # given to measuring a network's time beside its ancestor's, at most


class Work:
    """What every phase of a life shares.

    What must outlive the process is in the checkpoint's notes (plain values) and tensors, which are written with
    every save; everything else follows from spec, plan and the parents' files. `done` of the `whole` life's epochs lie
    before the phase under way: its progress is told as a share of the whole.
    """

    def __init__(
        self, spec: RunSpec, plan: Plan, data: Data, directory: Path, latency_seconds: float = LATENCY_SECONDS
    ) -> None:
        self.spec, self.plan, self.data, self.directory = spec, plan, data, Path(directory)
        self.latency_seconds = latency_seconds
        self.task: Task = task_for(data.task)
        self.seed = derive(spec.seed, "life", plan.id)
        self.checkpoint = Checkpoint(
            self.directory / f"{plan.id}.checkpoint.safetensors",
            spec,
            identity={"network": plan.id, "parents": list(plan.parents), "data": data.fingerprint},
        )
        saved = self.checkpoint.read()
        self.phase_reached = saved.phase if saved is not None else None
        if saved is not None:
            self.checkpoint.notes, self.checkpoint.tensors = dict(saved.notes), dict(saved.tensors)
        self.done, self.whole = 0.0, 1.0  # epochs before this phase, epochs of all

    # -- what is remembered

    @property
    def notes(self) -> dict[str, Any]:
        return self.checkpoint.notes

    @property
    def tensors(self) -> dict[str, Tensor]:
        return self.checkpoint.tensors

    @property
    def history(self) -> list[dict[str, Any]]:
        return self.notes.setdefault("history", [])

    @property
    def seconds(self) -> dict[str, float]:
        return self.notes.setdefault("seconds", {})

    @property
    def network_file(self) -> Path:
        return self.directory / f"{self.plan.id}.safetensors"

    # -- telling

    def event(self, kind: str, **data: Any) -> Event:
        return Event(kind, self.plan.id, data)

    def milestone(self, kind: str, **data: Any) -> Event:
        """An event that is remembered, so that a life taken up later can tell its beginning again, word for word."""
        self.notes.setdefault("milestones", {})[kind] = data
        return self.event(kind, **data)

    def told(self, kind: str) -> dict[str, Any] | None:
        """What a milestone said, here or in an earlier process; None before it."""
        return self.notes.get("milestones", {}).get(kind)

    def metrics(self, model: nn.Module, data: Data, *, limit: int | None = None) -> dict[str, float]:
        """The task's measures on the validation images."""
        return self.task.evaluate(model, data.validation, data, limit=limit)

    # -- training

    def train(
        self,
        model: nn.Module,
        data: Data,
        *,
        epochs: float,
        phase: str,
        signals: Sequence[Signal] = (),
        teacher: nn.Module | None = None,
        masks: Mapping[str, Tensor] | None = None,
    ) -> Iterator[Event]:
        """Train through one phase, telling progress and the learning curve. Raises TrainingError."""
        clock = time.perf_counter()
        for progress in train(
            model,
            self.task,
            data,
            self.spec,
            epochs=epochs,
            phase=phase,
            seed=self.seed,
            signals=signals,
            teacher=teacher,
            masks=masks,
            checkpoint=self.checkpoint,
            on_step=lambda step, loss: self._add_loss(phase, loss),
        ):
            # First remembered, then told: whoever stops at an event finds the curve whole when he comes back.
            epoch = self._epoch(progress, model, data, signals) if progress.epoch_ended else None
            for sentence in progress.notices:
                yield self.event("note", message=sentence)
            yield self._progress(progress, epochs)
            if epoch is not None:
                yield epoch
            now = time.perf_counter()
            self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - clock, 3)
            clock = now
        self.done += epochs

    def _progress(self, progress: TrainingProgress, epochs: float) -> Event:
        share = (self.done + progress.share * epochs) / self.whole
        return self.event(
            "progress",
            phase=progress.phase,
            share=round(min(1.0, share), 4),
            epoch=round(progress.epoch, 3),
            loss=round(progress.loss, 5),
            images_per_second=round(progress.images_per_second, 1),
        )

    def _add_loss(self, phase: str, loss: float) -> None:
        """Into the mean of the epoch under way."""
        running = self.notes.get("loss")
        if running is None or running["phase"] != phase:
            running = self.notes["loss"] = {"phase": phase, "total": 0.0, "steps": 0}
        running["total"] += loss
        running["steps"] += 1

    def _epoch(self, progress: TrainingProgress, model: nn.Module, data: Data, signals: Sequence[Signal]) -> Event:
        """A point of the learning curve: the mean loss since the last one, and the metric on validation images,
        of the network as stress lets it be seen. Where a phase is taken up at its very end, its last point may be
        known already."""
        place = {"phase": progress.phase, "epoch": round(progress.epoch, 3)}
        known = next((point for point in self.history if place.items() <= point.items()), None)
        if known is not None:
            return self.event("epoch", **known)
        with imposed(signals, model, Moment(max(0, progress.step - 1), progress.steps, self.seed, progress.phase)):
            metric = self.metrics(model, data, limit=CURVE_IMAGES)[self.task.metric]
        running = self.notes.pop("loss", None)
        loss = round(running["total"] / running["steps"], 5) if running else None
        point = {**place, "loss": loss, self.task.metric: metric}
        self.history.append(point)
        return self.event("epoch", **point)

    # -- ending

    def end(self, record: NetworkRecord) -> None:
        """Write the record, the last thing of a life, and drop what was under way."""
        write_json(record_file(self.directory, self.plan.id), record.to_json())
        self.checkpoint.delete()

    def refuse(self, reason: str, **known: Any) -> Event:
        """The network ends here; the run goes on without it."""
        record = NetworkRecord(
            self.plan.id,
            self.plan.generation,
            self.plan.parents,
            status=REFUSED,
            metric=self.task.metric,
            message=reason,
            history=list(self.history),
            seconds=dict(self.seconds),
            **known,
        )
        self.end(record)
        return self.event("refused", reason=reason)
