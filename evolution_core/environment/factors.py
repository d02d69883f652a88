"""Environmental factors: what share of the resource may live in a generation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evolution_core.spec import Environment, RunSpec, catalogue


@dataclass(frozen=True)
class Factor:
    """`share` of the parents' resource (or of the ancestor's) that may live; `layers` have shares of their own."""

    share: float
    of_ancestor: bool = False
    layers: Mapping[str, float] = field(default_factory=dict)


Rule = Callable[[Environment, int, int], Factor]
ENVIRONMENTS: dict[str, Rule] = {}


def environment(name: str) -> Callable[[Rule], Rule]:
    """Decorator: bind a rule (environment, generation from 1, generations) -> Factor to its entry in the catalogue."""

    def bind(rule: Rule) -> Rule:
        if name not in catalogue.ENVIRONMENTS or name in ENVIRONMENTS:
            raise ValueError(f"{name!r} is not in the catalogue, or bound already")
        ENVIRONMENTS[name] = rule
        return rule

    return bind


def share(spec: RunSpec, generation: int) -> Factor:
    """The factor of a generation (1, 2, ...). Raises ValueError for the ancestor, which nothing is drawn for."""
    if generation < 1:
        raise ValueError("the ancestor is not drawn: generations count from 1")
    return ENVIRONMENTS[spec.environment.name](spec.environment, generation, spec.generations)


@environment("constant")
def constant(environment: Environment, generation: int, generations: int) -> Factor:
    """The same share in every generation (arXiv 1802.03318)."""
    return Factor(environment.parameters["factor"])


@environment("scheduled")
def scheduled(environment: Environment, generation: int, generations: int) -> Factor:
    """One share for each generation; the last one repeats (our formalisation)."""
    return Factor(environment.factors[min(generation, len(environment.factors)) - 1])


@environment("per-layer")
def per_layer(environment: Environment, generation: int, generations: int) -> Factor:
    """Shares of clusters for the layers named, one share for the others (our formalisation)."""
    return Factor(environment.parameters["factor"], layers=environment.layers)


@environment("target")
def target(environment: Environment, generation: int, generations: int) -> Factor:
    """N times less than the ancestor by a generation (0: the last), by equal ratios on the way (our formalisation)."""
    by = math.ceil(environment.parameters["by"]) or generations
    progress = min(generation, by) / by
    return Factor(environment.parameters["times"] ** -progress, of_ancestor=True)
