"""Layers and sums of sizes that several base networks share."""

from __future__ import annotations

from torch import Tensor, nn

from evolution_core.spec import NetworkError


class LocalResponseNorm(nn.Module):
    """Normalisation over neighbouring channels: x / (k + alpha / size * sum of squares) ** beta (Krizhevsky 2012).

    The same numbers as `torch.nn.LocalResponseNorm`, from a sum of shifted slices instead of a
    three-dimensional pooling: about twice as fast on a CPU. It mixes channels, so cutting one
    changes its neighbours a little; with `bypass` it hands its input on, and the proof after
    surgery can be exact. Input and output: [N, C, H, W].

    Trace it as a leaf (see :func:`is_leaf`).
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.bypass = False

    def forward(self, x: Tensor) -> Tensor:
        if self.bypass:
            return x
        # Caffe and torch: the window of channel c starts at c - size // 2.
        squares = nn.functional.pad(x * x, (0, 0, 0, 0, self.size // 2, (self.size - 1) // 2))
        total = squares[:, : -(self.size - 1) or None]
        for shift in range(1, self.size):
            total = total + squares[:, shift : (shift - self.size + 1) or None]
        scale = total * (self.alpha / self.size) + self.k
        if self.beta == 0.75:  # two square roots cost a fraction of a power
            root = scale.rsqrt()
            return x * (root * root.sqrt())
        return x * scale.pow(-self.beta)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}, k={self.k:g}"


# Modules of our own that stand for one operation; torch.fx would otherwise trace into them.
LEAVES: tuple[type[nn.Module], ...] = (LocalResponseNorm,)


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
