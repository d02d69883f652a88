"""Spellings that an operation on a smaller tensor may need, simplest first. Each is tried on element numbers."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx

from .clusters import Axis

if TYPE_CHECKING:
    from .rewriting import World


@dataclass
class Candidate:
    """A call to put in a node's place. `select` takes positions along a dimension of its result, in that order."""

    op: str
    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    select: tuple[int, Tensor] | None = None
    shape: tuple[int, ...] = ()  # of the result before selecting, where that is a step of its own

    @property
    def only_selects(self) -> bool:
        """Whether the call itself does nothing, so that selecting from its input is all there is to do."""
        return self.target is operator.getitem and self.args[1:] == ((slice(None),),)

    def is_same(self, node: fx.Node) -> bool:
        return (self.op, self.target, self.args, self.kwargs, self.select) == (
            node.op,
            node.target,
            node.args,
            dict(node.kwargs),
            None,
        )

    def get(self, position: int, key: str, default: Any = None) -> Any:
        return self.args[position] if len(self.args) > position else self.kwargs.get(key, default)

    def put(self, position: int, key: str, value: Any) -> bool:
        """Set an argument; whether that changed it."""
        if self.get(position, key) == value:
            return False
        if len(self.args) > position:
            self.args = (*self.args[:position], value, *self.args[position + 1 :])
        else:
            self.kwargs = {**self.kwargs, key: value}
        return True


def original(node: fx.Node) -> Candidate:
    return Candidate(node.op, node.target, tuple(node.args), dict(node.kwargs))


def candidates(node: fx.Node, world: World, small: dict[fx.Node, Any], expected: Any) -> Iterator[Candidate]:
    """The operation as it is, then with its sizes, pieces, slices or padding written anew."""
    yield original(node)
    name = _name(node, world)
    if isinstance(expected, tuple):
        yield from _pieces(node, world, expected, name)
        return
    if not isinstance(expected, Tensor):
        return
    if name in _SHAPED:
        yield from _shaped(node, world, expected)
    if name in ("unflatten", "Unflatten"):
        yield from _unflattened(node, world, expected)
    if "pad" in name.lower():
        yield from _padded(node, world)
    if name in ("getitem", "__getitem__"):
        yield from _sliced(node, world, small, expected)
    yield from _selected(node, world, small, expected)


def _name(node: fx.Node, world: World) -> str:
    if node.op == "call_module":
        return type(world.clusters.movers[str(node.target)]).__name__
    return str(node.target) if node.op == "call_method" else str(getattr(node.target, "__name__", ""))


_SHAPED = frozenset(
    [
        "view",
        "reshape",
        "expand",
        "broadcast_to",
        "zeros",
        "ones",
        "full",
        "new_zeros",
        "new_ones",
        "new_full",
        "_reshape_alias",
        "repeat",
    ]
)


def _shaped(node: fx.Node, world: World, expected: Tensor) -> Iterator[Candidate]:
    """Sizes among the arguments, as one tuple or one by one: what differs from the expected shape is replaced."""
    first = 0 if node.op == "call_function" and node.target in (torch.zeros, torch.ones, torch.full) else 1
    sizes = list(node.args[first:])
    packed = bool(sizes) and isinstance(sizes[0], (tuple, list))
    rest: list[Any] = []
    if packed:
        sizes, rest = list(sizes[0]), sizes[1:]  # type: ignore[arg-type]
    key = next((k for k in ("shape", "size") if k in node.kwargs), None)
    if not sizes and key is not None:
        sizes = list(node.kwargs[key])  # type: ignore[arg-type]
    if len(sizes) != expected.ndim:
        return
    cut = world.clusters.axes.get(node.name)
    written: list[Any] = []
    for dim, (size, wanted) in enumerate(zip(sizes, expected.shape, strict=True)):
        if world.new(size) in (-1, wanted):
            written.append(size)
        elif isinstance(cut, Axis) and cut.dim == dim:
            written.append(wanted)
        else:  # computed from channels, yet not their number: the batch's, for all that is known
            written.append(-1)
    if sum(world.new(size) == -1 for size in written) > 1:
        return
    kwargs = dict(node.kwargs)
    if not node.args[first:] and key is not None:
        yield Candidate(node.op, node.target, tuple(node.args), {**kwargs, key: tuple(written)})
    elif packed:
        yield Candidate(node.op, node.target, (*node.args[:first], tuple(written), *rest), kwargs)
    else:
        yield Candidate(node.op, node.target, (*node.args[:first], *written), kwargs)


def _unflattened(node: fx.Node, world: World, expected: Tensor) -> Iterator[Candidate]:
    """One dimension into several: the several sizes are what is expected there."""
    if node.op == "call_module":
        module: Any = world.clusters.movers[str(node.target)]
        dim, count = module.dim, len(module.unflattened_size)
    else:
        original_call = original(node)
        dim, sizes = original_call.get(1, "dim"), original_call.get(2, "sizes")
        count = len(sizes)
    source = node.args[0] if node.args else node.kwargs["input"]
    if isinstance(dim, int):
        dim = dim % (expected.ndim - count + 1)
        sizes = tuple(expected.shape[dim : dim + count])
        yield Candidate("call_method", "unflatten", (source, dim, sizes))


