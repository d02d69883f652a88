"""Mating: m parents become one network that holds all of their genes, aligned by gene tags."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from evolution_core.environment.budget import Reference
from evolution_core.genome.clusters import ClusterMap
from evolution_core.genome.files import ancestor_of
from evolution_core.genome.genome import Genome
from evolution_core.genome.probability import probability_of
from evolution_core.genome.strength import cluster_strength
from evolution_core.genome.tracing import trace_clusters
from evolution_core.spec import NetworkError, RunSpec

from .surgery import cut, sliced

Parent = tuple[nn.Module, ClusterMap, Genome]


@dataclass(frozen=True)
class Mating:
    """What m parents give together: a network like any other, which can be stressed, drawn from and cut.

    model holds every cluster that lives in any parent, with inherited weights: of each synapse the mean over those
    parents that have it, by mating weight. probability [n] is the genome's, taken from sum_k alpha_k W_k in which a
    missing synapse counts 0 (m-parent synthesis, arXiv 1709.02043), so what few parents have is less likely to live.
    reference: the parents' mean size, which the environment's share is taken of. ghosts [n]: clusters of no parent,
    there only to keep groups equal; their weights and probabilities are 0. masks: synapses that live in any parent.
    """

    model: nn.Module
    clusters: ClusterMap
    probability: Tensor
    reference: Reference
    ghosts: Tensor
    masks: dict[str, Tensor] = field(default_factory=dict)


def mate(
    parents: Sequence[Parent],
    weights: Sequence[float],
    spec: RunSpec,
    *,
    taylor: Sequence[Tensor] | None = None,
    masks: Sequence[Mapping[str, Tensor]] | None = None,
    ancestor: tuple[nn.Module, ClusterMap] | None = None,
) -> Mating:
    """Align m parents by their gene tags. `weights` (alpha) are positive numbers, one a parent; their sum does not
    matter. taylor: each parent's [n] Taylor strengths, where that is the spec's measure. masks: each parent's synapse
    masks. ancestor: the common ancestor and its map; built from the first genome otherwise.

    Raises NetworkError when the parents have no common ancestor, ValueError on weights that are not positive.
    """
    if len(weights) != len(parents) or not parents or min(weights) <= 0:
        raise ValueError("mating needs a positive weight for each of at least one parent")
    alphas = [weight / sum(weights) for weight in weights]
    maps = [clusters for _, clusters, _ in parents]
    first, origin = ancestor or ancestor_of(parents[0][2])
    if any(x.ancestry != origin.ancestry for x in maps):
        raise NetworkError("the parents have no common ancestor")
    together = [_alive_in(origin.n, clusters.tags) for clusters in maps]
    held = _feasible(origin, torch.stack(together).any(0))
    model: nn.Module = copy.deepcopy(first)
    if not bool(held.all()):
        model = cut(first, origin, held)
    clusters = trace_clusters(model, torch.zeros(0)) if not bool(held.all()) else origin
    own = [alive[clusters.tags] for alive in together]
    mixed, inherited = _mixtures(model, clusters, [model for model, _, _ in parents], own, alphas)
    ghosts = ~torch.stack(own).any(0)
    if taylor is not None:
        strengths = sum(a * _spread(t, alive) for a, t, alive in zip(alphas, taylor, own, strict=True))
        assert isinstance(strengths, Tensor)
    else:
        _put(model, mixed)
        strengths = cluster_strength(model, clusters, spec)
    _put(model, inherited)
    probability = probability_of(strengths, clusters, spec.sharpness)
    probability[ghosts] = 0.0
    return Mating(
        model.train(parents[0][0].training),
        clusters,
        probability,
        Reference.of_parents(maps, alphas),
        ghosts,
        _masks(model, clusters, own, masks),
    )


def _alive_in(n: int, tags: Tensor) -> Tensor:
    alive = torch.zeros(n, dtype=torch.bool)
    alive[tags] = True
    return alive


def _feasible(origin: ClusterMap, alive: Tensor) -> Tensor:
    """The smallest set of clusters around `alive` that surgery can leave: cells keep equal shares (see Block)."""
    result = alive.clone()
    for block in origin.blocks:
        steps = max(-(-int(alive[cell].sum()) * block.steps // len(cell)) for cell in block.cells)
        for cell in block.cells:
            missing = len(cell) * steps // block.steps - int(alive[cell].sum())
            result[cell[~alive[cell]][:missing]] = True
    return result


def _mixtures(
    model: nn.Module, clusters: ClusterMap, parents: Sequence[nn.Module], own: Sequence[Tensor], alphas: Sequence[float]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(sum of alpha W with 0 for the missing, mean over those that have it) for every parameter and buffer."""
    tables = [dict(parent.named_parameters()) | dict(parent.named_buffers()) for parent in parents]
    mixed, inherited = {}, {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found = [table.get(name) for table in tables]
        if not tensor.is_floating_point():
            if name.endswith("num_batches_tracked"):
                counts = [f for f in found if f is not None]
                inherited[name] = mixed[name] = torch.stack(counts).amax(0)
            continue
        total, weight = (
            torch.zeros(tensor.numel(), dtype=torch.float64),
            torch.zeros(tensor.numel(), dtype=torch.float64),
        )
        places = torch.arange(tensor.numel()).view(tensor.shape)
        for alpha, source, alive in zip(alphas, found, own, strict=True):
            where = sliced(places, clusters, name, alive)
            if source is None or source.shape != where.shape:
                raise NetworkError(f"a parent's {name} does not fit its genes")
            total[where.flatten()] += alpha * source.detach().cpu().flatten().double()
            weight[where.flatten()] += alpha
        mixed[name] = total.view(tensor.shape).to(tensor.dtype)
        inherited[name] = (total / weight.clamp(min=1e-300)).view(tensor.shape).to(tensor.dtype)
        if name.endswith("running_var"):  # of a ghost: nothing divides by nothing
            inherited[name][(weight == 0).view(tensor.shape)] = 1.0
    return mixed, inherited


def _put(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Replace parameters and buffers (which may have no storage yet) by these numbers."""
    made: dict[int, Tensor] = {}
    names = (*model.named_parameters(), *model.named_buffers())
    for name, old in names:
        if name in tensors:
            new = tensors[name].clone()
            made[id(old)] = nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new
    for module in model.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None and id(parameter) in made:
                module._parameters[key] = made[id(parameter)]  # type: ignore[assignment]
        for key, buffer in module._buffers.items():
            if buffer is not None and id(buffer) in made:
                module._buffers[key] = made[id(buffer)]


def _spread(values: Tensor, alive: Tensor) -> Tensor:
    """A parent's [n] values at its clusters' places in the union, 0 elsewhere."""
    result = torch.zeros(alive.shape, dtype=torch.float64)
    result[alive] = values.double()
    return result


def _masks(
    model: nn.Module, clusters: ClusterMap, own: Sequence[Tensor], masks: Sequence[Mapping[str, Tensor]] | None
) -> dict[str, Tensor]:
    if masks is None or not any(masks):
        return {}
    result = {}
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    for name in sorted({name for table in masks for name in table}):
        living = torch.zeros(shapes[name].numel(), dtype=torch.bool)
        places = torch.arange(shapes[name].numel()).view(shapes[name])
        for table, alive in zip(masks, own, strict=True):
            where = sliced(places, clusters, name, alive)
            living[where.flatten()] |= table[name].flatten() if name in table else True
        result[name] = living.view(shapes[name])
    return result
