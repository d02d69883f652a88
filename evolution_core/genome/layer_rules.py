"""Rules for layers with weights: who reads which channels, and who makes new ones."""

from __future__ import annotations

import math

from torch import Tensor

from .flows import Call, Flow, Parameter, rule


def _produce(call: Call, weight: Parameter, axis: int, count: int) -> Tensor:
    """[count] labels of the channels that a layer makes: the same ones when the layer is used again."""
    ledger = call.ledger
    known = ledger.owners.get(weight.name, {}).get(weight.axes[axis])
    labels = known if known is not None and known.shape == (count,) else ledger.fresh(count)
    labels = ledger.own(weight.name, weight.axes[axis], labels)
    bias = call.parameter("bias", 2)
    if bias is not None:
        ledger.own(bias.name, bias.axes[0], labels)
    ledger.producers.setdefault(call.layer, labels)
    return labels


def _spread(labels: Tensor, dim: int, shape: tuple[int, ...]) -> Tensor:
    """Labels along one dimension, expanded to a whole activation's shape."""
    sizes = [1] * len(shape)
    sizes[dim] = labels.shape[0]
    return labels.view(sizes).expand(shape)


def protect_all(call: Call, reason: str) -> object:
    """Nothing that flows in can be cut, and nothing of what comes out."""
    for flow in call.flows():
        call.ledger.protect(flow.labels, reason)
    return call.fixed()


