"""Single synapses that live or die inside living clusters: masks, exactly counted, inherited."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..genome import ClusterMap, synapse_probability
from ..spec import RunSpec
from ..synthesis.sampling import gumbel_keys
from ..synthesis.surgery import sliced


def inherited_masks(masks: Mapping[str, Tensor], clusters: ClusterMap, alive: Tensor) -> dict[str, Tensor]:
    """The parent's masks (bool, by parameter name), cut as its parameters are."""
    return {name: sliced(mask, clusters, name, alive) for name, mask in masks.items()}


def draw_synapses(
    model: nn.Module, spec: RunSpec, masks: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Masks (bool, by parameter name) of the synapses that live on: of each weight tensor exactly
    `spec.synapse_share` of those that live now (at least one), by Gumbel top-k over log P of arXiv 1801.05387's
    synaptic probability. Who is masked already stays dead."""
    result = {}
    for name, probability in sorted(synapse_probability(model, spec).items()):
        living = masks.get(name)
        flat = torch.ones(probability.numel(), dtype=torch.bool) if living is None else living.flatten()
        keys = gumbel_keys(probability.flatten(), generator)
        count = max(1, round(spec.synapse_share * int(flat.sum())))
        chosen = torch.where(flat, keys, -torch.inf).topk(count).indices
        drawn = torch.zeros_like(flat)
        drawn[chosen] = True
        result[name] = (drawn & flat).view(probability.shape)
    return result


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the dead synapses of `model` to zero, in place."""
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, mask in masks.items():
            named[name].mul_(mask)
