"""Darknet's own `.weights` files: a short header, then single-precision numbers in the order of the layers.

For a convolution with batch normalisation: biases, scales, rolling means, rolling variances, weights; for one without:
biases, weights (darknet/src/parser.c, load_convolutional_weights). Little-endian. Nothing names the layers,
so the count of numbers is the only check, and a file of another network is refused by it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from evolution_core.spec import NetworkError

MAXIMUM_BYTES = 2 * 2**30


@dataclass(frozen=True)
class DarknetWeights:
    """What a file gave: images seen in training, and whether the last layer starts afresh (other classes)."""

    seen: int
    fresh_head: bool
    message: str = ""


def load_darknet_weights(model: nn.Module, path: Path | str) -> DarknetWeights:
    """Fill `model` (its convolutions and batch normalisations, in the order they were made) in place.

    A file whose numbers end where the last convolution differs in its outputs leaves that one as it is. A backbone
    file (darknet19_448.conv.23 and such), which ends at a whole layer, fills what it has. Raises NetworkError
    when the numbers do not come out even; the model is then unchanged.
    """
    path = Path(path)
    numbers, seen = _read(path)
    layers = _layers(model)
    plan: list[tuple[list[Tensor], int]] = []
    used = 0
    fresh = ""
    for position, (name, convolution, norm) in enumerate(layers):
        tensors = _tensors(convolution, norm)
        need = sum(tensor.numel() for tensor in tensors)
        last = position == len(layers) - 1
        if last and used + need != len(numbers) and _is_head(convolution, norm, len(numbers) - used):
            fresh = f"{name} was trained for other classes and starts afresh"
            break
        if used == len(numbers):
            fresh = f"the file ends before {name}; the layers from there on start afresh"
            break
        if used + need > len(numbers):
            raise NetworkError(
                f"{path.name} does not fit this network: it ends within {name}, {used + need - len(numbers):,} "
                "numbers too early"
            )
        plan.append((tensors, used))
        used += need
    if not fresh and used != len(numbers):
        raise NetworkError(
            f"{path.name} does not fit this network: it holds {len(numbers) - used:,} numbers more than {used:,}"
        )
    _fill(plan, numbers, path.name)
    return DarknetWeights(seen, bool(fresh), fresh)


def count_darknet_numbers(path: Path | str) -> int:
    """How many numbers a file holds, statistics included. Raises NetworkError when it is no file of Darknet weights."""
    numbers, _ = _read(Path(path))
    if not len(numbers):
        raise NetworkError(f"{Path(path).name} holds no numbers")
    return len(numbers)


def _read(path: Path) -> tuple[np.ndarray, int]:
    """(float32 numbers, images seen). The header is 16 bytes, or 20 since version 0.2."""
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise NetworkError(f"{path.name} is larger than {MAXIMUM_BYTES // 2**30} GB")
        content = path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path.name} cannot be read ({error.strerror})") from None
    if len(content) < 20:
        raise NetworkError(f"{path.name} is no Darknet weights file: it is shorter than a header")
    major, minor, _ = struct.unpack("<iii", content[:12])
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise NetworkError(f"{path.name} is no Darknet weights file: it names version {major}.{minor}")
    wide = major * 10 + minor >= 2
    header = 20 if wide else 16
    seen = struct.unpack("<Q" if wide else "<I", content[12:header])[0]
    if (len(content) - header) % 4:
        raise NetworkError(f"{path.name} is cut off: its numbers do not come out even")
    return np.frombuffer(content, dtype="<f4", offset=header), int(seen)


def _layers(model: nn.Module) -> list[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]]:
    """Each convolution with the batch normalisation made right after it."""
    found: list[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            found.append((name, module, None))
        elif isinstance(module, nn.BatchNorm2d):
            if not found or found[-1][2] is not None:
                raise NetworkError(f"{name} follows no convolution, so Darknet weights cannot fit this network")
            found[-1] = (*found[-1][:2], module)
        elif isinstance(module, nn.Linear):
            raise NetworkError(f"{name} is a full layer; Darknet weights are read for convolutional networks only")
    if not found:
        raise NetworkError("the network has no convolution for Darknet weights")
    return found


def _tensors(convolution: nn.Conv2d, norm: nn.BatchNorm2d | None) -> list[Tensor]:
    if norm is None:
        bias = [convolution.bias] if convolution.bias is not None else []
        return [*bias, convolution.weight]
    if norm.running_mean is None or norm.running_var is None:
        raise NetworkError("Darknet weights bring statistics that this network does not keep")
    return [norm.bias, norm.weight, norm.running_mean, norm.running_var, convolution.weight]


def _is_head(convolution: nn.Conv2d, norm: nn.BatchNorm2d | None, left: int) -> bool:
    """Whether `left` numbers are this layer with another number of outputs (or nothing at all)."""
    if norm is not None:
        return False
    each = convolution.weight[0].numel() + (convolution.bias is not None)
    return left % each == 0


def _fill(plan: list[tuple[list[Tensor], int]], numbers: np.ndarray, name: str) -> None:
    for tensors, start in plan:
        stop = start + sum(tensor.numel() for tensor in tensors)
        if not np.isfinite(numbers[start:stop]).all():
            raise NetworkError(f"{name} holds numbers that are not finite")
    with torch.no_grad():
        for tensors, start in plan:
            for tensor in tensors:
                part = numbers[start : start + tensor.numel()].astype(np.float32)
                tensor.copy_(torch.from_numpy(part).reshape(tensor.shape))
                start += tensor.numel()
