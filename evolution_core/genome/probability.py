"""The genome's probabilities: how likely each cluster and each synapse is to exist in the offspring."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evolution_core.spec import RunSpec

from .clusters import ClusterMap
from .strength import cluster_strength


def cluster_probability(
    model: nn.Module, clusters: ClusterMap, spec: RunSpec, *, taylor: Tensor | None = None
) -> Tensor:
    """[n] P(c) = exp(sharpness * (strength / the layer's largest - 1)), in (0, 1].

    The form of arXiv 1609.01360, where sharpness is 1. Strengths that are all zero give 1.
    """
    return probability_of(cluster_strength(model, clusters, spec, taylor=taylor), clusters, spec.sharpness)


def probability_of(strengths: Tensor, clusters: ClusterMap, sharpness: float) -> Tensor:
    """[n] probabilities from strengths, each layer by its own strongest."""
    result = torch.ones(clusters.n, dtype=torch.float64)
    for layer in clusters.layers:
        own = strengths[layer.clusters]
        strongest = own.max() if own.numel() else 0.0
        if float(strongest) > 0:
            result[layer.clusters] = torch.exp(sharpness * (own / strongest - 1.0))
    return result


def synapse_probability(model: nn.Module, spec: RunSpec) -> dict[str, Tensor]:
    """For each weight tensor (two dimensions or more), P(s) = exp(sharpness * (|w| / max |w| - 1)) of its own shape.

    The widely cited form of Shafiee et al., where sharpness is 1. Biases and normalisations are no synapses here.
    """
    result = {}
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue
        size = parameter.detach().cpu().abs()
        largest = size.max()
        result[name] = (
            torch.exp(spec.sharpness * (size / largest - 1.0)) if float(largest) > 0 else torch.ones_like(size)
        )
    return result
