"""What has to change in the graph when clusters go: sizes written into it, and nothing else.

Every operation that moves elements is checked here by running it on element numbers: what it would do to the smaller
tensors must be what is left of what it did to the whole ones. Where it is not, its constants are rewritten; where no
rewriting helps, the cut is impossible, which tracing finds out on random deaths before anyone relies on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from .candidates import Candidate, candidates, original
from .clusters import NONE, Axis, ClusterMap, spec_after
from .graph import Spec


@dataclass
class Rewriting:
    """The changes: node name -> candidate to put in its place; the new values of every node; what cannot follow."""

    changes: dict[str, Candidate] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def plan(clusters: ClusterMap, alive: Tensor) -> Rewriting:
    """How the graph must change for the network cut to `alive` [n]."""
    world = World(clusters, alive, Rewriting())
    for node in clusters.graph.nodes:
        _visit(world, node)
    return world.result


@dataclass
class World:
    """The offspring's side of one plan."""

    clusters: ClusterMap
    alive: Tensor
    result: Rewriting

    def old(self, value: Any) -> Any:
        return _mapped(value, lambda node: self.clusters.values[node.name])

    def new(self, value: Any) -> Any:
        return _mapped(value, lambda node: self.result.values[node.name])

    def expected(self, node: fx.Node) -> Any:
        """The shapes that the node's tensors have after the cut."""
        return _after(self.clusters.values[node.name], self.clusters.axes.get(node.name), self.alive)


def _after(value: Any, axes: Any, alive: Tensor) -> Any:
    if isinstance(value, Spec):
        return spec_after(value, axes, alive)
    if isinstance(value, (tuple, list)):
        parts = axes if isinstance(axes, tuple) else (None,) * len(value)
        return type(value)(_after(v, a, alive) for v, a in zip(value, parts, strict=True))
    return value


def _visit(world: World, node: fx.Node) -> None:
    old = world.clusters.values[node.name]
    if not _has_tensor(old) and node.op in ("call_function", "call_method"):
        world.result.values[node.name] = _plain(world, node, old)
        return
    new = world.result.values[node.name] = world.expected(node)
    if node.op not in ("call_function", "call_method", "call_module"):
        return
    same = all(world.clusters.values[n.name] == world.result.values[n.name] for n in node.all_input_nodes)
    if (same and old == new) or _picks_a_piece(world, node):
        return
    if world.clusters.kinds.get(node.name) in ("mover", "source"):
        _move(world, node)
    else:
        _compute(world, node)


def _picks_a_piece(world: World, node: fx.Node) -> bool:
    """One of several results of an operation: the operation itself is what is rewritten."""
    return getattr(node.target, "__name__", "") == "getitem" and not isinstance(world.old(node.args[0]), Spec)


def _plain(world: World, node: fx.Node, old: Any) -> Any:
    """A size or a sum of sizes, asked again of the smaller network; as it was where that cannot be asked."""
    if world.old(node.args) == world.new(node.args) and world.old(node.kwargs) == world.new(node.kwargs):
        return old
    put = lambda value: value.meta() if isinstance(value, Spec) else value  # noqa: E731
    args, kwargs = _tree(world.new(node.args), put), _tree(world.new(node.kwargs), put)
    try:
        value = _call(node.op, node.target, args, kwargs)
    except Exception:  # a question that shapes alone do not answer: what flows into it is protected, so it holds
        return old
    return tuple(value) if isinstance(value, torch.Size) else value


def _compute(world: World, node: fx.Node) -> None:
    """An operation on numbers: sizes of the parent among its arguments (a scale, a mean's count) stay the parent's."""
    held = {n for n in node.all_input_nodes if _is_plain_change(world, n)}
    candidate = original(node)
    changed = bool(held)
    if any(n.name in world.clusters.batch_dependent for n in held):
        world.result.failures[node.name] = "a number that it computes with counts channels and images at once"
    if held:
        freeze = lambda n: world.clusters.values[n.name] if n in held else n  # noqa: E731
        candidate.args, candidate.kwargs = _mapped(node.args, freeze), _mapped(dict(node.kwargs), freeze)
    changed |= _adjust(world, node, candidate)
    if changed:
        world.result.changes[node.name] = candidate


def _is_plain_change(world: World, node: fx.Node) -> bool:
    old = world.clusters.values[node.name]
    return not _has_tensor(old) and old != world.result.values[node.name]


