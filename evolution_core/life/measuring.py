"""The end of a life: the network is written, measured beside its ancestor, and its record is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data import Data
from ..events import Event
from ..export import export_onnx
from ..genome import ClusterMap, Genome, LoadedNetwork, load_network, save_network
from ..measurement import Measurement, latency_ms, measure
from ..measurement.counts import count_bytes, count_parameters, walk
from ..records import ANCESTOR, NetworkRecord
from ..spec import NetworkError
from ..synthesis import cut, living_synapses
from .work import Work

Cost = Callable[[Tensor], float]


def network_path(directory: Path, network: str) -> Path:
    return Path(directory) / f"{network}.safetensors"


def finish(
    work: Work,
    model: nn.Module,
    clusters: ClusterMap,
    genome: Genome,
    data: Data,
    masks: dict[str, Tensor],
    **known: Any,
) -> Event:
    """Save, measure, record. `known` are fields of the record that synthesis found."""
    metrics = work.metrics(model, data)
    save_network(work.network_file, model, genome.of(clusters, model), masks)
    found, message = _measured(work, model, genome.shape)
    whole = _whole_latency(work, model, genome, data)
    parameters = found.parameters
    record = NetworkRecord(
        work.plan.id,
        work.plan.generation,
        work.plan.parents,
        metric=work.task.metric,
        validation_accuracy=metrics[work.task.metric],
        metrics=metrics,
        chance=work.task.chance(data),
        parameters=parameters,
        living_synapses=living_synapses(model, masks),
        macs=found.macs,
        bytes=found.bytes,
        latency_ms=_milliseconds(found.latency_ms),
        ancestor_latency_ms=_milliseconds(found.ancestor_latency_ms),
        whole_latency_ms=whole.get("network"),
        ancestor_whole_latency_ms=whole.get("ancestor"),
        peak_activation_bytes=found.peak_activation_bytes,
        clusters=clusters.counts(),
        layers=found.layers,
        file=work.network_file.name,
        sha256=hashlib.sha256(work.network_file.read_bytes()).hexdigest(),
        history=list(work.history),
        seconds=dict(work.seconds),
        message=message,
        **known,
    )
    work.end(record)
    return work.event("measured", record=record.to_json())


def _milliseconds(value: float) -> float | None:
    return round(value, 5) if value == value else None


def _measured(work: Work, model: nn.Module, shape: tuple[int, int, int]) -> tuple[Measurement, str]:
    """Every cost; and a sentence where time could not be measured, because nothing can export the network."""
    try:
        ancestor = None if work.plan.is_ancestor else ancestor_onnx(work.directory)
        return measure(model, shape, ancestor, seconds=work.latency_seconds), ""
    except NetworkError as error:
        counted, never = walk(model, shape), float("nan")
        costs = Measurement(
            count_parameters(model), counted.macs, count_bytes(model), counted.peak_bytes, never, never, counted.rows
        )
        return costs, f"Its latency could not be measured: {error}"


def _whole_latency(work: Work, model: nn.Module, genome: Genome, data: Data) -> dict[str, float]:
    """Milliseconds with what follows the network on a device, for it and its ancestor in turns, on the first
    validation image; nothing where nothing follows, or where it cannot be exported."""
    try:
        own = work.task.deployed(model, genome)
        if own is None:
            return {}
        networks = {"network": own}
        if not work.plan.is_ancestor:
            ancestor = load_network(network_path(work.directory, ANCESTOR))
            networks["ancestor"] = work.task.deployed(ancestor.model, ancestor.genome) or own
        image = data.validation.images[:1].float().numpy()
        times = latency_ms(networks, seconds=1.0, image=image)
    except NetworkError:
        return {}
    times.setdefault("ancestor", times["network"])
    return {name: round(value, 5) for name, value in times.items()}


def ancestor_onnx(directory: Path) -> bytes:
    loaded = load_network(network_path(directory, ANCESTOR))
    return export_onnx(loaded.model, loaded.genome.shape)


class LatencyCost:
    """Milliseconds of the network that a draw would leave: what the resource "latency" counts.

    Each is measured in turns with the parent, and given in units of one time taken of the parent, so that the
    machine's pace from one moment to the next cancels out. The same counts are measured once. Where `mated` names
    parents and their weights, the whole is their weighted mean, not what their union takes.
    """

    def __init__(
        self,
        parent: nn.Module,
        clusters: ClusterMap,
        shape: tuple[int, int, int],
        directory: Path,
        mated: Sequence[tuple[nn.Module, float]] = (),
    ) -> None:
        self.parent, self.clusters, self.shape = parent, clusters, shape
        self.parent_onnx = export_onnx(parent, shape)
        networks = {"parent": self.parent_onnx, "ancestor": ancestor_onnx(directory)}
        networks |= {f"mate {number}": export_onnx(model, shape) for number, (model, _) in enumerate(mated)}
        times = latency_ms(networks, seconds=1.0)
        self.parent_ms, self.ancestor_ms = times["parent"], times["ancestor"]
        self.whole_ms = self.parent_ms
        if mated:
            self.whole_ms = sum(weight * times[f"mate {number}"] for number, (_, weight) in enumerate(mated))
        self.known: dict[tuple[int, ...], float] = {}

    def __call__(self, alive: Tensor) -> float:
        key = tuple(self.clusters.counts(alive).values())
        if key not in self.known:
            if bool(alive.all()):
                return self.whole_ms
            child = export_onnx(cut(self.parent, self.clusters, alive), self.shape)
            times = latency_ms({"parent": self.parent_onnx, "child": child}, seconds=0.5)
            self.known[key] = times["child"] / times["parent"] * self.parent_ms
        return self.known[key]


def open_test_of(record: NetworkRecord, loaded: LoadedNetwork, task: Any, data: Data) -> NetworkRecord:
    """The record with what the task measures on the test images."""
    with torch.no_grad():
        metrics = task.evaluate(loaded.model, data.test, data)
    return replace(record, test_accuracy=metrics[task.metric], test_metrics=metrics)
