"""Gemm and MatMul: fully connected layers where the weights are constant, products of activations elsewhere."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..emission import Constant, Emission, Emitted
from ..graph import Step, refuse
from .registry import operator


def _full_layer(emit: Emission, step: Step, x: Emitted, weight: np.ndarray, bias: np.ndarray | None, names) -> Emitted:
    """`weight` is [outputs, inputs], as torch keeps it."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    fills = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return emit.module(step, "linear", layer, x, tuple(names), **fills)


@operator("Gemm")
def gemm(emit: Emission, step: Step) -> Emitted:
    """alpha * A @ B + beta * C, with constant B and C: one Linear layer."""
    x = emit.activation(step)
    if step.attributes.get("transA", 0):
        raise refuse(step, "transposes the batch, which cannot be evolved")
    weight = emit.constant(step, 1, "weights")
    if weight.ndim != 2:
        raise refuse(step, "needs weights of two dimensions")
    weight = weight if step.attributes.get("transB", 0) else weight.T
    weight = weight * np.float32(step.attributes.get("alpha", 1.0))
    bias = emit.optional(step, 2, "biases")
    if bias is not None:
        if bias.shape[:-1] not in ((), (1,)):
            raise refuse(step, "adds a matrix instead of a bias")
        bias = np.broadcast_to(bias.reshape(-1), (weight.shape[0],)) * np.float32(step.attributes.get("beta", 1.0))
    return _full_layer(emit, step, x, weight, bias, step.inputs[1:3])


@operator("Linear")  # of our own: MatMul and the Add behind it
def linear(emit: Emission, step: Step) -> Emitted:
    weight, bias = emit.constant(step, 1, "weights"), emit.constant(step, 2, "biases")
    value = emit.value(step, 0)
    if isinstance(value, Constant):
        raise refuse(step, "works on a constant where an image's values are expected")
    return _full_layer(emit, step, value, weight.T, bias.reshape(-1), step.inputs[1:3])


@operator("MatMul")
def product(emit: Emission, step: Step) -> Emitted:
    left, right = emit.value(step, 0), emit.value(step, 1)
    if isinstance(left, Emitted) and isinstance(right, Constant) and right.array.ndim == 2:
        return _full_layer(emit, step, left, right.array.T, None, (right.name,))
    operands = [emit.held(step, side, trainable=True) if isinstance(side, Constant) else side for side in (left, right)]
    return emit.function(step, torch.matmul, *operands)


@operator("Einsum")
def einsum(emit: Emission, step: Step) -> Emitted:
    equation = step.attributes["equation"].decode("ascii", "replace")
    values = [emit.value(step, index) for index in range(len(step.inputs))]
    operands = [emit.held(step, side, trainable=True) if isinstance(side, Constant) else side for side in values]
    return emit.function(step, torch.einsum, equation.replace(" ", ""), *operands)
