"""Rules for normalisations, pooling and reductions: what happens inside or across channels."""

from __future__ import annotations

import torch

from .flows import Call, Flow, fixed, rule
from .graph import Spec
from .layer_rules import protect_all


@rule("normalisation", "batch_norm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")
@rule("normalisation", "instance_norm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
def batch_norm(call: Call) -> object:
    """Statistics, scale and shift for each channel of dimension 1."""
    x = call.input
    positions = {"running_mean": 1, "running_var": 2, "weight": 3, "bias": 4}
    if any(call.is_computed(key, position) for key, position in positions.items()):
        return protect_all(call, "its normalisation's parameters are computed")
    ids = call.ledger.along(x.labels, 1)
    affine = False
    for key, position in positions.items():
        parameter = call.parameter(key, position)
        if parameter is not None:
            call.ledger.own(parameter.name, parameter.axes[0], ids)
            affine = affine or key == "weight"
    instance = "nstance" in call.name
    return Flow(x.labels, affine or (instance and x.clean))


@rule("normalisation", "group_norm", "GroupNorm")
def group_norm(call: Call) -> object:
    """Statistics over whole groups of channels: a group lives or dies as one."""
    x, ledger = call.input, call.ledger
    groups = int(call.module.num_groups if call.module is not None else call.arg(1, "num_groups"))  # type: ignore
    ids = ledger.along(x.labels, 1).view(groups, -1)
    ledger.unite(ids, ids[:, :1].expand_as(ids))
    if groups == 1:
        ledger.protect(ids, "its normalisation mixes all channels")
    for key, position in (("weight", 2), ("bias", 3)):
        if call.is_computed(key, position):
            return protect_all(call, "its normalisation's parameters are computed")
        parameter = call.parameter(key, position)
        if parameter is not None:
            ledger.own(parameter.name, parameter.axes[0], ids.flatten())
    return Flow(x.labels, x.clean)


@rule("normalisation", "layer_norm", "LayerNorm", "rms_norm", "RMSNorm")
def layer_norm(call: Call) -> object:
    """Statistics over the last dimensions: channels there cannot be cut."""
    x = call.input
    shape = call.module.normalized_shape if call.module is not None else call.arg(1, "normalized_shape")
    count = len(shape) if isinstance(shape, (tuple, list, torch.Size)) else 1
    if any(dim >= x.labels.ndim - count for dim in call.ledger.varying(x.labels)):
        call.ledger.protect(x.labels, "its normalisation mixes all channels")
    for flow in call.flows()[1:]:
        call.ledger.protect(flow.labels, "its normalisation mixes all channels")
    return Flow(x.labels, False)


@rule("normalisation", "LocalResponseNorm", "CrossMapLRN2d", "local_response_norm")
def local_response_norm(call: Call) -> object:
    """Mixes neighbouring channels by nature: cut all the same, proven with the normalisation bypassed."""
    return Flow(call.input.labels, call.input.clean)


_WINDOWS = [
    f"{adaptive}{kind}_pool{n}d" for adaptive in ("", "adaptive_") for kind in ("max", "avg") for n in (1, 2, 3)
] + [f"lp_pool{n}d" for n in (1, 2, 3)]
_WINDOW_MODULES = [
    f"{adaptive}{kind}Pool{n}d" for adaptive in ("", "Adaptive") for kind in ("Max", "Avg") for n in (1, 2, 3)
] + [f"LPPool{n}d" for n in (1, 2, 3)]
_RESIZES = ["interpolate", "upsample", "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"]


@rule("window", *_WINDOWS, *_WINDOW_MODULES, *_RESIZES)
def window(call: Call) -> object:
    """Pooling and resizing: work on each channel's image alone."""
    x = call.input
    spatial = int(call.name[-2]) if call.name[-1] == "d" and call.name[-2].isdigit() else x.labels.ndim - 2
    if call.name in _RESIZES:
        spatial = x.labels.ndim - 2
    base = call.ledger.over(x.labels, tuple(range(x.labels.ndim - spatial, x.labels.ndim)))
    spread = lambda spec: Flow(base.expand(spec.shape), x.clean)  # noqa: E731
    return spread(call.value) if isinstance(call.value, Spec) else tuple(spread(spec) for spec in call.value)


@rule("reduction", "sum", "mean", "max", "min", "amax", "amin", "prod", "norm", "std", "var", "logsumexp", "argmax")
@rule("reduction", "argmin", "all", "any", "median", "std_mean", "var_mean", "nansum", "nanmean", "count_nonzero")
def reduction(call: Call) -> object:
    """Over some dimensions: free where labels do not differ along them. A plain sum may even lose clean channels."""
    from .joining_rules import pointwise

    if call.name in ("max", "min") and len(call.flows()) > 1:
        return pointwise(call)
    x = call.input
    position = 2 if call.name in ("norm",) else 1
    dims, keep = call.arg(position, "dim", call.kwargs.get("axis")), call.arg(position + 1, "keepdim", False)
    ndim = x.labels.ndim
    if isinstance(dims, bool) or not isinstance(dims, (int, tuple, list, type(None))):
        return protect_all(call, "it meets an operation that is not understood")
    chosen = range(ndim) if dims is None or dims in ((), []) else [dims] if isinstance(dims, int) else dims
    over = sorted(dim % ndim for dim in chosen)
    varying = set(call.ledger.varying(x.labels))
    if varying & set(over) and varying - set(over):  # what is reduced differs, what stays too: one cluster each
        call.ledger.over(x.labels, tuple(over))
    elif varying & set(over):
        if call.name != "sum" or not x.clean:
            call.ledger.protect(x.labels, f"{call.name} mixes its channels")
        return fixed(call.value)
    base = x.labels
    for dim in reversed(over):
        base = base.narrow(dim, 0, 1) if keep is True else base.select(dim, 0)
    clean = x.clean and call.name not in ("logsumexp", "argmax", "argmin", "all")
    spread = lambda spec: Flow(base.expand(spec.shape), clean)  # noqa: E731
    return spread(call.value) if isinstance(call.value, Spec) else tuple(spread(spec) for spec in call.value)


@rule("reduction", "size", "dim", "ndimension", "numel", "nelement", "len", "__len__", "is_floating_point")
def question(call: Call) -> object:
    """Questions about a shape: plain values, asked again of the offspring."""
    return call.value


@rule("source", "zeros", "ones", "full", "new_zeros", "new_ones", "new_full")
def constant(call: Call) -> object:
    """A tensor made of one number: its channels (dimension 1) get labels of their own, which joins then unite."""
    shape = call.value.shape
    if len(shape) < 2:
        return call.fixed()
    labels = call.ledger.fresh(shape[1])
    sizes = [1] * len(shape)
    sizes[1] = shape[1]
    return Flow(labels.view(sizes).expand(shape), "zeros" in call.name)
