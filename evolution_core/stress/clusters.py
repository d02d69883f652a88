"""Acting on synaptic clusters: every slice of every parameter that belongs to one, at once.

A ClusterMap says for each parameter and each of its axes which cluster every index belongs to (-1: none), so that one
vector over clusters becomes one broadcast product over each parameter: no loop over clusters anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..genome import ClusterMap


class Slices:
    """The owners of a model's parameters, ready to spread a per-cluster vector [n] over them."""

    def __init__(self, clusters: ClusterMap, model: nn.Module) -> None:
        self._axes: dict[str, list[Tensor]] = {}  # parameter -> for each owned axis, ids that broadcast over it
        for name, parameter in model.named_parameters():
            axes = clusters.index(name)
            if axes:
                self._axes[name] = [torch.where(ids < 0, clusters.n, ids).to(parameter.device) for ids in axes]

    def factors(self, gain: Tensor) -> Iterator[tuple[str, Tensor]]:
        """For each owned parameter its name and a factor that broadcasts over it: the product, over its axes, of the
        gain [n] of the cluster that owns the index (1 where none does)."""
        padded = torch.cat((gain.float(), torch.ones(1, device=gain.device)))
        for name, axes in self._axes.items():
            factor = padded[axes[0]]
            for ids in axes[1:]:
                factor = factor * padded[ids]
            yield name, factor

    @torch.no_grad()
    def scale(self, model: nn.Module, gain: Tensor) -> None:
        """Multiply every cluster's synapses in place by its gain [n]."""
        named = dict(model.named_parameters())
        for name, factor in self.factors(gain.to(next(iter(named.values())).device)):
            named[name].mul_(factor)


def blocks_of(clusters: ClusterMap) -> Tensor:
    """int64 [n]: clusters with the same number lie in the same layer and alike to its groups, so that one may be drawn
    for another; -1 where a cluster can never be cut."""
    block = torch.full((clusters.n,), -1)
    cells = [cell for tied in clusters.blocks for cell in tied.cells]
    for index, cell in enumerate(cells):
        block[cell] = index
    return torch.where(clusters.protected, -1, block)


def calibrated(blocks: Tensor, doomed: Tensor, probability: Tensor) -> Tensor:
    """float64 [n]: min(1, k P) in every block, with k such that they sum to the block's survivors, those not `doomed`;
    1 outside of blocks. The chance of living in an environment of that size (our formalisation)."""
    result = torch.ones(len(blocks), dtype=torch.float64)
    for block in range(int(blocks.max()) + 1):
        members = (blocks == block).nonzero().flatten()
        if not len(members):
            continue
        chance, places = probability[members].double().clamp(min=1e-300).sort(descending=True)
        sure = torch.arange(len(members))  # if the first so many live for sure, the others share what is left
        factor = (int((~doomed[members]).sum()) - sure) / chance.flip(0).cumsum(0).flip(0)
        first = int(((factor * chance <= 1.0 + 1e-9) & (factor >= 0.0)).long().argmax())
        result[members[places]] = torch.where(sure < first, 1.0, (factor[first] * chance).clamp(max=1.0))
    return result


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
