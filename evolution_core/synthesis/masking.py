"""Synapses that live or die singly: masks. A masked network is not smaller; its zeros stay zero, and are said to be."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from evolution_core.genome.clusters import ClusterMap
from evolution_core.spec import RunSpec

from .sampling import gumbel_keys
from .surgery import sliced


def draw_masks(
    model: nn.Module,
    probability: Mapping[str, Tensor],
    spec: RunSpec,
    generator: torch.Generator,
    masks: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Who lives among the synapses of each weight tensor: exactly `spec.synapse_share` of those that live in `masks`
    (all, where there is none), rounded down but at least one, drawn by Gumbel top-k from `synapse_probability`.

    What is dead stays dead. Layers that the spec protects keep what they have.
    """
    result = {}
    for name, chances in probability.items():
        living = masks[name] if masks and name in masks else torch.ones(chances.shape, dtype=torch.bool)
        if any(name.startswith(f"{layer}.") for layer in spec.protect):
            result[name] = living.clone()
            continue
        keys = torch.where(living, gumbel_keys(chances, generator), -torch.inf).flatten()
        count = max(1, int(spec.synapse_share * int(living.sum()) + 1e-9))
        mask = torch.zeros(keys.shape, dtype=torch.bool)
        mask[keys.topk(min(count, int(living.sum()))).indices] = True
        result[name] = mask.view(chances.shape)
    return result


def apply_mask(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set every dead synapse to zero, in place: after synthesis, and after each step of training."""
    if masks:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in masks:
                    parameter.mul_(masks[name].to(parameter.device))


def cut_masks(masks: Mapping[str, Tensor], clusters: ClusterMap, alive: Tensor) -> dict[str, Tensor]:
    """The masks of the network that `cut` leaves: what belongs to a dead cluster goes with it."""
    return {name: sliced(mask, clusters, name, alive) for name, mask in masks.items()}


def living_synapses(model: nn.Module, masks: Mapping[str, Tensor]) -> int:
    """Parameters that are not masked away."""
    return sum(int(masks[name].sum()) if name in masks else p.numel() for name, p in model.named_parameters())
