"""How many images a network is shown at once, so that their activations fit into memory whatever its size."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..tensors import storages

BUDGET = 2**30  # bytes of activations at once: 500 images of 32 pixels fit into it in each of the base networks


def images_at_once(model: nn.Module, shape: tuple[int, int, int], most: int, *, gradients: bool = False) -> int:
    """As many images [C, H, W] of `shape` as keep activations within BUDGET, from 1 to `most`; a function of shapes
    alone. With `gradients` everything that is computed is held at once, else what one operation reads and writes.
    The model, which is run on two empty images, is left as it was."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad(), _Traffic(model) as traffic:
            model(torch.zeros(2, *shape, device=device))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return max(1, min(most, 2 * BUDGET // max(1, traffic.written if gradients else traffic.most)))


class _Traffic(TorchDispatchMode):
    """Counts bytes of activations: the most that one operation reads and writes, and all that is written."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
        self.most = self.written = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        read = storages((args, kwargs))
        touched = read | storages(result)
        self.most = max(self.most, sum(size for key, size in touched.items() if key not in self.own))
        self.written += sum(size for key, size in touched.items() if key not in read)
        return result
