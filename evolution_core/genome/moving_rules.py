"""The rule for operations that only move elements: they are executed on the labels, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .flows import Call, Flow, flows_in, map_flows, rule, words
from .layer_rules import protect_all

_MOVERS = words(
    """
    view reshape flatten unflatten ravel permute transpose transpose_ t swapaxes swapdims movedim moveaxis
    adjoint squeeze unsqueeze squeeze_ unsqueeze_ expand expand_as broadcast_to view_as reshape_as repeat tile
    repeat_interleave chunk split split_with_sizes tensor_split unbind narrow select getitem __getitem__ cat
    concat concatenate stack hstack vstack dstack column_stack roll flip fliplr flipud rot90 pixel_shuffle
    pixel_unshuffle channel_shuffle native_channel_shuffle unfold index_select diagonal
    """
)
_MOVING_MODULES = words(
    """
    Flatten Unflatten PixelShuffle PixelUnshuffle ChannelShuffle Unfold
    """
)


def execute(call: Call, put: Callable[[Flow], Tensor]) -> Any:
    """Run the operation itself on other tensors: each Flow replaced by `put(flow)`.

    Where torch has no integer kernel it runs in float64, in which every label is exact.
    """
    try:
        return _run(call, put)
    except (RuntimeError, NotImplementedError):
        result = _run(call, lambda flow: put(flow) if _is_index(call, flow) else put(flow).double())
        back = lambda part: part.round().long()  # noqa: E731
        return back(result) if isinstance(result, Tensor) else tuple(back(part) for part in result)


def _run(call: Call, put: Callable[[Flow], Tensor]) -> Any:
    args, kwargs = map_flows((call.args, call.kwargs), put)
    if call.module is not None:
        return call.module(*args, **kwargs)
    if call.node.op == "call_method":
        return getattr(args[0], call.name)(*args[1:], **kwargs)
    return call.node.target(*args, **kwargs)  # type: ignore[operator]


def _is_index(call: Call, flow: Flow) -> bool:
    return any(flow is part for part in indices(call))


def indices(call: Call) -> list[Flow]:
    """The tensors among the arguments that say where, not what."""
    if call.name == "index_select":
        return flows_in((call.args[2:], call.kwargs.get("index")))
    if call.name in ("getitem", "__getitem__"):
        return flows_in(call.args[1:])
    if call.name == "repeat_interleave":
        return flows_in((call.args[1:], call.kwargs.get("repeats")))
    return []


def constant_index(call: Call, flow: Flow) -> Tensor | None:
    """An index's numbers, when it is a buffer of the model that nothing changes."""
    if flow.parameter is None or flow.index is None:
        return None
    tensor = call.trace.parameter_tensor(flow.parameter)
    return tensor.cpu().flatten()[flow.index] if not tensor.is_floating_point() else None


@rule("mover", *_MOVERS, *_MOVING_MODULES)
def mover(call: Call) -> object:
    """Execute on labels; whatever came from one parameter stays known as a piece of it."""
    flows, where = call.flows(), indices(call)
    moved = [flow for flow in flows if not any(flow is index for index in where)]
    numbers = {id(flow): constant_index(call, flow) for flow in where}
    if any(value is None for value in numbers.values()) or not moved:
        return protect_all(call, "it is indexed by computed positions")
    labels = execute(call, lambda flow: numbers.get(id(flow), flow.labels))  # type: ignore[arg-type,return-value]
    clean = all(flow.clean for flow in moved)
    if len(moved) == 1 and moved[0].parameter is not None and moved[0].index is not None:
        positions = execute(call, lambda flow: numbers.get(id(flow), moved[0].index))  # type: ignore[arg-type,return-value]
        name = moved[0].parameter
        pair = lambda part, index: Flow(part, clean, name, index)  # noqa: E731
        return pair(labels, positions) if isinstance(labels, Tensor) else tuple(map(pair, labels, positions))
    return Flow(labels, clean) if isinstance(labels, Tensor) else tuple(Flow(part, clean) for part in labels)


_PADS = [f"{kind}Pad{n}d" for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for n in (1, 2, 3)]


@rule("mover", "pad", "constant_pad_nd", *_PADS)
def pad(call: Call) -> object:
    """New elements get new labels along a dimension of channels, and their channel's label elsewhere."""
    x = call.input
    amounts = call.module.padding if call.module is not None else call.arg(1, "pad")
    value = getattr(call.module, "value", 0.0) if call.module is not None else call.arg(3, "value", 0.0)
    amounts = (amounts,) * 4 if isinstance(amounts, int) else tuple(amounts)  # type: ignore[arg-type]
    if not all(isinstance(amount, int) for amount in amounts):
        return protect_all(call, "it is padded by a computed amount")
    labels, clean = x.labels, x.clean and (value in (None, 0, 0.0))
    varying = call.ledger.varying(labels)
    mirrored = call.arg(2, "mode", "constant") != "constant" or call.name[:4] in ("Refl", "Repl", "Circ")
    padded = {labels.ndim - 1 - at // 2 for at, amount in enumerate(amounts) if amount}
    if mirrored and padded & set(varying):
        return protect_all(call, "its channels are mirrored")
    for pair in range(len(amounts) // 2):
        dim = labels.ndim - 1 - pair
        labels = _pad_dim(call, labels, dim, amounts[2 * pair], amounts[2 * pair + 1], dim in varying)
    return Flow(labels, clean)


def _pad_dim(call: Call, labels: Tensor, dim: int, before: int, after: int, channels: bool) -> Tensor:
    if before < 0:
        labels = labels.narrow(dim, -before, labels.shape[dim] + before)
    if after < 0:
        labels = labels.narrow(dim, 0, labels.shape[dim] + after)
    if before <= 0 and after <= 0:
        return labels
    shape = list(labels.shape)
    if not channels:
        shape[dim] += max(before, 0) + max(after, 0)
        return labels.narrow(dim, 0, 1).expand(shape)
    parts = [labels]
    for amount, first in ((before, True), (after, False)):
        if amount > 0:
            sizes = [1] * len(shape)
            sizes[dim] = amount
            new = call.ledger.fresh(amount).view(sizes).expand([*shape[:dim], amount, *shape[dim + 1 :]])
            parts.insert(0, new) if first else parts.append(new)
    return torch.cat(parts, dim)


@rule("mover", "getattr")
def attribute(call: Call) -> object:
    """`x.shape` is a question; `x.T`, `x.mT` move elements."""
    if not isinstance(call.args[0], Flow) or call.args[1] not in ("T", "mT", "H", "mH", "data"):
        return call.value
    x = call.args[0]
    move = lambda part: getattr(part, call.args[1])  # noqa: E731
    return Flow(move(x.labels), x.clean, x.parameter, None if x.index is None else move(x.index))
