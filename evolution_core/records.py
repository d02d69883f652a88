"""What is known of a network once its life has ended: a plain value, kept as JSON.

Imports no torch: the orchestrator compares and selects networks from their records alone.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANCESTOR = "ancestor"
MEASURED = "measured"
REFUSED = "refused"


@dataclass(frozen=True)
class Plan:
    """A birth to come. `id` is "ancestor", or generation-number as in "2-1"; the ancestor has no parents."""

    id: str
    generation: int
    parents: tuple[str, ...] = ()

    @property
    def is_ancestor(self) -> bool:
        return self.generation == 0


def ancestor_plan() -> Plan:
    return Plan(ANCESTOR, 0)


@dataclass(frozen=True)
class NetworkRecord:
    """One measured or refused network.

    Accuracies are fractions of the task's metric (`metric` names it: accuracy, or map50 for detection, which also
    names the keys in JSON). `parameters` counts every learnable number, `living_synapses` those that are not masked
    away (the same unless the encoding masks synapses). `macs` counts one multiply-add as one, for one image; `bytes`
    is the size of the network's tensors as saved; latencies are milliseconds that one thread works for one image,
    network and ancestor measured alternately in the same run. The `whole` latencies, of tasks that have them, include
    what follows the network on a device (a detector's decoding and suppression), on a validation image. `clusters`
    maps each layer to its count. `file` is relative to the run's directory.
    """

    id: str
    generation: int
    parents: tuple[str, ...] = ()
    status: str = MEASURED
    metric: str = "accuracy"
    validation_accuracy: float | None = None
    shock_accuracy: float | None = None
    test_accuracy: float | None = None
    chance: float | None = None
    parameters: int | None = None
    living_synapses: int | None = None
    macs: int | None = None
    bytes: int | None = None
    latency_ms: float | None = None
    ancestor_latency_ms: float | None = None
    whole_latency_ms: float | None = None
    ancestor_whole_latency_ms: float | None = None
    peak_activation_bytes: int | None = None
    clusters: dict[str, int] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    file: str | None = None
    sha256: str | None = None
    proof: dict[str, Any] | None = None
    lrn_effect: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)  # everything the task measured on validation
    test_metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)  # {"phase", "epoch", "loss", metric} in order
    seconds: dict[str, float] = field(default_factory=dict)  # wall-clock time by phase
    message: str = ""

    @property
    def is_measured(self) -> bool:
        return self.status == MEASURED

    def to_json(self) -> dict[str, Any]:
        """Plain objects only; the accuracies' keys carry the metric's name."""
        result = dataclasses.asdict(self)
        result["parents"] = list(self.parents)
        if self.metric != "accuracy":
            result = {_renamed(name, "accuracy", self.metric): value for name, value in result.items()}
        return result

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NetworkRecord:
        """The record back; unknown keys (a newer version's, a lineage's additions) are left out."""
        metric = str(value.get("metric", "accuracy"))
        known = {f.name for f in dataclasses.fields(cls)}
        plain = {_renamed(name, metric, "accuracy"): part for name, part in value.items()}
        chosen = {name: part for name, part in plain.items() if name in known}
        chosen["parents"] = tuple(chosen.get("parents", ()))
        return cls(**chosen)

    def replace(self, **changes: Any) -> NetworkRecord:
        return dataclasses.replace(self, **changes)


def _renamed(name: str, old: str, new: str) -> str:
    if name in {f"validation_{old}", f"shock_{old}", f"test_{old}"}:
        return name.removesuffix(old) + new
    return name


def measured(records: Iterable[NetworkRecord]) -> list[NetworkRecord]:
    return [record for record in records if record.is_measured]


def find_ancestor(records: Iterable[NetworkRecord]) -> NetworkRecord | None:
    return next((record for record in records if record.generation == 0), None)


def write_json(path: Path, value: Any) -> None:
    """Write atomically: whoever reads `path`, at any moment, finds the old text or the new one, whole."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, allow_nan=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def read_json(path: Path) -> Any:
    """The file's value, or None where there is no such file."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
