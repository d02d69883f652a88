"""How large a network is."""

from __future__ import annotations

from torch import nn


def count_parameters(model: nn.Module) -> int:
    """Numbers in all parameters; a tensor used twice counts once, buffers (batch-norm statistics) not at all."""
    return sum(parameter.numel() for parameter in model.parameters())