def _pieces(node: fx.Node, world: World, expected: tuple[Any, ...], name: str) -> Iterator[Candidate]:
    """chunk and split: pieces of whatever size is left of each."""
    if name not in ("chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split"):
        return
    call = original(node)
    dim = world.new(call.get(2, "dim", 0))
    source = node.args[0] if node.args else node.kwargs["input"]
    yield Candidate("call_function", torch.split, (source, [part.shape[dim] for part in expected], dim))


def _padded(node: fx.Node, world: World) -> Iterator[Candidate]:
    """Channel padding: only the new channels that live are added."""
    axes = world.clusters.axes.get(node.name)
    call = original(node)
    if node.op == "call_module":
        module: Any = world.clusters.movers[str(node.target)]
        amounts, value, mode = module.padding, getattr(module, "value", 0.0), "constant"
    else:
        amounts, mode, value = call.get(1, "pad"), call.get(2, "mode", "constant"), call.get(3, "value")
    if axes is None or mode != "constant" or not isinstance(amounts, (tuple, list)):
        return
    shape = world.clusters.values[node.name].shape
    place = 2 * (len(shape) - 1 - axes.dim)
    amounts = list(world.new(tuple(amounts)))
    if place >= len(amounts) or amounts[place] < 0 or amounts[place + 1] < 0:
        return
    living = torch.cat([world.alive, world.alive.new_ones(1)])[axes.ids]
    before, after = amounts[place], amounts[place + 1]
    amounts[place] = int(living[:before].sum())
    amounts[place + 1] = int(living[living.shape[0] - after :].sum())
    yield Candidate("call_function", torch.nn.functional.pad, (call.get(0, "input"), tuple(amounts), "constant", value))


def _sliced(node: fx.Node, world: World, small: dict[fx.Node, Any], expected: Tensor) -> Iterator[Candidate]:
    """x[..., a:b]: the slice of the dimension that is cut is opened, and what is expected is taken from there."""
    source, index = node.args
    if not isinstance(source, fx.Node) or not isinstance(small.get(source), Tensor):
        return
    axes = world.clusters.axes.get(source.name)
    if axes is None:
        return
    entries = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(entry, (fx.Node, Tensor, list)) for entry in entries):
        return
    taken = sum(entry is not None and entry is not Ellipsis for entry in entries)
    rest = [slice(None)] * (small[source].ndim - taken)
    if Ellipsis in entries:
        place = entries.index(Ellipsis)
        entries[place : place + 1] = rest
    else:
        entries += rest
    places = [i for i, entry in enumerate(entries) if entry is not None]
    if not isinstance(entries[places[axes.dim]], slice):
        return
    entries[places[axes.dim]] = slice(None)
    whole = all(entry == slice(None) for entry in entries)
    opened = Candidate("call_function", operator.getitem, (source, (slice(None),) if whole else tuple(entries)))
    try:
        found = small[source][world.new(tuple(entries))]
    except (TypeError, IndexError):
        return
    dim = sum(not isinstance(entry, int) for entry in entries[: places[axes.dim]])
    where = _positions(found, expected, dim)
    if where is None:
        return
    straight = _as_slice(where)
    if straight is not None:
        entries[places[axes.dim]] = straight
        yield Candidate("call_function", operator.getitem, (source, tuple(entries)))
    opened.select, opened.shape = (dim, where), tuple(found.shape)
    yield opened


def _selected(node: fx.Node, world: World, small: dict[fx.Node, Any], expected: Tensor) -> Iterator[Candidate]:
    """Whatever takes elements along the dimension that is cut, as a slice or as an index."""
    for source in node.all_input_nodes:
        axes = world.clusters.axes.get(source.name)
        if not isinstance(small.get(source), Tensor) or not isinstance(axes, Axis):
            continue
        where = _positions(small[source], expected, axes.dim)
        if where is None:
            continue
        straight = _as_slice(where)
        if straight is not None:
            yield Candidate("call_function", operator.getitem, (source, (*[slice(None)] * axes.dim, straight)))
        yield Candidate("call_function", operator.getitem, (source, (slice(None),)), {}, (axes.dim, where))


def _positions(found: Tensor, expected: Tensor, dim: int) -> Tensor | None:
    """Positions such that found.index_select(dim, positions) is what is expected; None where there are none."""
    sizes = [(a, b) for d, (a, b) in enumerate(zip(found.shape, expected.shape, strict=False)) if d != dim]
    if found.ndim != expected.ndim or any(a != b for a, b in sizes) or 0 in (found.numel(), expected.numel()):
        return None
    start = tuple(slice(None) if d == dim else 0 for d in range(found.ndim))
    places = {value: place for place, value in enumerate(found[start].tolist())}
    where = [places.get(value) for value in expected[start].tolist()]
    if None in where:
        return None
    positions = torch.tensor(where)
    return positions if torch.equal(found.index_select(dim, positions), expected) else None


def _as_slice(positions: Tensor) -> slice | None:
    """The slice that takes these positions, if they are evenly spaced and rising."""
    if positions.numel() == 1:
        return slice(int(positions[0]), int(positions[0]) + 1)
    steps = positions.diff()
    step = int(steps[0])
    if step < 1 or not bool((steps == step).all()):
        return None
    return slice(int(positions[0]), int(positions[-1]) + 1, step if step > 1 else None)
