"""Activation functions: one torch layer each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from ..emission import Constant, Emission, Emitted
from ..graph import Step, refuse
from ..idioms import clip_range
from .registry import operator

Attributes = dict


def _leaky(attributes: Attributes) -> nn.Module:
    return nn.LeakyReLU(round(float(attributes.get("alpha", 0.01)), 7))


def _gelu(attributes: Attributes) -> nn.Module:
    return nn.GELU(approximate=attributes.get("approximate", b"none").decode())


def _elu(attributes: Attributes) -> nn.Module:
    return nn.ELU(round(float(attributes.get("alpha", 1.0)), 7))


def _celu(attributes: Attributes) -> nn.Module:
    return nn.CELU(round(float(attributes.get("alpha", 1.0)), 7))


LAYERS: dict[str, tuple[str, Callable[[Attributes], nn.Module]]] = {
    "Relu": ("relu", lambda attributes: nn.ReLU()),
    "LeakyRelu": ("relu", _leaky),
    "Sigmoid": ("sigmoid", lambda attributes: nn.Sigmoid()),
    "Tanh": ("tanh", lambda attributes: nn.Tanh()),
    "Softplus": ("softplus", lambda attributes: nn.Softplus()),
    "Softsign": ("softsign", lambda attributes: nn.Softsign()),
    "Elu": ("elu", _elu),
    "Celu": ("celu", _celu),
    "Gelu": ("gelu", _gelu),
    "Mish": ("mish", lambda attributes: nn.Mish()),
    "HardSwish": ("hardswish", lambda attributes: nn.Hardswish()),
    "Silu": ("silu", lambda attributes: nn.SiLU()),
    "HardSigmoid6": ("hardsigmoid", lambda attributes: nn.Hardsigmoid()),
}


def _build(emit: Emission, step: Step, kind: str, make: Callable[[Attributes], nn.Module]) -> Emitted:
    return emit.module(step, kind, make(step.attributes), emit.activation(step))


for _name, (_kind, _make) in LAYERS.items():
    operator(_name)(partial(_build, kind=_kind, make=_make))


@operator("Selu")
def selu(emit: Emission, step: Step) -> Emitted:
    alpha, gamma = step.attributes.get("alpha", 1.67326319), step.attributes.get("gamma", 1.05070102)
    if abs(alpha - 1.67326319) > 1e-4 or abs(gamma - 1.05070102) > 1e-4:
        raise refuse(step, "has constants of its own")
    return emit.module(step, "selu", nn.SELU(), emit.activation(step))


@operator("PRelu")
def learned_relu(emit: Emission, step: Step) -> Emitted:
    x, slope = emit.activation(step), emit.constant(step, 1, "slopes")
    per_channel = slope.size > 1
    if per_channel and (x.rank < 2 or slope.size != x.dims[1].size or (slope.ndim > 1 and slope.shape[-1] != 1)):
        raise refuse(step, "has slopes that are not one a channel")
    layer = nn.PReLU(slope.size, device="meta")
    return emit.module(step, "prelu", layer, x, step.inputs[1:2], weight=slope.reshape(-1))


@operator("HardSigmoid")
def hard_sigmoid(emit: Emission, step: Step) -> Emitted:
    """torch's is alpha 1/6, beta 1/2; others are spelled out."""
    alpha, beta = float(step.attributes.get("alpha", 0.2)), float(step.attributes.get("beta", 0.5))
    x = emit.activation(step)
    if abs(alpha - 1 / 6) < 1e-4 and abs(beta - 0.5) < 1e-6:
        return emit.module(step, "hardsigmoid", nn.Hardsigmoid(), x)
    shifted = emit.function(step, torch.add, emit.function(step, torch.mul, x, alpha), beta)
    return emit.function(step, torch.clamp, shifted, 0.0, 1.0)


@operator("Clip")
def clip(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    if any(name and not isinstance(emit.values.get(name), Constant) for name in step.inputs[1:3]):
        raise refuse(step, "needs constant bounds")
    low, high = clip_range(emit.source, step)
    low = None if low is None or low <= -3e38 else low
    high = None if high is None or high >= 3e38 else high
    if (low, high) == (0.0, 6.0):
        return emit.module(step, "relu", nn.ReLU6(), x)
    if (low, high) == (0.0, None):
        return emit.module(step, "relu", nn.ReLU(), x)
    return x if low is None and high is None else emit.function(step, torch.clamp, x, low, high)


@operator("ThresholdedRelu")
def thresholded(emit: Emission, step: Step) -> Emitted:
    layer = nn.Threshold(round(float(step.attributes.get("alpha", 1.0)), 7), 0.0)
    return emit.module(step, "threshold", layer, emit.activation(step))


@operator("Softmax", "LogSoftmax")
def softmax(emit: Emission, step: Step) -> Emitted:
    """Until opset 12 the image's values were flattened from `axis` on; that is said only where it means the same."""
    x = emit.activation(step)
    axis = int(step.attributes.get("axis", -1 if emit.opset >= 13 else 1)) % x.rank
    if emit.opset < 13 and any(dim != type(dim)(1) for dim in x.dims[axis + 1 :]):
        raise refuse(step, f"of opset {emit.opset} runs over several dimensions; export with opset 13 or newer")
    if x.dims[axis].batched:
        raise refuse(step, "runs over the batch")
    return emit.function(step, torch.softmax if step.operator == "Softmax" else torch.log_softmax, x, axis)


@operator("Dropout")
def dropout(emit: Emission, step: Step) -> Emitted:
    """Kept with its share: it does nothing in evaluation, and training wants it back."""
    if len(step.outputs) > 1 and step.outputs[1] and any(True for _ in emit.source.users(step.outputs[1])):
        raise refuse(step, "hands on its mask")
    ratio = emit.optional(step, 1, "a constant share")
    share = float(step.attributes.get("ratio", 0.5) if ratio is None else ratio.ravel()[0])
    return emit.module(step, "drop", nn.Dropout(round(min(max(share, 0.0), 0.95), 6)), emit.activation(step))
