"""Rules for element-wise operations: what they join is one cluster."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .flows import Call, Flow, flows_in, map_flows, rule, words
from .ledger import FIXED, Ledger

_FUNCTIONS = words(
    """
    relu relu_ relu6 leaky_relu leaky_relu_ prelu_scalar elu elu_ selu celu gelu silu mish softplus softsign
    hardswish hardsigmoid hardtanh hardtanh_ tanh tanh_ sigmoid sigmoid_ logsigmoid tanhshrink softshrink
    hardshrink threshold rrelu exp expm1 log log1p log2 log10 sqrt rsqrt square abs abs_ absolute neg negative
    sign sin cos tan asin acos atan sinh cosh erf erfc ceil floor round trunc frac reciprocal clamp clamp_
    clamp_min clamp_max clip nan_to_num dropout dropout_ feature_dropout alpha_dropout pow pow_ logit deg2rad
    add add_ iadd sub sub_ isub mul mul_ imul div div_ truediv itruediv floordiv true_divide divide multiply
    subtract maximum minimum fmax fmin atan2 remainder mod fmod lerp where masked_fill masked_fill_ addcmul
    addcdiv hypot eq ne lt le gt ge logical_and logical_or logical_not and_ or_ xor invert pos isnan isfinite
    __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__ __rtruediv__
    __pow__ __neg__ float double half bfloat16 to type type_as contiguous clone detach requires_grad_
    zeros_like ones_like full_like
    """
)
_MODULES = words(
    """
    ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Softplus Softsign Hardswish Hardsigmoid Hardtanh Tanh
    Sigmoid LogSigmoid Tanhshrink Softshrink Hardshrink Threshold RReLU Identity Dropout Dropout1d Dropout2d
    Dropout3d AlphaDropout FeatureAlphaDropout
    """
)


def join(ledger: Ledger, flows: list[Flow]) -> Tensor:
    """The labels of an element-wise result: labels that meet are united; what is broadcast is protected, not united."""
    shape = torch.broadcast_shapes(*(flow.shape for flow in flows))
    result: Tensor | None = None
    for flow in flows:
        labels = _aligned(flow.labels, shape)
        others = [_aligned(other.labels, shape) for other in flows if other is not flow]
        stretched = _stretched(flow.labels, shape)
        if any(set(stretched) & set(ledger.varying(other)) for other in others):
            ledger.protect(labels, "it is broadcast over the channels of another")
            continue
        if result is None:
            result = labels
        else:
            ledger.unite(*torch.broadcast_tensors(result, labels))
            if bool((result == FIXED).any()) and not bool((labels == FIXED).any()):
                result = labels
    return torch.zeros((), dtype=torch.long).expand(shape) if result is None else result.expand(shape)


def _aligned(labels: Tensor, shape: torch.Size) -> Tensor:
    return labels.expand(shape)


def _stretched(labels: Tensor, shape: torch.Size) -> list[int]:
    """The dimensions along which a tensor of size 1 (or none) is broadcast to more."""
    missing = len(shape) - labels.ndim
    return [d for d in range(len(shape)) if shape[d] > 1 and (d < missing or labels.shape[d - missing] == 1)]


@rule("pointwise", *_FUNCTIONS, *_MODULES)
def pointwise(call: Call) -> object:
    """Any number of tensors, element by element."""
    flows = call.flows()
    if not flows or not hasattr(call.value, "shape"):
        return call.fixed()
    values = [flow for flow in flows if flow.labels.ndim > 0]
    if not values:
        return call.fixed()
    clean, finite = _probe(call)
    if not finite:
        for flow in values:
            call.ledger.protect(flow.labels, "the operation on it is not finite at zero")
    labels = join(call.ledger, values)
    if tuple(labels.shape) != call.value.shape:
        labels = labels.expand(call.value.shape)
    return Flow(labels, clean)


def _probe(call: Call) -> tuple[bool, bool]:
    """(is the result zero where all clean inputs are zero, is it finite there), found by trying."""
    generator = torch.Generator().manual_seed(0)
    noise = lambda: torch.rand(16, generator=generator) * 2 + 0.25  # noqa: E731
    try:
        results = []
        for sign in (1.0, -1.0):
            put = lambda flow, sign=sign: torch.zeros(16) if _is_clean(flow) else noise() * sign  # noqa: E731
            results.append(_execute(call, put).double().cpu())
        result = torch.stack(results)
    except Exception:  # an operation that does not take such inputs: nothing is known about zeros
        return False, True
    zeros_in = any(_is_clean(flow) for flow in call.flows())
    return bool((result == 0).all()) and zeros_in, bool(torch.isfinite(result).all()) or not zeros_in


def _is_clean(flow: Flow) -> bool:
    return flow.clean and not flow.is_free


def _execute(call: Call, put: object) -> Tensor:
    args, kwargs = map_flows((call.args, call.kwargs), put)  # type: ignore[arg-type]
    kwargs = {key: (False if key == "inplace" else value) for key, value in kwargs.items()}
    if call.module is not None:
        return call.module(*args, **kwargs)
    if call.node.op == "call_method":
        return getattr(args[0], call.name)(*args[1:], **kwargs)
    return call.node.target(*args, **kwargs)  # type: ignore[operator]


@rule("pointwise", "PReLU", "prelu")
def prelu(call: Call) -> object:
    """One slope for all channels, or one for each of dimension 1."""
    x = call.input
    weight = call.parameter("weight", 1)
    if weight is None:
        for flow in flows_in(call.args):
            call.ledger.protect(flow.labels, "its slope is computed")
        return call.fixed()
    if weight.tensor.numel() > 1:
        call.ledger.own(weight.name, weight.axes[0], call.ledger.along(x.labels, 1))
    return Flow(x.labels, x.clean)


@rule("gate", "glu", "GLU")
def glu(call: Call) -> object:
    """The first half gated by the second, along `dim`: halves are joined pairwise."""
    dim: Any = call.module.dim if call.module is not None else call.arg(1, "dim", -1)
    x = call.input
    first, second = x.labels.chunk(2, dim)
    call.ledger.unite(first, second)
    return Flow(first, x.clean)


@rule("normalisation", "softmax", "log_softmax", "softmin", "normalize", "cumsum", "cumprod", "Softmax", "LogSoftmax")
@rule("normalisation", "logcumsumexp", "Softmin", "gumbel_softmax", "standard_gamma")
def mixing(call: Call) -> object:
    """Operations of the same shape that mix elements along one dimension: channels there cannot be cut."""
    position = {"normalize": 2, "gumbel_softmax": 4}.get(call.name, 1)
    default = 1 if call.name == "normalize" else -1
    dim = getattr(call.module, "dim", None) if call.module is not None else call.arg(position, "dim", default)
    x = call.input
    if not isinstance(dim, int) or dim % x.labels.ndim in call.ledger.varying(x.labels):
        call.ledger.protect(x.labels, f"{call.name} mixes its channels")
    return Flow(x.labels, x.clean and call.name in ("cumsum",))
