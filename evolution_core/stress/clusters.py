"""Acting on synaptic clusters: every slice of every parameter that belongs to one, at once.

`owners` says for each parameter and each of its axes which cluster every index belongs to (-1: none), so that one
vector over clusters becomes one broadcast product over each parameter: no loop over clusters anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Clusters(Protocol):
    """What stress needs of a genome's ClusterMap."""

    @property
    def n(self) -> int: ...
    @property
    def owners(self) -> Mapping[str, Mapping[int, Tensor]]: ...
    @property
    def layers(self) -> Sequence[Any]: ...


class Slices:
    """The owners of a model's parameters, ready to spread a per-cluster vector [n] over them."""

    def __init__(self, clusters: Clusters, model: nn.Module) -> None:
        self.n = clusters.n
        self._axes: dict[str, list[tuple[tuple[int, ...], Tensor]]] = {}
        for name, parameter in model.named_parameters():
            axes = [
                (_broadcast(axis, ids, parameter), torch.where(ids < 0, clusters.n, ids).to(parameter.device))
                for axis, ids in clusters.owners.get(name, {}).items()
                if bool((ids >= 0).any())
            ]
            if axes:
                self._axes[name] = axes

    def factors(self, gain: Tensor) -> Iterator[tuple[str, Tensor]]:
        """For each owned parameter its name and a factor that broadcasts over it: the product, over its axes, of the
        gain [n] of the cluster that owns the index (1 where none does)."""
        padded = torch.cat((gain, gain.new_ones(1)))
        for name, axes in self._axes.items():
            factor: Tensor | None = None
            for shape, ids in axes:
                part = padded[ids].view(shape)
                factor = part if factor is None else factor * part
            assert factor is not None
            yield name, factor

    @torch.no_grad()
    def scale(self, model: nn.Module, gain: Tensor) -> None:
        """Multiply every cluster's synapses in place by its gain [n]."""
        named = dict(model.named_parameters())
        for name, factor in self.factors(gain):
            named[name].mul_(factor)


def _broadcast(axis: int, ids: Tensor, parameter: Tensor) -> tuple[int, ...]:
    """The shape in which `ids` [size of the axis] lies along `axis` of the parameter."""
    return tuple(len(ids) if index == axis else 1 for index in range(parameter.ndim))


def blocks_of(clusters: Clusters) -> Tensor:
    """int64 [n]: clusters with the same number lie in the same layers, so that one may be drawn for another; -1 where
    the layer is protected."""
    block = torch.zeros(clusters.n, dtype=torch.int64)
    protected = torch.zeros(clusters.n, dtype=torch.bool)
    for index, layer in enumerate(clusters.layers, start=1):
        ids = layer.clusters.unique()
        ids = ids[ids >= 0]
        block[ids] = block[ids] * (len(clusters.layers) + 1) + index
        block = torch.unique(block, return_inverse=True)[1]
        if layer.protected:
            protected[ids] = True
    return torch.where(protected, -1, block)


def deaths(blocks: Tensor, doomed: Tensor, probability: Tensor, generator: torch.Generator) -> Tensor:
    """Bool [n]: as many deaths in every block as `doomed` (bool [n]) has, drawn without replacement so that clusters
    of a low probability to live die first: the survivors are a Gumbel top-k of log P (Kool et al. 2019, 1903.06059)."""
    luck = torch.rand(len(blocks), generator=generator, dtype=torch.float64).clamp(min=1e-300)
    score = probability.detach().cpu().double().clamp(min=1e-300).log() - (-luck.log()).log()
    order = score.argsort(stable=True)
    order = order[blocks[order].argsort(stable=True)]  # by block, the least likely to live first
    sorted_blocks = blocks[order]
    starts = torch.searchsorted(sorted_blocks, sorted_blocks)  # where each one's block begins
    rank = torch.arange(len(blocks)) - starts
    budget = torch.zeros(int(blocks.max().clamp(min=0)) + 2, dtype=torch.int64)
    budget.index_add_(0, blocks + 1, (doomed & (blocks >= 0)).long())
    dies = torch.zeros(len(blocks), dtype=torch.bool)
    dies[order] = rank < budget[sorted_blocks + 1]
    return dies
