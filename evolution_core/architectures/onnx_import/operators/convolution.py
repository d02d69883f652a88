"""Conv and ConvTranspose."""

from __future__ import annotations

import numpy as np
from torch import nn

from ..emission import Emission, Emitted
from ..graph import Step, refuse
from .registry import operator


def window_pads(step: Step, emit: Emission, x: Emitted, kernel: list[int]) -> list[int]:
    """The window's padding as ONNX lists it (befores, then afters), `auto_pad` worked out for the image's size."""
    rank = len(kernel)
    mode = step.attributes.get("auto_pad", b"NOTSET")
    if mode in (b"NOTSET", b""):
        return [int(pad) for pad in step.attributes.get("pads", [0] * 2 * rank)]
    if mode == b"VALID":
        return [0] * 2 * rank
    if mode not in (b"SAME_UPPER", b"SAME_LOWER"):
        raise refuse(step, "has an unknown auto_pad")
    strides = step.attributes.get("strides", [1] * rank)
    dilations = step.attributes.get("dilations", [1] * rank)
    before, after = [], []
    for dim, size, stride, dilation in zip(x.dims[2:], kernel, strides, dilations, strict=True):
        outputs = -(-dim.size // stride)
        total = max((outputs - 1) * stride + (size - 1) * dilation + 1 - dim.size, 0)
        small, large = total // 2, total - total // 2
        before.append(small if mode == b"SAME_UPPER" else large)
        after.append(large if mode == b"SAME_UPPER" else small)
    return before + after


def pad_image(emit: Emission, step: Step, x: Emitted, pads: list[int], value: float = 0.0) -> Emitted:
    """Explicit padding of the last dimensions, where a layer's own cannot say it. `pads`: befores, then afters."""
    rank = len(pads) // 2
    flat = [amount for axis in reversed(range(rank)) for amount in (pads[axis], pads[axis + rank])]
    return emit.function(step, nn.functional.pad, x, flat, "constant", value)


def is_even(pads: list[int]) -> bool:
    half = len(pads) // 2
    return pads[:half] == pads[half:] and min(pads) >= 0


def _weight(emit: Emission, step: Step) -> np.ndarray:
    weight = emit.constant(step, 1, "weights")
    if weight.ndim not in (3, 4) or 0 in weight.shape:
        raise refuse(step, "must work on images (kernels of one or two dimensions)")
    return weight


@operator("Conv")
def convolution(emit: Emission, step: Step) -> Emitted:
    x, weight, bias = emit.activation(step), _weight(emit, step), emit.optional(step, 2, "biases")
    rank = weight.ndim - 2
    if x.rank != weight.ndim:
        raise refuse(step, f"works on {x.rank} dimensions with weights of {weight.ndim}")
    kernel = list(weight.shape[2:])
    pads = window_pads(step, emit, x, kernel)
    if not is_even(pads):
        x, pads = pad_image(emit, step, x, pads), [0] * 2 * rank
    groups = int(step.attributes.get("group", 1))
    if groups < 1 or weight.shape[0] % groups:
        raise refuse(step, f"has {groups} groups for {weight.shape[0]} filters")
    layer = (nn.Conv1d if rank == 1 else nn.Conv2d)(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(kernel),
        stride=tuple(step.attributes.get("strides", [1] * rank)),
        padding=tuple(pads[:rank]),  # type: ignore[arg-type]
        dilation=tuple(step.attributes.get("dilations", [1] * rank)),
        groups=groups,
        bias=bias is not None,
        device="meta",
    )
    fills = {"weight": weight} if bias is None else {"weight": weight, "bias": bias.reshape(-1)}
    return emit.module(step, "conv", layer, x, step.inputs[1:3], **fills)


@operator("ConvTranspose")
def transposed_convolution(emit: Emission, step: Step) -> Emitted:
    x, weight, bias = emit.activation(step), _weight(emit, step), emit.optional(step, 2, "biases")
    rank = weight.ndim - 2
    if rank != 2 or x.rank != 4:
        raise refuse(step, "must work on images")
    pads = [int(pad) for pad in step.attributes.get("pads", [0] * 4)]
    if step.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"") or "output_shape" in step.attributes:
        raise refuse(step, "must say its padding in numbers")
    if not is_even(pads):
        raise refuse(step, "has uneven padding")
    groups = int(step.attributes.get("group", 1))
    layer = nn.ConvTranspose2d(
        weight.shape[0],
        weight.shape[1] * groups,
        tuple(weight.shape[2:]),
        stride=tuple(step.attributes.get("strides", [1] * rank)),
        padding=tuple(pads[:rank]),  # type: ignore[arg-type]
        output_padding=tuple(step.attributes.get("output_padding", [0] * rank)),
        dilation=tuple(step.attributes.get("dilations", [1] * rank)),
        groups=groups,
        bias=bias is not None,
        device="meta",
    )
    fills = {"weight": weight} if bias is None else {"weight": weight, "bias": bias.reshape(-1)}
    return emit.module(step, "deconv", layer, x, step.inputs[1:3], **fills)
