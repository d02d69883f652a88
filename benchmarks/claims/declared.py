"""What is declared: a claim has arms, an arm with a seed is a unit, a unit has one result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from evolution_core.life.offspring import epochs_of
from evolution_core.measurement.counts import count_macs, count_parameters
from evolution_core.spec import RunSpec, SpecError


@dataclass(frozen=True)
class Arm:
    """One way to come to a network.

    kind: "evolve" (the engine's own run), a control ("dense", "scratch", "narrowed"), a peer ("torch-pruning") or
    "size" (synthesis without any training). `fields` differ from the claim's base. `of` names the arm whose size a
    control or peer must have, and whose epochs it is given. `options` are the peer's own. `group` is the table that
    it stands in.
    """

    name: str
    title: str
    group: str = ""
    kind: str = "evolve"
    fields: dict[str, Any] = field(default_factory=dict)
    of: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """Arms that are compared, on one data set from one base. Seeds 0, 1, ... `seeds` - 1 are reported and no others:
    settings are tried out on seeds from 100 on."""

    name: str
    title: str
    about: str
    data: str
    base: dict[str, Any]
    arms: tuple[Arm, ...]
    seeds: int = 3

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        assert len(set(names)) == len(names), f"{self.name}: an arm is declared twice"
        for arm in self.arms:
            assert arm.of is None or arm.of in names, f"{self.name}: {arm.name} is of an unknown arm {arm.of}"
            self.spec(arm, 0)

    def arm(self, name: str) -> Arm:
        """The arm of that name; SpecError, saying which there are, when there is none."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise SpecError({"arms": f"{self.name} has no arm {name!r}; it has {', '.join(a.name for a in self.arms)}"})

    def spec(self, arm: Arm, seed: int) -> RunSpec:
        """The arm's run. A control's is that of the arm it is held against."""
        if arm.of is not None:
            return self.spec(self.arm(arm.of), seed).replace(**arm.fields)
        return RunSpec(**{**self.base, **arm.fields, "seed": seed})


def epochs_in_all(spec: RunSpec) -> float:
    """Passes over the training images from the newborn ancestor to the last generation, along one line of descent."""
    ancestor = spec.ancestor_epochs if spec.ancestor_epochs is not None else spec.epochs
    return ancestor + sum(epochs_of(spec, generation).whole for generation in range(1, spec.generations + 1))


def size_of(model: nn.Module, shape: tuple[int, int, int], spec: RunSpec) -> int:
    """What the spec's resource counts of a network: multiply-adds, or parameters."""
    return count_macs(model, shape) if spec.resource == "macs" else count_parameters(model)


def told_size(told: dict[str, Any], spec: RunSpec) -> int:
    """The same, of a network in a result."""
    return told["macs" if spec.resource == "macs" else "parameters"]