def _adjust(world: World, node: fx.Node, candidate: Candidate) -> bool:
    """Arguments of functional forms that count channels. Returns whether any changed."""
    name = getattr(node.target, "__name__", "") if node.op == "call_function" else ""
    if name == "scaled_dot_product_attention" and candidate.kwargs.get("scale") is None:
        query = world.old(node.args[0] if node.args else node.kwargs["query"])
        candidate.kwargs["scale"] = 1.0 / math.sqrt(query.shape[-1])
        return True
    if name in ("conv1d", "conv2d", "conv3d") and world.clusters.kinds.get(node.name) == "depthwise":
        spatial = int(name[-2])
        return candidate.put(6, "groups", world.new(node.args[0]).shape[-spatial - 1])
    if name == "group_norm":
        before, after = world.old(node.args[0]).shape[1], world.new(node.args[0]).shape[1]
        groups = world.old(candidate.get(1, "num_groups"))
        return candidate.put(1, "num_groups", groups * after // before)
    return False


def _move(world: World, node: fx.Node) -> None:
    """Take the first candidate that leaves exactly what the parent's operation would have left."""
    sources = [n for n in node.all_input_nodes if _has_tensor(world.clusters.values[n.name])]
    numbers, small, start = {}, {}, 0
    for source in sources:
        value, axes = world.clusters.values[source.name], world.clusters.axes.get(source.name)
        numbers[source], start = _numbered(value, start)
        small[source] = _cut(numbers[source], axes, world.alive)
    indices = {n: world.clusters.constants[n.name] for n in node.all_input_nodes if n.name in world.clusters.constants}
    numbers.update(indices)
    small.update(indices)
    forget = (lambda value: _forget(value, start)) if _pads(node) else (lambda value: value)
    whole = _run(original(node), world, numbers, old=True)
    if whole is None:
        world.result.failures[node.name] = f"{node.target} could not be repeated"
        return
    expected = forget(_cut(whole, world.clusters.axes.get(node.name), world.alive))
    for candidate in candidates(node, world, small, expected):
        found = _run(candidate, world, small, old=False)
        if found is not None and _equal(forget(found), expected):
            if not candidate.is_same(node):
                world.result.changes[node.name] = candidate
            return
    world.result.failures[node.name] = f"{node.target} cannot be rewritten for the smaller network"


def _pads(node: fx.Node) -> bool:
    return "pad" in str(getattr(node.target, "__name__", node.target)).lower()


def _forget(value: Any, limit: int) -> Any:
    """Elements that no input gave (padding) are all alike."""
    return _tree(
        value, lambda part: torch.where((part < 1) | (part > limit), 0, part) if isinstance(part, Tensor) else part
    )


def _numbered(value: Any, start: int) -> tuple[Any, int]:
    """Tensors of the given shapes whose elements are all different, from start + 1 on."""
    if isinstance(value, Spec):
        count = math.prod(value.shape)
        return torch.arange(start + 1, start + 1 + count).view(value.shape), start + count
    parts = []
    for part in value:
        number, start = _numbered(part, start)
        parts.append(number)
    return tuple(parts), start


def _cut(value: Any, axes: Any, alive: Tensor) -> Any:
    if isinstance(value, (tuple, list)):
        parts = axes if isinstance(axes, tuple) else (None,) * len(value)
        return tuple(_cut(v, a, alive) for v, a in zip(value, parts, strict=True))
    if not isinstance(axes, Axis) or not isinstance(value, Tensor):
        return value
    living = torch.cat([alive, alive.new_ones(1)])[axes.ids]
    return value.index_select(axes.dim, living.nonzero().flatten())


def _run(candidate: Candidate, world: World, tensors: dict[fx.Node, Any], *, old: bool) -> Any:
    plain = world.clusters.values if old else world.result.values
    put = lambda node: tensors[node] if node in tensors else plain[node.name]  # noqa: E731
    indices = [world.clusters.constants[n.name] for n in tensors if n.name in world.clusters.constants]
    args, kwargs = _mapped(candidate.args, put), _mapped(candidate.kwargs, put)
    module = world.clusters.movers[candidate.target] if candidate.op == "call_module" else None
    for convert in (lambda part: part, lambda part: part.double()):
        change = lambda part, convert=convert: convert(part) if _is_number(part, indices) else part  # noqa: E731
        try:
            result = _call(candidate.op, module or candidate.target, _tree(args, change), _tree(kwargs, change))
            if candidate.select is not None:
                result = result.index_select(*candidate.select)
        except Exception:  # noqa: S112  (not a possible spelling for these shapes, or no integer kernel)
            continue
        return _tree(result, lambda part: part.round().long() if isinstance(part, Tensor) else part)
    return None


def _is_number(part: Any, indices: list[Tensor]) -> bool:
    return isinstance(part, Tensor) and not any(part is index for index in indices)


def _call(op: str, target: Any, args: Any, kwargs: Any) -> Any:
    if op == "call_method":
        return getattr(args[0], target)(*args[1:], **kwargs)
    return target(*args, **kwargs)


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(found, (tuple, list)):
        return (
            isinstance(expected, (tuple, list))
            and len(found) == len(expected)
            and all(_equal(f, e) for f, e in zip(found, expected, strict=True))
        )
    return isinstance(found, Tensor) and isinstance(expected, Tensor) and torch.equal(found, expected)


def _has_tensor(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_has_tensor(part) for part in value)
    return isinstance(value, Spec)


def _mapped(value: Any, change: Any) -> Any:
    return fx.node.map_arg(value, change)


def _tree(value: Any, change: Any) -> Any:
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(_tree(part, change) for part in value)
    if isinstance(value, dict):
        return {key: _tree(part, change) for key, part in value.items()}
    return change(value)


def trial_failures(clusters: ClusterMap) -> list[tuple[Tensor, str]]:
    """Clusters that some mover cannot follow, found by planning cuts at random: (ids, reason)."""
    from .trials import random_deaths

    found = []
    for alive in random_deaths(clusters):
        rewriting = plan(clusters, alive)
        for name, text in rewriting.failures.items():
            ids = torch.cat(list(_ids_around(clusters, name)) or [torch.zeros(0, dtype=torch.long)])
            if ids.numel():
                found.append((ids[ids != NONE], text))
    return found


def _ids_around(clusters: ClusterMap, name: str) -> Iterator[Tensor]:
    node = next(n for n in clusters.graph.nodes if n.name == name)
    for part in (node, *node.all_input_nodes):
        axes = clusters.axes.get(part.name)
        for axis in axes if isinstance(axes, tuple) else (axes,):
            if axis is not None:
                yield axis.ids
