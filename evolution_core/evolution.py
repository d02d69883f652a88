"""The loop: ask what is born next, let it live, tell what became of it; then choose and open the test set once.

Everything true is in the directory (see :mod:`.lineage`), so the loop can be stopped after any event, or killed
at any moment, and called again with the same arguments: it goes on and ends with the same networks, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from . import lineage
from .data import Data
from .events import Event
from .life import LATENCY_SECONDS, Life, open_test
from .records import ANCESTOR, NetworkRecord, write_json
from .selection import choose, hypervolumes, next_plans
from .spec import RunSpec


def evolve(
    spec: RunSpec,
    data: Data,
    out: Path,
    *,
    own: Path | None = None,
    weights: Path | None = None,
    threads: int = 1,
    source: Path | None = None,
    latency_seconds: float = LATENCY_SECONDS,
) -> Iterator[Event]:
    """Run `spec` on `data` into the folder `out`, telling every event.

    `own` is the ONNX file of a spec whose architecture is "own", `weights` the safetensors file of one that brings
    weights. `threads` sets PyTorch's thread count; with spec and data it fixes every bit of the networks. `source`,
    where the data lie, is remembered for whoever resumes the run; `latency_seconds` is the time given to measuring each
    network's pace. Raises SpecError when `out` holds anything but this very run, NetworkError when the ancestor cannot
    be made, EustressError when another process evolves there.
    """
    out = Path(out)
    places = {name: str(Path(path).resolve()) if path else None for name, path in _named(source, own, weights)}
    lineage.claim(out, spec, {**places, "fingerprint": data.fingerprint, "threads": threads})
    with lineage.locked(out):
        torch.set_num_threads(threads)
        yield Event("started", "", {"spec": spec.to_json(), "threads": threads, "data": describe(data)})
        yield from _Run(spec, data, out, own, weights, threads, latency_seconds).events()


def _named(source: Path | None, own: Path | None, weights: Path | None) -> Iterator[tuple[str, Path | None]]:
    yield from (("data", source), ("own", own), ("weights", weights))


def describe(data: Data) -> dict[str, Any]:
    """The data in a few figures: what a lineage says of them."""
    return {
        "task": data.task,
        "classes": list(data.classes),
        "shape": list(data.shape),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "fingerprint": data.fingerprint,
    }


class _Run:
    def __init__(
        self,
        spec: RunSpec,
        data: Data,
        out: Path,
        own: Path | None,
        weights: Path | None,
        threads: int,
        latency_seconds: float,
    ) -> None:
        self.spec, self.data, self.out = spec, data, out
        self.own, self.weights, self.threads = own, weights, threads
        self.latency_seconds = latency_seconds
        self.records: list[NetworkRecord] = []

    def events(self) -> Iterator[Event]:
        while plans := next_plans(self.spec, self.records):
            for plan in plans:
                known = lineage.read_record(self.out, plan.id)
                if known is None:
                    yield from Life(
                        self.spec,
                        plan,
                        self.data,
                        self.out,
                        own=self.own,
                        weights=self.weights,
                        threads=self.threads,
                        latency_seconds=self.latency_seconds,
                    ).events()
                    known = lineage.read_record(self.out, plan.id)
                    assert known is not None
                self.records.append(known)
                self._write(None)
            yield self._generation(plans[0].generation)
        yield from self._finish()

    def _generation(self, generation: int) -> Event:
        born = [record.id for record in self.records if record.generation == generation]
        volume = hypervolumes(self.spec, self.records)
        return Event(
            "generation",
            "",
            {"generation": generation, "networks": born, "hypervolume": volume[-1] if volume else None},
        )

    def _finish(self) -> Iterator[Event]:
        """Choose on validation data alone; only then is the test set opened, for the ancestor and the chosen one."""
        chosen = choose(self.spec, self.records)
        for index, record in enumerate(self.records):
            if record.id not in (ANCESTOR, chosen) or not record.is_measured:
                continue
            if record.test_accuracy is None:
                record = open_test(self.spec, record, self.data, self.out)
                write_json(lineage.record_file(self.out, record.id), record.to_json())
                self.records[index] = record
            yield Event("tested", record.id, dict(record.test_metrics))
        self._write(chosen)
        yield Event("finished", "", lineage.summary(self.records, chosen))

    def _write(self, chosen: str | None) -> None:
        lineage.write_lineage(self.out, self.spec, self.records, chosen, threads=self.threads, data=describe(self.data))
