"""Layers and sums of sizes that several base networks share."""

from __future__ import annotations

from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from evolution_core.spec import NetworkError

from .region import Region


def _window_sum(values: Tensor, before: int, after: int) -> Tensor:
    """Along channels: each with its `before` predecessors and `after` successors, as sums of shifted slices."""
    total = values.clone()
    channels = values.shape[1]
    for shift in range(1, min(before, channels - 1) + 1):
        total[:, shift:] += values[:, :-shift]
    for shift in range(1, min(after, channels - 1) + 1):
        total[:, :-shift] += values[:, shift:]
    return total


class _ResponseNorm(torch.autograd.Function):
    """The normalisation with its derivative written out: autograd would fill and add a whole tensor for each slice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
        # Caffe and torch: the window of channel c starts at c - size // 2.
        scale = _window_sum(x * x, size // 2, (size - 1) // 2).mul_(alpha / size).add_(k)
        if beta == 0.75:  # two square roots cost a fraction of a power
            root = scale.rsqrt()
            factor = root.sqrt().mul_(root)
        else:
            factor = scale.pow(-beta)
        ctx.save_for_backward(x, scale, factor)
        ctx.options = (size, 2.0 * alpha * beta / size)
        return x * factor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, factor = ctx.saved_tensors
        size, weight = ctx.options
        direct = gradient * factor
        mixed = _window_sum(direct * x / scale, (size - 1) // 2, size // 2)  # who reads c: the window turned round
        return direct.addcmul_(mixed, x, value=-weight), None, None, None, None


def response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """What :class:`LocalResponseNorm` computes; one step for torch.fx."""
    return _ResponseNorm.apply(x, size, alpha, beta, k)


torch.fx.wrap("response_norm")


class LocalResponseNorm(nn.Module):
    """Normalisation over neighbouring channels: x / (k + alpha / size * sum of squares) ** beta (Krizhevsky 2012).

    The same numbers as `torch.nn.LocalResponseNorm`, from a sum of shifted slices instead of a
    three-dimensional pooling: several times as fast on a CPU. It mixes channels, so cutting one
    changes its neighbours a little; with `bypass` it hands its input on, and the proof after
    surgery can be exact. Input and output: [N, C, H, W]. It can be differentiated once.

    Trace it as a leaf (see :func:`is_leaf`).
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.bypass = False

    def forward(self, x: Tensor) -> Tensor:
        if self.bypass:
            return x
        return response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}, k={self.k:g}"


# Modules of our own that stand for one operation; torch.fx would otherwise trace into them.
LEAVES: tuple[type[nn.Module], ...] = (LocalResponseNorm, Region)


def is_leaf(module: nn.Module) -> bool:
    """Whether a tracer should keep `module` as one node, besides torch's own layers."""
    return isinstance(module, LEAVES)


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """`channels` times `width`; wide layers stay multiples of 8, all of them of `multiple` (groups).

    Odd widths train and run slower than the next even one, so what is dropped there buys nothing.
    """
    if width == 1.0:
        return channels
    step = multiple if channels * width < 16 else 8 * multiple // _common(8, multiple)
    return max(step, 2, round(channels * width / step) * step)


def _common(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def window(size: tuple[int, int], kernel: int, stride: int = 1, padding: int = 0) -> tuple[int, int]:
    """Height and width after a convolution or pooling window. Raises NetworkError when nothing is left."""
    height, width = ((side + 2 * padding - kernel) // stride + 1 for side in size)
    if height < 1 or width < 1:
        raise NetworkError(f"an image part of {size[1]}x{size[0]} pixels is smaller than a window of {kernel}x{kernel}")
    return height, width
