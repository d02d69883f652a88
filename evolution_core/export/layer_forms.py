"""The ONNX forms of layers with weights, and of pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from evolution_core.architectures.layers import LocalResponseNorm

from .writing import MODULES, Step, Unknown, Value, call, module, plain


def _pair(value: Any, rank: int) -> list[int]:
    return [int(value)] * rank if isinstance(value, int) else [int(side) for side in value]


@module(nn.Conv1d, nn.Conv2d)
def convolution(step: Step) -> Value:
    layer: Any = step.module
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise Unknown(f"{step.label}: padding {layer.padding_mode} {layer.padding}")
    inputs = [step.tensor().name, step.parameter("weight")]
    return step.out(
        "Conv",
        inputs if layer.bias is None else [*inputs, step.parameter("bias")],
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=[*layer.padding, *layer.padding],
        dilations=list(layer.dilation),
        group=layer.groups,
    )


@module(nn.ConvTranspose1d, nn.ConvTranspose2d)
def transposed(step: Step) -> Value:
    layer: Any = step.module
    inputs = [step.tensor().name, step.parameter("weight")]
    return step.out(
        "ConvTranspose",
        inputs if layer.bias is None else [*inputs, step.parameter("bias")],
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=[*layer.padding, *layer.padding],
        output_padding=list(layer.output_padding),
        dilations=list(layer.dilation),
        group=layer.groups,
    )


@module(nn.Linear)
def full(step: Step) -> Value:
    layer: Any = step.module
    source = step.tensor()
    if source.rank == 2:
        inputs = [source.name, step.parameter("weight")]
        return step.out("Gemm", inputs if layer.bias is None else [*inputs, step.parameter("bias")], transB=1)
    weight = step.writer.constant(layer.weight.detach().t(), f"{step.label}.weight")
    if layer.bias is None:
        return step.out("MatMul", [source.name, weight])
    return step.out("Add", [step.inner("MatMul", [source.name, weight]), step.parameter("bias")])


@module(nn.BatchNorm1d, nn.BatchNorm2d)
def batch_norm(step: Step) -> Value:
    layer: Any = step.module
    if layer.running_mean is None:
        raise Unknown(f"{step.label}: no running statistics")
    size = layer.num_features
    scale = step.parameter("weight") if layer.affine else step.writer.constant(np.ones(size, np.float32))
    bias = step.parameter("bias") if layer.affine else step.writer.constant(np.zeros(size, np.float32))
    statistics = [step.parameter("running_mean"), step.parameter("running_var")]
    return step.out("BatchNormalization", [step.tensor().name, scale, bias, *statistics], epsilon=layer.eps)


@module(nn.LayerNorm)
def layer_norm(step: Step) -> Value:
    layer: Any = step.module
    source = step.tensor()
    ones = np.ones(layer.normalized_shape, np.float32)
    inputs = [source.name, step.parameter("weight") if layer.weight is not None else step.writer.constant(ones)]
    if layer.bias is not None:
        inputs.append(step.parameter("bias"))
    return step.out("LayerNormalization", inputs, axis=-len(layer.normalized_shape), epsilon=layer.eps)


@module(nn.GroupNorm)
def group_norm(step: Step) -> Value:
    """As an instance normalisation over the groups, then a scale and a shift for each channel."""
    layer: Any = step.module
    source = step.tensor()
    sizes = [source.size(axis) for axis in range(1, source.rank)]
    grouped = step.inner("Reshape", [source.name, step.writer.integers([0, layer.num_groups, -1])])
    ones, zeros = (np.full(layer.num_groups, value, np.float32) for value in (1, 0))
    plain = [grouped, step.writer.constant(ones), step.writer.constant(zeros)]
    normed = step.inner("InstanceNormalization", plain, epsilon=layer.eps)
    spread = step.inner("Reshape", [normed, step.writer.integers([0, *sizes])])
    if not layer.affine:
        return step.out("Identity", [spread])
    axes = [-1] + [1] * (source.rank - 2)
    scale = step.writer.constant(layer.weight.detach().reshape(axes), f"{step.label}.weight")
    bias = step.writer.constant(layer.bias.detach().reshape(axes), f"{step.label}.bias")
    return step.out("Add", [step.inner("Mul", [spread, scale]), bias])


@module(LocalResponseNorm, nn.LocalResponseNorm)
def response_norm(step: Step) -> Value:
    """ONNX has this very layer, but ONNX Runtime raises every number to the power one by one: half of AlexNet's time.
    Spelled out, with the channels as the rows of a picture that is pooled, it takes a tenth of that. An even window
    lies differently in ONNX, so it is left to torch's exporter."""
    layer: Any = step.module
    source = step.tensor()
    if getattr(layer, "bypass", False):
        return step.out("Identity", [source.name])
    if layer.size % 2 == 0:
        raise Unknown(f"{step.label}: an even window")
    if source.rank != 4:
        attributes = {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta, "bias": float(layer.k)}
        return step.out("LRN", [source.name], **attributes)
    channels, height, width = (source.size(axis) for axis in (1, 2, 3))
    squares = step.inner("Mul", [source.name, source.name])
    rows = step.inner("Reshape", [squares, step.writer.integers([0, 1, channels, -1])])
    half = layer.size // 2
    pooled = step.inner(
        "AveragePool",
        [rows],
        kernel_shape=[layer.size, 1],
        strides=[1, 1],
        pads=[half, 0, half, 0],
        count_include_pad=1,
    )
    means = step.inner("Reshape", [pooled, step.writer.integers([0, channels, height, width])])
    scaled = step.inner("Mul", [means, step.operand(float(layer.alpha))])
    base = step.inner("Add", [scaled, step.operand(float(layer.k))])
    if layer.beta == 0.75:
        root = step.inner("Sqrt", [base])
        power = step.inner("Mul", [root, step.inner("Sqrt", [root])])
    else:
        power = step.inner("Pow", [base, step.operand(float(layer.beta))])
    return step.out("Div", [source.name, power])


