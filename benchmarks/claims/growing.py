"""Training a network that no genome of ours describes, in the engine's own loop, so that it can be cut off anywhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from evolution_core.data import Data
from evolution_core.life.work import CURVE_IMAGES
from evolution_core.measurement import measure
from evolution_core.records import NetworkRecord
from evolution_core.spec import RunSpec
from evolution_core.tasks import task_for
from evolution_core.training import Checkpoint, train

from .ancestors import LATENCY


@dataclass(frozen=True)
class Growth:
    """What a training came to: the metric on all validation images, its learning curve, and working seconds."""

    validation: float
    history: list[dict[str, Any]]
    seconds: float


def grow(model: nn.Module, data: Data, spec: RunSpec, *, epochs: float, seed: int, checkpoint: Path) -> Growth:
    """Train `model` in place for `epochs`, in the order of images that `seed` fixes. Taken up where it was cut off:
    called again once it has ended, it gives the same weights back from `checkpoint`."""
    task = task_for(data.task)
    keep = Checkpoint(checkpoint, spec, identity={"network": checkpoint.name, "data": data.fingerprint})
    saved = keep.read()
    keep.notes = dict(saved.notes) if saved is not None else {"history": [], "seconds": 0.0}
    history: list[dict[str, Any]] = keep.notes["history"]
    clock = time.perf_counter()
    for progress in train(model, task, data, spec, epochs=epochs, phase="growth", seed=seed, checkpoint=keep):
        now = time.perf_counter()
        keep.notes["seconds"] += now - clock
        clock = now
        epoch = round(progress.epoch, 3)
        if progress.epoch_ended and epoch not in [point["epoch"] for point in history]:
            score = task.evaluate(model, data.validation, data, limit=CURVE_IMAGES)[task.metric]
            history.append({"phase": "growth", "epoch": epoch, "loss": round(progress.loss, 5), task.metric: score})
            clock = time.perf_counter()
    found = task.evaluate(model, data.validation, data)
    return Growth(found[task.metric], history, round(keep.notes["seconds"], 3))


def recorded(model: nn.Module, data: Data, growth: Growth) -> NetworkRecord:
    """Measure it and open the test set for it."""
    task = task_for(data.task)
    found = measure(model, data.shape, seconds=LATENCY)
    return NetworkRecord(
        "alone",
        0,
        metric=task.metric,
        validation_accuracy=growth.validation,
        test_accuracy=task.evaluate(model, data.test, data)[task.metric],
        parameters=found.parameters,
        living_synapses=found.parameters,
        macs=found.macs,
        bytes=found.bytes,
        latency_ms=round(found.latency_ms, 5),
        layers=found.layers,
        history=growth.history,
        seconds={"growth": growth.seconds},
    )
