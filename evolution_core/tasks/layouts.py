"""Memory formats of activations: the fastest that a network takes, and a fault of one of them kept away.

On a processor, pooling is about ten times faster and training convolutions up to three times when the activations are
channels-last, and the format of a network's input decides for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

LEAST_CHANNELS = 32  # numbers of two bytes in the widest vector register


def layout_for(model: nn.Module, shape: tuple[int, int, int]) -> torch.memory_format:
    """Channels-last if `model` takes images [C, H, W] of `shape` so, else contiguous: a network that views an
    activation as a matrix without copying it cannot. The model is left as it was."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros(2, *shape, device=device).to(memory_format=torch.channels_last))
    except RuntimeError:
        return torch.contiguous_format
    finally:
        for module, mode in modes.items():
            module.training = mode
    return torch.channels_last


@contextmanager
def safe_gradients(model: nn.Module) -> Iterator[None]:
    """While gradients are taken: narrow strided 1x1 convolutions see contiguous activations and weights.

    On channels-last ones their gradients corrupt memory: oneDNN 3.12, in torch 2.13, writes past its buffers when
    fewer channels are read than a vector register holds (seen below 8 with AVX2; 16 fill a register of AVX-512).
    Offspring of residual networks come to be that narrow. Forward passes alone are sound, and so, in some thousands
    of random shapes tried between guarded buffers, are the gradients of other convolutions.
    """
    hooks = []
    for module in model.modules():
        if is_unsafe(module):
            _restride(module.weight)  # type: ignore[arg-type]
            hooks.append(module.register_forward_pre_hook(_contiguous))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def is_unsafe(module: nn.Module) -> bool:
    """Whether the module is a convolution of the kind that :func:`safe_gradients` guards."""
    if not isinstance(module, nn.Conv2d) or max(module.kernel_size) > 1 or max(module.stride) == 1:
        return False
    return module.weight.shape[1] < LEAST_CHANNELS


def _contiguous(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """A copy, because `contiguous()` keeps the strides of a tensor of one channel, which is both formats at once."""
    return (inputs[0].clone(memory_format=torch.contiguous_format), *inputs[1:])


def _restride(weight: Tensor) -> None:
    plain = weight.detach().clone(memory_format=torch.contiguous_format)
    if plain.stride() != weight.stride():
        weight.data = plain
