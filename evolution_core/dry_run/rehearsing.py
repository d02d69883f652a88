"""The dry run itself: sketch the line, time a few steps, add up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ..data import Data, Split
from ..export import export_onnx
from ..life import LATENCY_SECONDS
from ..life.ancestor import make_base
from ..measurement import latency_ms
from ..spec import NetworkError, RunSpec
from .cost import Cost, Measured, disk
from .pace import Pace, gestation_pace, pace_of, progressive_share
from .report import DryRun, Range
from .sketch import Born, sketch_ancestor, sketch_line

SKETCH_SECONDS = 20.0  # for drawing later generations; the first is drawn however long it takes
PROBE_SECONDS = 1.5  # of training, for each of the networks that are timed


def dry_run(
    spec: RunSpec,
    data: Data,
    *,
    own: Path | None = None,
    weights: Path | None = None,
    threads: int = 1,
    at_once: int = 1,
    scratch: Path | None = None,
    probe_seconds: float = PROBE_SECONDS,
    check: Callable[[], None] = lambda: None,
) -> DryRun:
    """What a run of `spec` on `data` would be, without running it: some seconds, and nothing is left on disk.

    Arguments as of :func:`evolution_core.evolution.evolve`; `at_once` networks would be trained side by side. In
    `scratch` a folder is made for the while; it needs room for one network file a generation. `check` is called between
    steps; what it raises ends the dry run. Raises SpecError where the spec names a layer that the network lacks,
    NetworkError when the ancestor cannot be made or its first offspring not be cut, TrainingError when training goes
    astray at once.
    """
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="dry-run-") as folder:
        base = make_base(spec, data, own, weights)
        check()
        ancestor = sketch_ancestor(spec, base, Path(folder))
        line = sketch_line(spec, ancestor, Path(folder), seconds=SKETCH_SECONDS, check=check)
        check()
        timed = [ancestor, line.first, *([line.last] if line.last is not line.first else [])]
        latencies, finishing, note = latencies_of(timed)
        measured = _measured(timed, data, finishing, probe_seconds, check)
    sketched = [replace(one, latency_ms=latencies.get(one.id)) for one in (ancestor.sketched, *line.sketched)]
    cost = Cost(spec, measured, sketched, base.epochs)
    kept, working = disk(spec, sketched, at_once, sum(_bytes(s) for s in (data.train, data.validation, data.test)))
    paces = dict(zip(("ancestor", "first", "last"), measured.paces, strict=False))
    return DryRun(
        networks=sketched,
        generations=spec.generations,
        offspring=spec.offspring,
        drawn=len(line.sketched),
        images={"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        shape=data.shape,
        classes=len(data.classes),
        epochs=base.epochs,
        seconds=cost.whole(at_once),
        ancestor_seconds=cost.ancestor(),
        birth_seconds=[cost.birth(generation) for generation in range(1, spec.generations + 1)],
        pace={name: round(pace.images_per_second, 1) for name, pace in paces.items()},
        at_once=at_once,
        kept_bytes=kept,
        working_bytes=working,
        notes=[*base.notes, *line.notes, *([note] if note else [])],
    )


def latencies_of(timed: list[Born]) -> tuple[dict[str, float], float, str]:
    """(milliseconds for one image by network, seconds that measuring one network takes, a sentence where it cannot be
    measured because nothing can export the network)."""
    clock = time.perf_counter()
    try:
        files = {born.sketched.id: export_onnx(born.model, born.data.shape) for born in timed}
        times = latency_ms(files, seconds=LATENCY_SECONDS)
    except NetworkError as error:
        return {}, time.perf_counter() - clock, f"Latency cannot be measured: {error}"
    taken = (time.perf_counter() - clock) * 2 / len(timed)  # a run measures a network beside its ancestor
    return {name: round(value, 5) for name, value in times.items()}, taken, ""


def _measured(timed: list[Born], data: Data, finishing: float, seconds: float, check: Callable[[], None]) -> Measured:
    """Time the ancestor, its first offspring and the last that was drawn, and what the stress costs."""
    ancestor, first = timed[:2]
    spec = ancestor.work.spec
    teacher = ancestor.model if spec.distillation > 0 else None
    paces = [pace_of(ancestor, seconds=seconds, check=check)]
    paces += [pace_of(born, seconds=seconds, check=check, teacher=teacher) for born in timed[1:]]
    gestation = 1.0
    if spec.gestation > 0:
        gestation = _ratio(gestation_pace(first, seconds=seconds, check=check), paces[0])
    return Measured(
        macs=[born.sketched.macs for born in timed],
        paces=paces,
        gestation=gestation,
        birth=first.seconds,
        finishing=finishing,
        progressive=progressive_share(ancestor),
        train=len(data.train),
        validation=len(data.validation),
        test=len(data.test),
    )


def _ratio(under_stress: Range, alone: Pace) -> float:
    """How many times as long a step takes under stress; never less than one, which only chance could make it."""
    return max(1.0, (under_stress.low + under_stress.high) / (alone.training.low + alone.training.high))


def _bytes(split: Split) -> int:
    return split.images.numel() * split.images.element_size()