@module(nn.MaxPool1d, nn.MaxPool2d)
def largest(step: Step) -> Value:
    layer: Any = step.module
    source = step.tensor()
    rank = source.rank - 2
    if layer.return_indices:
        raise Unknown(f"{step.label}: indices")
    pads = _pair(layer.padding, rank)
    return step.out(
        "MaxPool",
        [source.name],
        kernel_shape=_pair(layer.kernel_size, rank),
        strides=_pair(layer.stride if layer.stride is not None else layer.kernel_size, rank),
        pads=[*pads, *pads],
        dilations=_pair(layer.dilation, rank),
        ceil_mode=int(layer.ceil_mode),
    )


@module(nn.AvgPool1d, nn.AvgPool2d)
def average(step: Step) -> Value:
    layer: Any = step.module
    source = step.tensor()
    rank = source.rank - 2
    if getattr(layer, "divisor_override", None) or layer.ceil_mode:
        raise Unknown(f"{step.label}: an average with a divisor of its own, or rounded up")
    pads = _pair(layer.padding, rank)
    return step.out(
        "AveragePool",
        [source.name],
        kernel_shape=_pair(layer.kernel_size, rank),
        strides=_pair(layer.stride if layer.stride is not None else layer.kernel_size, rank),
        pads=[*pads, *pads],
        count_include_pad=int(layer.count_include_pad),
    )


@module(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
def adaptive(step: Step) -> Value:
    """Global pooling, or equal windows where the output size divides the input's."""
    layer: Any = step.module
    source = step.tensor()
    given = [source.size(axis) for axis in range(2, source.rank)]
    wanted = [step.value("").size(axis) for axis in range(2, source.rank)]
    kind = "Average" if isinstance(layer, (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)) else "Max"
    if all(size == 1 for size in wanted):
        return step.out(f"Global{kind}Pool", [source.name])
    if any(size % target for size, target in zip(given, wanted, strict=True)):
        raise Unknown(f"{step.label}: windows of unequal sizes")
    window = [size // target for size, target in zip(given, wanted, strict=True)]
    return step.out(f"{kind}Pool", [source.name], kernel_shape=window, strides=window)


# Functions whose arguments after the input are those of a layer without weights.
_AS_LAYERS: dict[str, type[nn.Module]] = {
    "max_pool2d": nn.MaxPool2d,
    "avg_pool2d": nn.AvgPool2d,
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
    "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
    "local_response_norm": nn.LocalResponseNorm,
    "response_norm": LocalResponseNorm,
}


@call(*_AS_LAYERS)
def as_layer(step: Step) -> Value:
    """A function written as the layer that does the same."""
    target: Any = step.node.target
    name = target if isinstance(target, str) else target.__name__
    options = {key: plain(value) for key, value in step.kwargs.items() if key != "input"}
    kind = _AS_LAYERS[name]
    return MODULES[kind](replace(step, module=kind(*plain(step.args[1:]), **options)))
