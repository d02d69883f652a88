"""Rules for layers with weights: who reads which channels, and who makes new ones."""

from __future__ import annotations

import math

import torch
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


def contract(call: Call, left: Flow, right: Flow) -> object:
    """left [..., i, k] times right [..., k, j]: what is summed over must be the same clusters on both sides."""
    ledger = call.ledger
    if left.shape[-1:] == () or left.labels.ndim < 2 or right.labels.ndim < 2:
        return protect_all(call, "it is multiplied as a vector")
    dims = (left.labels.ndim - 1, right.labels.ndim - 2)
    if dims[0] in ledger.varying(left.labels) or dims[1] in ledger.varying(right.labels):
        return _contract_channels(call, left, right)
    shape = call.value.shape
    positions = math.prod(shape) * left.shape[-1] // shape[0]
    carried = [(left, left.labels.ndim - 2), (right, right.labels.ndim - 1)]
    moving = [(flow, dim) for flow, dim in carried if dim in ledger.varying(flow.labels)]
    for flow, _ in carried:
        if len(moving) != 1 or flow is not moving[0][0]:
            ledger.protect(flow.labels, "it is multiplied with other activations")
    if len(moving) != 1:
        call.trace.contractions.append((torch.zeros(1, dtype=torch.long), positions))
        return call.fixed()
    flow, dim = moving[0]
    vector = _vector(flow.labels, dim)
    call.trace.contractions.append((vector, positions // vector.shape[0]))
    summed = -1 if flow is left else -2
    return Flow(flow.labels.narrow(summed, 0, 1).expand(shape), flow.clean)


def _contract_channels(call: Call, left: Flow, right: Flow) -> object:
    ledger = call.ledger
    first, second = ledger.along(left.labels, -1), ledger.along(right.labels, -2)
    if not (left.clean or right.clean):
        ledger.protect(first, "dead channels would still count in a product of activations")
        ledger.protect(second, "dead channels would still count in a product of activations")
    ledger.unite(first, second)
    shape = call.value.shape
    call.trace.contractions.append((first, math.prod(shape) // shape[0]))
    return call.fixed()


def _vector(labels: Tensor, dim: int) -> Tensor:
    """The labels along one dimension, at the start of all others."""
    for other in range(labels.ndim):
        if other != dim:
            labels = labels.narrow(other, 0, 1)
    return labels.flatten()


@rule("attention", "scaled_dot_product_attention")
def attention(call: Call) -> object:
    """softmax(q k^T / sqrt(E)) v: q and k [..., L, E] lose the same channels, v [..., S, Ev] its own."""
    ledger = call.ledger
    query, key, value = call.arg(0, "query"), call.arg(1, "key"), call.arg(2, "value")
    mask = call.arg(3, "attn_mask")
    if call.kwargs.get("enable_gqa") or not all(isinstance(part, Flow) for part in (query, key, value)):
        return protect_all(call, "it meets an operation that is not understood")
    if isinstance(mask, Flow):
        ledger.protect(mask.labels, "it is an attention mask")
    first, second = ledger.along(query.labels, -1), ledger.along(key.labels, -1)
    ledger.unite(first, second)
    if not (query.clean or key.clean):
        ledger.protect(first, "dead channels would still count in a product of activations")
    base = ledger.over(value.labels, (value.labels.ndim - 2,))
    shape = call.value.shape
    tokens, heads = key.shape[-2], math.prod(shape[1:-2])
    call.trace.contractions.append((first, heads * shape[-2] * tokens))
    call.trace.contractions.append((_vector(base, base.ndim - 1), heads * shape[-2] * tokens))
    return Flow(base.expand(shape), value.clean)


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
