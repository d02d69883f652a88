"""One life, from its plan to its record: the unit of work that processes share out among themselves.

A life needs its plan, the data, and a directory that holds its parents' and the ancestor's files; siblings do not know
of each other. It can be stopped after any event or killed at any moment: lived again with the same arguments it goes on
from its checkpoint and ends with the same network, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from ..data import Data
from ..events import Event
from ..genome import load_network
from ..lineage import read_record
from ..records import NetworkRecord, Plan
from ..spec import RunSpec
from ..tasks import task_for
from .ancestor import make_base
from .images import seen_as
from .measuring import finish, network_path, open_test_of
from .offspring import Birth
from .work import LATENCY_SECONDS, Work


class Life:
    """The life of the network that `plan` names, in `directory`.

    `own` is the user's ONNX file of a spec that names one, `weights` the safetensors file; only the ancestor needs
    them. `threads` is set for the whole process: with spec, data and plan it fixes every bit of the network.
    `latency_seconds` is the time given to measuring its pace; what it was worth changes nothing else.
    """

    def __init__(
        self,
        spec: RunSpec,
        plan: Plan,
        data: Data,
        directory: Path,
        *,
        own: Path | None = None,
        weights: Path | None = None,
        threads: int = 1,
        latency_seconds: float = LATENCY_SECONDS,
    ) -> None:
        self.latency_seconds = latency_seconds
        self.spec, self.plan, self.data, self.directory = spec, plan, data, Path(directory)
        self.own, self.weights, self.threads = own, weights, threads

    def events(self) -> Iterator[Event]:
        """Live it, telling every event; the last is `measured` or `refused`, and the record is written before it.

        A life that has ended tells its end again. Raises NetworkError, SpecError or TrainingError when the ancestor
        cannot be made, NetworkError when a parent's file cannot be read.
        """
        known = read_record(self.directory, self.plan.id)
        if known is not None:
            yield _end_of(known)
            return
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        self.directory.mkdir(parents=True, exist_ok=True)
        work = Work(self.spec, self.plan, self.data, self.directory, self.latency_seconds)
        if self.plan.is_ancestor:
            yield from self._ancestor(work)
        else:
            yield from Birth(work).events()

    def _ancestor(self, work: Work) -> Iterator[Event]:
        base = make_base(self.spec, self.data, self.own, self.weights)
        work.whole = max(base.epochs, 1e-9)
        yield work.milestone("born", generation=0, parents=[], epochs=base.epochs)
        for sentence in base.notes:
            yield work.event("note", message=sentence)
        if base.epochs > 0:
            yield from work.train(base.model, base.data, epochs=base.epochs, phase="ancestor")
        yield finish(work, base.model, base.clusters, base.genome, base.data, {})


def _end_of(record: NetworkRecord) -> Event:
    if record.is_measured:
        return Event("measured", record.id, {"record": record.to_json()})
    return Event("refused", record.id, {"reason": record.message})


def open_test(spec: RunSpec, record: NetworkRecord, data: Data, directory: Path) -> NetworkRecord:
    """The record with its network's measures on the test images: for the ancestor and the chosen network, at the end.

    Raises NetworkError when the network's file cannot be read.
    """
    loaded = load_network(network_path(directory, record.id))
    seen = seen_as(data, loaded.genome.mean, loaded.genome.std)
    return open_test_of(record, loaded, task_for(data.task), seen)
