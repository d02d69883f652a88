"""A control for heredity: an offspring that inherits its parent's shape and nothing else."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..seeds import generator

_LAYERS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Linear,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Embedding,
)
_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def forget(model: nn.Module, seed: int) -> None:
    """Draw every weight of `model` anew, in place.

    Weights are normal with variance 2 / fan-in (He et al. 2015), or 1 / fan-in in the network's last layer; biases
    zero; normalisations neutral. What a layer has of other kinds (a learned slope, a scale) goes back to its usual
    beginning where torch knows one, and stays otherwise. Numbers depend on the seed and on the tensor's name only.
    """
    layers = [name for name, module in model.named_modules() if isinstance(module, _LAYERS)]
    last = layers[-1] if layers else ""
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, _LAYERS):
                _draw(module.weight, 1.0 if name == last else math.sqrt(2.0), seed, f"{name}.weight")
                bias = module._parameters.get("bias")
                if bias is not None:
                    bias.zero_()
            elif isinstance(module, _NORMALISATIONS):
                module.reset_parameters()
            elif isinstance(module, nn.PReLU):
                module.weight.fill_(0.25)
            else:
                for key, parameter in module.named_parameters(recurse=False):
                    if parameter.ndim >= 2:
                        _draw(parameter, 1.0, seed, f"{name}.{key}")


def _draw(weight: torch.Tensor, gain: float, seed: int, name: str) -> None:
    fan_in = max(1, weight[0].numel())
    weight.normal_(0.0, gain / math.sqrt(fan_in), generator=generator(seed, "newborn", name))
