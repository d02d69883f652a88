"""What an entry of the catalogue is, and the papers that several of them come from."""

from __future__ import annotations

from dataclasses import dataclass

PAPER = "https://arxiv.org/abs/1801.05387"  # StressedNets
CLUSTER_PAPER = "https://arxiv.org/abs/1609.01360"  # cluster-driven genetic encoding
MATING_PAPER = "https://arxiv.org/abs/1709.02043"  # sexual (two-parent) synthesis
ENVIRONMENT_PAPER = "https://arxiv.org/abs/1802.03318"  # environmental factors studied
RESOURCE_PAPER = "https://arxiv.org/abs/1711.06798"  # MorphNet: structure learnt to a budget of a resource
LATENCY_PAPER = "https://arxiv.org/abs/1804.03230"  # NetAdapt: budgets by direct measurement, step by step
LENET_PAPER = "https://doi.org/10.1109/5.726791"


@dataclass(frozen=True)
class Parameter:
    """One number that a part takes: its range is inclusive on both sides."""

    name: str
    default: float
    minimum: float
    maximum: float
    summary: str


@dataclass(frozen=True)
class Part:
    """A choice: `summary` is two sentences in plain words; `source` a link to where it or its idea comes from, and
    `origin` says how near to that it is."""

    name: str
    label: str
    summary: str
    source: str
    origin: str = "our formalisation"
    parameters: tuple[Parameter, ...] = ()
    default: bool = False


def index(parts: tuple) -> dict:
    return {part.name: part for part in parts}
