"""First weights, drawn explicitly: a function of the seed and of each parameter's name."""

from __future__ import annotations

import math

import torch
from torch import nn

from evolution_core.seeds import generator

from .region import Region


def initialise(model: nn.Module, seed: int, *, gain: float = math.sqrt(2.0), head: str = "") -> None:
    """Fill every parameter and buffer of `model` in place.

    Weights are normal with variance gain^2 / fan_in (He et al. 2015, https://arxiv.org/abs/1502.01852:
    gain sqrt(2) before a rectifier); the layer named `head` has gain 1. Biases are zero and
    normalisations neutral. A layer's numbers depend on its own name only, so that changing one
    layer leaves the others as they were. Raises TypeError on a layer whose filling is not known.
    """
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                draw_layer(module, seed, name, gain=1.0 if name == head else gain)
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, Region)):
                module.reset_parameters()  # ones, zeros and fresh statistics: nothing random
            elif list(module.parameters(recurse=False)) or list(module.buffers(recurse=False)):
                raise TypeError(f"no initialisation is known for {name!r} ({type(module).__name__})")


def draw_layer(layer: nn.Conv2d | nn.Linear, seed: int, name: str, *, gain: float) -> None:
    """Fill one layer in place; its fan-in is the number of synapses that feed one output."""
    fan_in = layer.weight[0].numel()
    with torch.no_grad():
        layer.weight.normal_(0.0, gain / math.sqrt(fan_in), generator=generator(seed, "initialise", name))
        if layer.bias is not None:
            layer.bias.zero_()
