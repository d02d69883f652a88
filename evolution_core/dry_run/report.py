"""What a dry run found, as plain values. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Range:
    """From `low` to `high` seconds."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Sketched:
    """A network that a run would hold, before it has learnt anything.

    `layers` maps each layer to its clusters; `macs` counts one multiply-add as one, for one image; `bytes` are the
    network's tensors as saved, `file_bytes` its whole file. `living_synapses` are the parameters that no mask silences.
    `budget` says what the environment allowed and what was reached, in the resource's own unit. `latency_ms` is the
    time of one image on one thread, all networks in turns; None where it was not measured.
    """

    id: str
    generation: int
    parameters: int
    living_synapses: int
    macs: int
    bytes: int
    file_bytes: int
    layers: dict[str, int]
    budget: dict[str, Any] = field(default_factory=dict)
    latency_ms: float | None = None


@dataclass(frozen=True)
class DryRun:
    """Networks of the leading line, the ancestor first, one a generation; `drawn` of `generations` were drawn.

    `seconds` is the whole run's time with `at_once` networks trained side by side; `ancestor_seconds` and
    `birth_seconds` (one offspring of each generation) are its parts. `pace` is images per second in training:
    of the ancestor, of the first offspring, of the last that was drawn. `kept_bytes` stay when the run has ended,
    `working_bytes` are needed on top while it goes on. `images` counts train, validation and test.
    """

    networks: list[Sketched]
    generations: int
    offspring: int
    drawn: int
    images: dict[str, int]
    shape: tuple[int, int, int]
    classes: int
    epochs: float
    seconds: Range
    ancestor_seconds: Range
    birth_seconds: list[Range]
    pace: dict[str, float]
    at_once: int
    kept_bytes: int
    working_bytes: int
    notes: list[str] = field(default_factory=list)

    @property
    def ancestor(self) -> Sketched:
        return self.networks[0]

    @property
    def first(self) -> Sketched | None:
        """The first offspring; None when nothing could die."""
        return self.networks[1] if len(self.networks) > 1 else None

    @property
    def last(self) -> Sketched | None:
        return self.networks[-1] if len(self.networks) > 1 else None

    def to_json(self) -> dict[str, Any]:
        result = dataclasses.asdict(self)
        result["shape"] = list(self.shape)
        return result
