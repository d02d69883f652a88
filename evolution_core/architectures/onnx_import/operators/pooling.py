"""Pooling over windows and over the whole image."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from ..emission import Constant, Emission, Emitted
from ..graph import Step, refuse
from .convolution import is_even, pad_image, window_pads
from .registry import operator


def _window(emit: Emission, step: Step, x: Emitted) -> tuple[list[int], list[int], list[int]]:
    """Kernel, strides and pads, for images only."""
    kernel = [int(size) for size in step.attributes["kernel_shape"]]
    if x.rank != 4 or len(kernel) != 2:
        raise refuse(step, "must work on images")
    strides = [int(stride) for stride in step.attributes.get("strides", [1, 1])]
    return kernel, strides, window_pads(step, emit, x, kernel)


def _pair(numbers: list[int]) -> tuple[int, int]:
    return numbers[0], numbers[1]


@operator("MaxPool")
def max_pool(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    kernel, strides, pads = _window(emit, step, x)
    if len(step.outputs) > 1 and step.outputs[1] and any(True for _ in emit.source.users(step.outputs[1])):
        raise refuse(step, "hands on the places of its maxima, which cannot be evolved")
    if not is_even(pads) or any(2 * pad > size for pad, size in zip(pads, kernel, strict=False)):
        x, pads = pad_image(emit, step, x, pads, -math.inf), [0] * 4
    layer = nn.MaxPool2d(
        tuple(kernel),
        stride=tuple(strides),
        padding=tuple(pads[:2]),
        dilation=tuple(step.attributes.get("dilations", [1, 1])),
        ceil_mode=bool(step.attributes.get("ceil_mode", 0)),
    )
    return emit.module(step, "pool", layer, x)


@operator("AveragePool")
def average_pool(emit: Emission, step: Step) -> Emitted:
    """Uneven padding that does not count is made up for: averages over the padded image, times window / real pixels."""
    x = emit.activation(step)
    kernel, strides, pads = _window(emit, step, x)
    counted = bool(step.attributes.get("count_include_pad", 0))
    ceil_mode = bool(step.attributes.get("ceil_mode", 0))
    if any(int(size) != 1 for size in step.attributes.get("dilations", [1, 1])):
        raise refuse(step, "has gaps in its window")
    if is_even(pads) and all(2 * pad <= size for pad, size in zip(pads, kernel, strict=False)):
        layer = nn.AvgPool2d(_pair(kernel), _pair(strides), _pair(pads), ceil_mode, counted)
        return emit.module(step, "pool", layer, x)
    if ceil_mode:
        raise refuse(step, "has uneven padding and rounds its size up")
    height, width = (dim.size for dim in x.dims[2:])
    pooled = emit.module(step, "pool", nn.AvgPool2d(_pair(kernel), _pair(strides)), pad_image(emit, step, x, pads))
    if counted:
        return pooled
    ones = nn.functional.pad(torch.ones(1, 1, height, width), (pads[1], pads[3], pads[0], pads[2]))
    share = nn.functional.avg_pool2d(ones, tuple(kernel), tuple(strides))
    factor = Constant(np.float32(1.0) / share.numpy(), f"{step.name}.window_share")
    return emit.function(step, torch.mul, pooled, emit.held(step, factor))


@operator("GlobalAveragePool")
def global_average(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    if x.rank == 3:
        return emit.function(step, torch.mean, x, (2,), True)
    return emit.module(step, "pool", nn.AdaptiveAvgPool2d(1), x)


@operator("GlobalMaxPool")
def global_max(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    if x.rank == 3:
        return emit.function(step, torch.amax, x, (2,), True)
    return emit.module(step, "pool", nn.AdaptiveMaxPool2d(1), x)
