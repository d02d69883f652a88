"""What is done to images on their way into a network: normalising, shifting, mirroring, resizing.

Images are stored as uint8 tensors [N, C, H, W]; networks see float32 of the same shape, (pixel / 255 - mean) / std
per channel. No function here reads a global random state.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_SPREAD = 1e-3  # of 1.0; a constant channel has no spread to divide by


def normalise(
    images: Tensor, mean: Tensor, std: Tensor, layout: torch.memory_format = torch.contiguous_format
) -> Tensor:
    """uint8 [B, C, H, W] -> float32 of the same shape; `mean` and `std` are [C], of pixels scaled to 0..1. `layout` is
    the memory format of the result; see :mod:`.layouts`."""
    spread = std.clamp(min=_LEAST_SPREAD)
    scale = (1.0 / (255.0 * spread)).to(images.device)[:, None, None]
    offset = (mean / spread).to(images.device)[:, None, None]
    return images.to(torch.float32, memory_format=layout).mul_(scale).sub_(offset)


def batches(images: Tensor, rows: Tensor | None, size: int) -> Iterator[Tensor]:
    """The images [N, C, H, W], or their `rows` (int64 [n]) alone, at most `size` at a time."""
    if rows is None:
        yield from images.split(size)
    else:
        yield from (images[part] for part in rows.split(size))


def move(images: Tensor, down: Tensor, right: Tensor, mirrored: Tensor | None = None) -> Tensor:
    """Shift each image of [B, C, H, W] by its own `down` and `right` pixels ([B], integers), after mirroring it
    left to right where `mirrored` ([B], bool) says so. What enters at an edge is the image's own reflection, so that
    no border appears that no photograph has."""
    batch, channels, height, width = images.shape
    rows = _reflect(torch.arange(height)[None, :] - down[:, None], height)  # [B, H]: where each row comes from
    columns = _reflect(torch.arange(width)[None, :] - right[:, None], width)
    if mirrored is not None:
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    source = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, height * width).to(images.device)
    moved = images.reshape(batch, channels, height * width).gather(2, source.expand(-1, channels, -1))
    return moved.view(batch, channels, height, width)


def _reflect(position: Tensor, size: int) -> Tensor:
    """Fold positions outside 0..size-1 back in, as in a mirror that stands on the outermost pixel."""
    if size == 1:
        return torch.zeros_like(position)
    period = 2 * (size - 1)
    folded = position.remainder(period)
    return torch.where(folded < size, folded, period - folded)


def shifts(count: int, size: int, generator: torch.Generator) -> Tensor:
    """`count` random shifts of up to an eighth of `size` pixels, either way."""
    reach = size // 8
    return torch.randint(-reach, reach + 1, (count,), generator=generator)


def coins(count: int, generator: torch.Generator) -> Tensor:
    """`count` fair coins, as bool."""
    return torch.randint(0, 2, (count,), generator=generator).bool()


def resize(images: Tensor, size: int) -> Tensor:
    """Float images [B, C, H, W] so that their shorter side is `size` pixels, the aspect kept, antialiased."""
    height, width = images.shape[-2:]
    scale = size / min(height, width)
    target = (max(1, round(height * scale)), max(1, round(width * scale)))
    if target == (height, width):
        return images
    return F.interpolate(images, target, mode="bilinear", align_corners=False, antialias=True)
