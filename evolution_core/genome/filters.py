"""The first layer's filters as pictures: what a network looks for in plain pixels, and which of it lived on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evolution_core.spec import NetworkError

from .clusters import ClusterMap
from .files import LoadedNetwork

MOST = 256  # filters that are shown
LARGEST = 64  # pixels a side, for the neurons of a full layer that sees the whole image
SMALLEST = 4  # pixels in all: fewer are no picture


@dataclass(frozen=True)
class FirstFilters:
    """`pictures` uint8 [n, side, side, 1 or 3], one for each of the ancestor's filters, in its order; `alive` says
    which of them this network still has (it shows its own), the others are shown as the ancestor has them."""

    layer: str
    pictures: Tensor
    alive: tuple[bool, ...]


def first_filters(network: LoadedNetwork, ancestor: LoadedNetwork, layer: str) -> FirstFilters | None:
    """The filters of `layer`, which reads the input; None where they are no pictures (1x1, or another kind of layer).

    Grey in the middle is no weight; every filter is scaled by its own largest weight. Raises NetworkError where the
    two networks are not of one lineage.
    """
    before = _pictures(ancestor, layer)
    own = _pictures(network, layer)
    if before is None or own is None:
        return None
    places = _places(network.clusters, ancestor.clusters, f"{layer}.weight", len(own), len(before))
    alive = torch.zeros(len(before), dtype=torch.bool)
    alive[places] = True
    shown = before.clone()
    shown[places] = own
    return FirstFilters(layer, shown[:MOST], tuple(alive[:MOST].tolist()))


def _places(own: ClusterMap, before: ClusterMap, weight: str, count: int, ancestors: int) -> Tensor:
    """[count] which of the ancestor's filters each of the network's is, by the gene tags of their clusters."""
    axes = own.owners.get(weight, {}), before.owners.get(weight, {})
    if not all(0 in owned and bool((owned[0] >= 0).all()) for owned in axes):
        if count != ancestors:
            raise NetworkError(f"the filters of {weight} cannot be matched with the ancestor's")
        return torch.arange(count)
    place = torch.full((before.n,), -1)
    place[before.tags[axes[1][0].flatten()]] = torch.arange(ancestors)
    found = place[own.tags[axes[0][0].flatten()]]
    if bool((found < 0).any()):
        raise NetworkError(f"the filters of {weight} are not the ancestor's")
    return found


def _pictures(network: LoadedNetwork, layer: str) -> Tensor | None:
    """uint8 [n, H, W, 1 or 3] of a convolution, or of a full layer on the whole image."""
    try:
        module = network.model.get_submodule(layer)
    except AttributeError:
        return None
    weight = getattr(module, "weight", None)
    channels, height, width = network.genome.shape
    if not isinstance(weight, Tensor):
        return None
    kernels = weight.detach().float()
    if isinstance(module, nn.Linear) and kernels.shape[1] == channels * height * width:
        kernels = kernels.view(-1, channels, height, width)
    if kernels.ndim != 4 or kernels[0, 0].numel() < SMALLEST or max(kernels.shape[2:]) > LARGEST:
        return None
    if kernels.shape[1] != 3:
        kernels = kernels.mean(1, keepdim=True)
    scale = kernels.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    return (kernels / scale * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
