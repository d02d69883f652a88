"""Varying photographs as Darknet does when it trains YOLOv2: mirror, zoom, shift, colour. Tasks move their targets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .pixels import coins

ZOOM = 0.3  # a side of the new frame is 0.7 to 1.3 of the old one
SHIFT = 0.125  # of the image, for the kinds that only shift
HUE, SATURATION, EXPOSURE = 0.1, 1.5, 1.5  # Darknet's: turns of the colour wheel, and factors either way
_GRAY = 128.0  # what enters from outside the picture


@dataclass(frozen=True)
class Frames:
    """The part of each image that becomes the new image, as fractions of the old: left, top, width, height [B], and
    whether it is mirrored left to right afterwards."""

    left: Tensor
    top: Tensor
    width: Tensor
    height: Tensor
    mirrored: Tensor


def draw_frames(count: int, kind: str, luck: torch.Generator) -> Frames:
    """`kind`: "shift", "flip-shift" (mirrored half of the time) or "photo" (zoomed too)."""
    uniform = lambda low, high: torch.rand(count, generator=luck) * (high - low) + low  # noqa: E731
    zoom = ZOOM if kind == "photo" else 0.0
    width, height = uniform(1 - zoom, 1 + zoom), uniform(1 - zoom, 1 + zoom)
    reach = 0.0 if kind == "photo" else SHIFT
    # A smaller frame lies anywhere inside the picture, a larger one anywhere around it.
    left = uniform(0.0, 1.0) * (1 - width) + uniform(-reach, reach)
    top = uniform(0.0, 1.0) * (1 - height) + uniform(-reach, reach)
    mirrored = coins(count, luck) if kind != "shift" else torch.zeros(count, dtype=torch.bool)
    return Frames(left, top, width, height, mirrored)


def framed_images(images: Tensor, frames: Frames) -> Tensor:
    """uint8 [B, C, H, W] -> the same shape, showing only the frames; gray where a frame leaves the picture."""
    _, _, height, width = images.shape
    across = (torch.arange(width) + 0.5) / width
    down = (torch.arange(height) + 0.5) / height
    x = torch.where(frames.mirrored[:, None], 1 - across[None], across[None])
    x = frames.left[:, None] + x * frames.width[:, None]
    y = frames.top[:, None] + down[None] * frames.height[:, None]
    grid = torch.stack(
        [x[:, None, :].expand(-1, height, -1) * 2 - 1, y[:, :, None].expand(-1, -1, width) * 2 - 1], -1
    ).to(images.device)
    moved = F.grid_sample(images.float() - _GRAY, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return (moved + _GRAY).round_().clamp_(0, 255).to(torch.uint8)


def vary_colours(images: Tensor, luck: torch.Generator) -> Tensor:
    """uint8 [B, C, H, W] in other light: exposure for gray images; hue, saturation and exposure for colour.

    Hue turns the colour plane of YIQ, which is a 3x3 matrix for each image.
    """
    count, channels = images.shape[:2]
    exposure = _factor(count, EXPOSURE, luck)
    if channels != 3:
        varied = images.float() * exposure[:, None, None, None].to(images.device)
        return varied.round_().clamp_(0, 255).to(torch.uint8)
    angle = (torch.rand(count, generator=luck) * 2 - 1) * HUE * 2 * math.pi
    saturation = _factor(count, SATURATION, luck)
    turn = torch.zeros(count, 3, 3)
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 1, 2], turn[:, 2, 1] = -saturation * angle.sin(), saturation * angle.sin()
    to_yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    matrix = torch.linalg.inv(to_yiq) @ turn @ to_yiq * exposure[:, None, None]
    flat = images.float().flatten(2)
    varied = torch.bmm(matrix.to(images.device), flat).view(images.shape)
    return varied.round_().clamp_(0, 255).to(torch.uint8)


def _factor(count: int, largest: float, luck: torch.Generator) -> Tensor:
    """[count] factors from 1 / largest to largest, even on the logarithm."""
    return torch.exp((torch.rand(count, generator=luck) * 2 - 1) * math.log(largest))
