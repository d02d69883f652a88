"""Drawing an offspring: who lives and who dies, at random by probability, to an exact budget."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from evolution_core.environment.budget import Budget, Cost, Reference, check_layers, choices_of, solve
from evolution_core.environment.factors import Factor, share
from evolution_core.genome.clusters import ClusterMap
from evolution_core.spec import RunSpec


@dataclass(frozen=True)
class Draw:
    """alive [n] truth values, and the budget that they meet."""

    alive: Tensor
    budget: Budget


def draw_offspring(
    clusters: ClusterMap,
    probability: Tensor,
    spec: RunSpec,
    generation: int,
    generator: torch.Generator,
    *,
    latency: Cost | None = None,
    reference: Reference | None = None,
    ancestor_latency: float | None = None,
) -> Draw:
    """Draw who lives, by Gumbel top-k over log P: without replacement, in proportion to P, to an exact count.

    probability [n] in [0, 1]; 0 means that the cluster cannot live (a union of parents may hold such). `generator` is
    the only source of chance. latency: for that resource, alive [n] -> measured milliseconds; ancestor_latency: the
    ancestor's, for a target. reference: what shares are taken of (the parents' mean, when mating).

    With the resource "clusters", each layer keeps its share, rounded down. With any other the shares are solved for
    (`environment.budget`). A `synapse` encoding kills no cluster. Raises SpecError where the spec names a layer that
    does not exist, NetworkError where nothing can die any more.
    """
    check_layers(spec, clusters)
    factor = share(spec, generation)
    cost, whole = _cost(clusters, spec, factor, latency, ancestor_latency, reference)
    if spec.encoding == "synapse":
        alive = clusters.everyone()
        return Draw(alive, Budget(spec.resource, cost(alive), cost(alive), False, clusters.counts(alive)))
    keys = gumbel_keys(probability, generator)
    needed = _needed(clusters, keys)
    keys = torch.where(needed, torch.inf, keys)
    choices = choices_of(clusters, spec, needed, probability > 0, reference)
    order = [[cell[keys[cell].argsort(descending=True, stable=True)] for cell in c.block.cells] for c in choices]

    def pick(steps: list[int]) -> Tensor:
        alive = torch.zeros(clusters.n, dtype=torch.bool)
        for choice, cells, step in zip(choices, order, steps, strict=True):
            for cell in cells:
                alive[cell[: len(cell) * step // choice.block.steps]] = True
        return alive

    alive, budget = solve(
        clusters, choices, factor, spec.resource, cost, factor.share * whole, pick, fill=spec.resource != "latency"
    )
    clusters.check(alive)
    return Draw(alive, budget)


def gumbel_keys(probability: Tensor, generator: torch.Generator) -> Tensor:
    """[n] log P plus Gumbel noise: the k largest are a draw of k without replacement (arXiv 1903.06059)."""
    uniform = torch.rand(probability.shape, generator=generator, dtype=torch.float64)
    uniform = uniform.clamp(min=torch.finfo(torch.float64).tiny)
    return probability.double().log() - torch.log(-torch.log(uniform))


def _needed(clusters: ClusterMap, keys: Tensor) -> Tensor:
    """[n] who must live: the protected, and of every activation the one with the largest key."""
    needed = clusters.protected.clone()
    for ids in clusters.sets:
        if not bool(needed[ids].any()):
            needed[ids[keys[ids].argmax()]] = True
    return needed


def _cost(
    clusters: ClusterMap,
    spec: RunSpec,
    factor: Factor,
    latency: Cost | None,
    ancestor_latency: float | None,
    reference: Reference | None,
) -> tuple[Cost, float]:
    """(what a network costs, the whole that the share is taken of)."""
    if spec.resource == "latency":
        if latency is None or (factor.of_ancestor and ancestor_latency is None):
            raise ValueError("the resource latency needs a way to measure it")
        if factor.of_ancestor and ancestor_latency is not None:
            return latency, ancestor_latency
        held = reference.costs.get("latency") if reference is not None else None
        return latency, latency(clusters.everyone()) if held is None else held

    def cost(alive: Tensor) -> float:
        return clusters.cost(spec.resource, alive)

    if factor.of_ancestor and clusters.ancestry is not None:
        return cost, clusters.ancestry.costs[spec.resource]
    return cost, cost(clusters.everyone()) if reference is None else reference.costs[spec.resource]
