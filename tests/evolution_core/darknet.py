"""Writing Darknet's own `.weights` files, which the product only reads."""

from __future__ import annotations

import struct
from pathlib import Path

from torch import nn


def written(path: Path, model: nn.Module) -> Path:
    """The model's numbers as darknet/src/parser.c saves them, spelled out."""
    parts = [struct.pack("<iii", 0, 2, 0), struct.pack("<Q", 32013312)]
    modules = list(model.modules())
    for index, module in enumerate(modules):
        if isinstance(module, nn.Conv2d):
            norm = modules[index + 1]
            if isinstance(norm, nn.BatchNorm2d):
                arrays = [norm.bias, norm.weight, norm.running_mean, norm.running_var, module.weight]
            else:
                arrays = [module.bias, module.weight]
            parts += [array.detach().numpy().astype("<f4").tobytes() for array in arrays]
    path.write_bytes(b"".join(parts))
    return path
