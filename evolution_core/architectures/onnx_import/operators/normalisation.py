"""Batch, layer, group and instance normalisation, and local response normalisation."""

from __future__ import annotations

import numpy as np
from torch import nn

from ...layers import LocalResponseNorm
from ..emission import Emission, Emitted
from ..graph import Step, refuse
from .registry import operator


@operator("BatchNormalization")
def batch_norm(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    if step.attributes.get("training_mode", 0) or not step.attributes.get("spatial", 1):
        raise refuse(step, "is in training mode; export the network for inference")
    scale, bias, mean, variance = (emit.constant(step, index, "statistics").reshape(-1) for index in range(1, 5))
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}
    if x.rank not in kinds:
        raise refuse(step, f"works on {x.rank} dimensions")
    layer = kinds[x.rank](
        scale.size,
        eps=float(step.attributes.get("epsilon", 1e-5)),
        momentum=round(1.0 - float(step.attributes.get("momentum", 0.9)), 6) or 0.1,
        device="meta",
    )
    fills = {"weight": scale, "bias": bias, "running_mean": mean, "running_var": variance}
    return emit.module(step, "norm", layer, x, step.inputs[1:3], **fills)


@operator("LayerNormalization")
def layer_norm(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axis = int(step.attributes.get("axis", -1))
    scale, bias = emit.constant(step, 1, "scales"), emit.optional(step, 2, "biases")
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    channels = bool(step.attributes.get("only")) and axis == 1 and x.rank == 4
    if channels:  # a normalisation over the channels of an image
        x = emit.method(step, "permute", x, 0, 2, 3, 1)
        axis = -1
    shape = tuple(dim.size for dim in x.dims[axis % x.rank :])
    if any(dim.batched for dim in x.dims[axis % x.rank :]):
        raise refuse(step, "normalises over the batch")
    scale = np.broadcast_to(scale, shape)
    layer = nn.LayerNorm(shape, eps=epsilon, bias=bias is not None, device="meta")
    fills = {"weight": scale} if bias is None else {"weight": scale, "bias": np.broadcast_to(bias, shape)}
    result = emit.module(step, "norm", layer, x, step.inputs[1:3], **fills)
    return emit.method(step, "permute", result, 0, 3, 1, 2) if channels else result


@operator("InstanceNormalization")
def instance_norm(emit: Emission, step: Step) -> Emitted:
    x, scale, bias = emit.activation(step), emit.constant(step, 1, "scales"), emit.constant(step, 2, "biases")
    if x.rank != 4:
        raise refuse(step, f"works on {x.rank} dimensions")
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    # As many groups as channels is the same sum, and unlike InstanceNorm2d it takes images of one pixel.
    layer = nn.GroupNorm(scale.size, scale.size, eps=epsilon, device="meta")
    return emit.module(step, "norm", layer, x, step.inputs[1:3], weight=scale, bias=bias)


@operator("GroupNormalization")
def group_norm(emit: Emission, step: Step) -> Emitted:
    x, scale, bias = emit.activation(step), emit.constant(step, 1, "scales"), emit.constant(step, 2, "biases")
    channels, groups = x.dims[1].size, int(step.attributes["num_groups"])
    if groups < 1 or channels % groups:
        raise refuse(step, f"has {groups} groups for {channels} channels")
    if scale.size == groups != channels:  # opset 18 has one scale a group
        scale, bias = np.repeat(scale, channels // groups), np.repeat(bias, channels // groups)
    layer = nn.GroupNorm(groups, channels, eps=float(step.attributes.get("epsilon", 1e-5)), device="meta")
    return emit.module(step, "norm", layer, x, step.inputs[1:3], weight=scale, bias=bias)


@operator("LRN")
def response_norm(emit: Emission, step: Step) -> Emitted:
    size = int(step.attributes["size"])
    if size % 2 == 0 or not 1 <= size <= 255:
        raise refuse(step, f"has an even or absurd window of {size} channels")
    attributes = step.attributes
    layer = LocalResponseNorm(
        size,
        round(float(attributes.get("alpha", 1e-4)), 9),
        round(float(attributes.get("beta", 0.75)), 7),
        round(float(attributes.get("bias", 1.0)), 7),
    )
    return emit.module(step, "lrn", layer, emit.activation(step))