@rule("layer", "linear", "Linear")
def linear(call: Call) -> object:
    """x [..., in] with weight [out, in]."""
    x = call.input
    weight = call.parameter("weight", 1)
    if weight is None or len(weight.axes) != 2 or call.is_computed("bias", 2):
        return protect_all(call, "it feeds a linear layer whose weights are computed")
    call.ledger.own(weight.name, weight.axes[1], call.ledger.along(x.labels, -1))
    labels = _produce(call, weight, 0, x_out := call.value.shape[-1])
    call.trace.work.append((weight.name, math.prod(call.value.shape) // (x_out * call.value.shape[0])))
    return Flow(_spread(labels, len(call.value.shape) - 1, call.value.shape))


@rule("layer", "matmul", "mm", "__matmul__", "bmm")
def matmul(call: Call) -> object:
    """A product with a parameter [in, out] is a linear layer; of two activations, a contraction."""
    left, right = call.arg(0, "input"), call.arg(1, "other", call.kwargs.get("mat2"))
    if not isinstance(left, Flow) or not isinstance(right, Flow):
        return protect_all(call, "it meets an operation that is not understood")
    weight = call.parameter_of(right)
    if weight is not None and len(weight.axes) == 2 and left.parameter is None:
        call.ledger.own(weight.name, weight.axes[0], call.ledger.along(left.labels, -1))
        known = call.ledger.owners[weight.name].get(weight.axes[1])
        labels = known if known is not None else call.ledger.fresh(right.shape[1])
        labels = call.ledger.own(weight.name, weight.axes[1], labels)
        call.ledger.producers.setdefault(weight.name.removesuffix(".weight"), labels)
        positions = math.prod(call.value.shape) // (call.value.shape[-1] * call.value.shape[0])
        call.trace.work.append((weight.name, positions))
        return Flow(_spread(labels, len(call.value.shape) - 1, call.value.shape))
    from .product_rules import contract

    return contract(call, left, right)


@rule("layer", "addmm")
def addmm(call: Call) -> object:
    """bias + x @ weight with parameters is a linear layer."""
    bias, x, right = call.arg(0, "input"), call.arg(1, "mat1"), call.arg(2, "mat2")
    weight, added = call.parameter_of(right), call.parameter_of(bias)
    if weight is None or added is None or len(added.axes) != 1 or {"beta", "alpha"} & set(call.kwargs):
        return protect_all(call, "it meets an operation that is not understood")
    call.ledger.own(weight.name, weight.axes[0], call.ledger.along(x.labels, -1))
    known = call.ledger.owners[weight.name].get(weight.axes[1])
    labels = known if known is not None else call.ledger.fresh(right.shape[1])
    labels = call.ledger.own(weight.name, weight.axes[1], labels)
    call.ledger.own(added.name, added.axes[0], labels)
    call.ledger.producers.setdefault(weight.name.removesuffix(".weight"), labels)
    call.trace.work.append((weight.name, 1))
    return Flow(_spread(labels, 1, call.value.shape))


def _geometry(call: Call) -> tuple[int, int]:
    """(groups, spatial dimensions) of a convolution in either form."""
    spatial = int(call.name[-2])
    if call.module is not None:
        return int(call.module.groups), spatial  # type: ignore[arg-type]
    return int(call.arg(6, "groups", 1)), spatial


@rule("layer", "conv1d", "conv2d", "conv3d", "Conv1d", "Conv2d", "Conv3d")
def convolution(call: Call) -> object:
    """x [N, in, ...] with weight [out, in / groups, ...]."""
    x, weight = call.input, call.parameter("weight", 1)
    if weight is None or weight.axes[:2] != (0, 1) or call.is_computed("bias", 2):
        return protect_all(call, "it feeds a convolution whose weights are computed")
    groups, spatial = _geometry(call)
    channel = x.labels.ndim - spatial - 1
    ledger = call.ledger
    read = ledger.along(x.labels, channel)
    shape = call.value.shape
    count = shape[channel]
    positions = math.prod(shape[channel + 1 :])
    call.trace.work.append((weight.name, positions))
    if groups > 1 and weight.tensor.shape[1] == 1:
        return _depthwise(call, weight, read, channel)
    if groups == 1:
        ledger.own(weight.name, 1, read)
    else:
        grid = ledger.own(weight.name, 1, read.view(groups, -1))
        ledger.constrain(grid)
    labels = _produce(call, weight, 0, count)
    if groups > 1:
        ledger.constrain(labels.view(groups, -1))
    return Flow(_spread(labels, channel, shape))


def _depthwise(call: Call, weight: Parameter, read: Tensor, channel: int) -> Flow:
    """One filter (or a few) for each channel: they live and die with the channel they read."""
    labels = read.repeat_interleave(weight.tensor.shape[0] // read.shape[0])
    labels = call.ledger.own(weight.name, 0, labels)
    bias = call.parameter("bias", 2)
    if bias is not None:
        call.ledger.own(bias.name, bias.axes[0], labels)
    call.trace.kinds[call.node.name] = "depthwise"
    return Flow(_spread(labels, channel, call.value.shape))


@rule("layer", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
@rule("layer", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
def transposed_convolution(call: Call) -> object:
    """x [N, in, ...] with weight [in, out / groups, ...]."""
    x, weight = call.input, call.parameter("weight", 1)
    if weight is None or weight.axes[:2] != (0, 1) or call.is_computed("bias", 2):
        return protect_all(call, "it feeds a convolution whose weights are computed")
    groups, spatial = _geometry(call)
    ledger, channel = call.ledger, x.labels.ndim - spatial - 1
    read = ledger.along(x.labels, channel)
    call.trace.work.append((weight.name, math.prod(x.shape[channel + 1 :])))
    ledger.own(weight.name, 0, read)
    if groups == 1:
        labels = _produce(call, weight, 1, call.value.shape[channel])
        return Flow(_spread(labels, channel, call.value.shape))
    ledger.constrain(read.view(groups, -1))
    count = call.value.shape[channel]
    known = ledger.owners[weight.name].get(1)
    labels = known.flatten() if known is not None else ledger.fresh(count)
    ledger.constrain(ledger.own(weight.name, 1, labels.view(groups, -1)))
    bias = call.parameter("bias", 2)
    if bias is not None:
        ledger.own(bias.name, 0, labels)
    ledger.producers.setdefault(call.layer, labels)
    return Flow(_spread(labels, channel, call.value.shape))


@rule("layer", "embedding", "Embedding")
def embedding(call: Call) -> object:
    """Indices [...] into weight [entries, out]: makes channels, reads none."""
    weight = call.parameter("weight", 1)
    for flow in call.flows():
        if flow.parameter is None:
            call.ledger.protect(flow.labels, "it is used as an index")
    if weight is None or weight.axes != (0, 1):
        return call.fixed()
    count = call.value.shape[-1]
    known = call.ledger.owners.get(weight.name, {}).get(1)
    labels = call.ledger.own(weight.name, 1, known if known is not None else call.ledger.fresh(count))
    call.ledger.producers.setdefault(call.layer, labels)
    return Flow(_spread(labels, len(call.value.shape) - 1, call.value.shape))
