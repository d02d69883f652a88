"""A genome as it is kept: everything about a network but its numbers, as plain JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from evolution_core.spec import NetworkError, catalogue

from .clusters import ClusterMap

VERSION = 1
OWN = catalogue.OWN
MAXIMUM_CLASSES = 10_000
MAXIMUM_SIDE = 4096


@dataclass(frozen=True)
class Genome:
    """What rebuilds a network: its ancestor's architecture and the genes that it kept, layer by layer.

    shape is (channels, height, width); mean and std normalise inputs in 0..1, one number for each channel.
    ancestor: layer -> clusters that the ancestor has there; genes: layer -> which of them live on, rising.
    dropout: module -> rate. structure and digest belong to own networks: the ancestor's graph as
    `architectures.onnx_import.to_structure` writes it, and the SHA-256 of the file that was brought; `final` is the
    step that the file had after its logits. extra: empty; a place in the format for what a task may come to need.
    Raises NetworkError on values that cannot be.
    """

    architecture: str
    classes: tuple[str, ...]
    task: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    width: float = 1.0
    id: str = "ancestor"
    parents: tuple[str, ...] = ()
    generation: int = 0
    ancestor: dict[str, int] = field(default_factory=dict)
    genes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    protected: tuple[str, ...] = ()
    dropout: dict[str, float] = field(default_factory=dict)
    encoding: str = "cluster"
    structure: str = ""
    digest: str = ""
    final: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, problem in _problems(self):
            raise NetworkError(f"the genome's {name} {problem}")

    def of(self, clusters: ClusterMap, model: nn.Module, **changes: Any) -> Genome:
        """The genome of a network with these clusters: genes and dropout rates as they are now."""
        from evolution_core.synthesis.surgery import dropout_rates

        ancestry = clusters.ancestry
        return dataclasses.replace(
            self,
            ancestor=dict(ancestry.counts) if ancestry else clusters.counts(),
            genes=clusters.genes(),
            protected=tuple(layer.name for layer in clusters.layers if layer.protected),
            dropout=dropout_rates(model),
            **changes,
        )

    def alive(self, clusters: ClusterMap) -> Tensor:
        """[n] which of the ancestor's clusters this network has; `clusters` is the ancestor's map.

        Raises NetworkError when the ancestor is not the one that the genes were taken from.
        """
        if clusters.counts() != self.ancestor or set(self.genes) != set(self.ancestor):
            raise NetworkError("the genome's layers are not those of its ancestor")
        alive = torch.zeros(clusters.n, dtype=torch.bool)
        for layer in clusters.layers:
            alive[layer.clusters[torch.tensor(self.genes[layer.name], dtype=torch.long)]] = True
        return alive

    def to_json(self) -> str:
        """Compact, with sorted keys: the same genome always gives the same text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Genome:
        """The genome back, every value checked. Raises NetworkError on anything else."""
        try:
            value = json.loads(text)
            return cls(**_converted(value))
        except NetworkError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
            raise NetworkError(f"the file's genome cannot be read ({type(error).__name__})") from None


def _converted(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NetworkError("the file's genome is no JSON object")
    unknown = set(value) - {f.name for f in dataclasses.fields(Genome)}
    if unknown:
        raise NetworkError(f"the file's genome has an unknown field {sorted(unknown)[0][:40]!r}")
    result = dict(value)
    for name in ("classes", "shape", "mean", "std", "parents", "protected"):
        if name in result:
            if not isinstance(result[name], list):
                raise NetworkError(f"the genome's {name} must be a list")
            result[name] = tuple(result[name])
    if "genes" in result:
        result["genes"] = {str(layer): tuple(indices) for layer, indices in result["genes"].items()}
    return result


def _problems(genome: Genome) -> list[tuple[str, str]]:
    """(field, what is wrong with it), the first of each kind."""
    found: list[tuple[str, str]] = []

    def check(name: str, ok: bool, problem: str) -> None:
        if not ok:
            found.append((name, problem))

    check("version", genome.version == VERSION, f"is {genome.version!r}, not {VERSION}: another version wrote it")
    for name in ("architecture", "task", "id", "structure", "digest", "final", "encoding"):
        check(name, isinstance(getattr(genome, name), str), "must be a text")
    check("classes", _texts(genome.classes) and 1 <= len(genome.classes) <= MAXIMUM_CLASSES, "must be names")
    check("parents", _texts(genome.parents), "must be names")
    check("protected", _texts(genome.protected), "must be names")
    check(
        "shape",
        len(genome.shape) == 3 and all(_whole(size) and 1 <= size <= MAXIMUM_SIDE for size in genome.shape),
        "must be three sizes: channels, height, width",
    )
    for name in ("mean", "std"):
        values = getattr(genome, name)
        ok = all(_finite(v) and (name == "mean" or v > 0) for v in values)
        check(
            name, ok and len(values) in (genome.shape[0], 0) if not found else ok, "must be a number for each channel"
        )
    check("width", _finite(genome.width) and 0.01 <= genome.width <= 4.0, "must be between 0.01 and 4")
    check("generation", _whole(genome.generation) and genome.generation >= 0, "must be a whole number")
    check("encoding", genome.encoding in catalogue.ENCODINGS, "is unknown")
    check("extra", isinstance(genome.extra, dict), "must be an object")
    rates = genome.dropout
    check("dropout", isinstance(rates, dict) and all(_finite(p) and 0 <= p <= 1 for p in rates.values()), "is no rates")
    check("ancestor", _counts(genome.ancestor), "must count clusters of layers")
    if not found:
        check("genes", _genes(genome.genes, genome.ancestor), "must be rising indices of the ancestor's clusters")
    return found


def _texts(values: Any) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _counts(counts: Any) -> bool:
    return isinstance(counts, dict) and all(
        isinstance(name, str) and _whole(n) and 1 <= n <= 2**24 for name, n in counts.items()
    )


def _genes(genes: Any, ancestor: Mapping[str, int]) -> bool:
    if not isinstance(genes, dict) or set(genes) != set(ancestor):
        return False
    for layer, indices in genes.items():
        if not indices or not all(_whole(index) for index in indices):
            return False
        rising = all(a < b for a, b in itertools.pairwise(indices))
        if not rising or indices[0] < 0 or indices[-1] >= ancestor[layer]:
            return False
    return True
