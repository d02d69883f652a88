"""Sums and means over dimensions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from ..emission import Emission, Emitted
from ..graph import Step, refuse
from .registry import operator


def _axes(emit: Emission, step: Step, x: Emitted) -> list[int]:
    axes = emit.integers(step, 1, "axes")
    if axes is None and step.attributes.get("noop_with_empty_axes", 0):
        return []
    axes = list(range(x.rank)) if axes is None else sorted({axis % x.rank for axis in axes})
    if any(x.dims[axis].batched for axis in axes):
        raise refuse(step, "runs over the batch")
    return axes


@operator("ReduceMean")
def mean(emit: Emission, step: Step) -> Emitted:
    """Over height and width it is global average pooling, and said so."""
    x = emit.activation(step)
    axes, keep = _axes(emit, step, x), bool(step.attributes.get("keepdims", 1))
    if not axes:
        return x
    if x.rank == 4 and axes == [2, 3]:
        pooled = emit.module(step, "pool", nn.AdaptiveAvgPool2d(1), x)
        return pooled if keep else emit.function(step, torch.flatten, pooled, 1)
    return emit.function(step, torch.mean, x, tuple(axes), keep)


def _reduce(emit: Emission, step: Step, function: Callable[..., Any]) -> Emitted:
    x = emit.activation(step)
    axes = _axes(emit, step, x)
    return emit.function(step, function, x, tuple(axes), bool(step.attributes.get("keepdims", 1))) if axes else x


operator("ReduceSum")(partial(_reduce, function=torch.sum))
operator("ReduceMax")(partial(_reduce, function=torch.amax))
operator("ReduceMin")(partial(_reduce, function=torch.amin))
operator("ReduceLogSumExp")(partial(_reduce, function=torch.logsumexp))


@operator("ReduceSumSquare", "ReduceL2")
def squares(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axes, keep = _axes(emit, step, x), bool(step.attributes.get("keepdims", 1))
    total = emit.function(step, torch.sum, emit.function(step, torch.mul, x, x), tuple(axes), keep)
    return total if step.operator == "ReduceSumSquare" else emit.function(step, torch.sqrt, total)


@operator("ReduceL1")
def magnitudes(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axes, keep = _axes(emit, step, x), bool(step.attributes.get("keepdims", 1))
    return emit.function(step, torch.sum, emit.function(step, torch.abs, x), tuple(axes), keep)


@operator("LpNormalization")
def unit_length(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axis = int(step.attributes.get("axis", -1)) % x.rank
    if x.dims[axis].batched:
        raise refuse(step, "runs over the batch")
    return emit.function(step, nn.functional.normalize, x, float(step.attributes.get("p", 2)), axis)
