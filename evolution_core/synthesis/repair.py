"""Repair at synthesis: refit what survives to what its parent computed, layer by layer, by least squares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from evolution_core.genome.clusters import Axis, ClusterMap
from evolution_core.genome.graph import attribute, with_stand_ins

from .proof import evaluating

ROWS_PER_UNKNOWN = 6  # positions of a convolution used for each unknown: more add time, hardly any fit
CHUNK = 2**24  # numbers of unfolded patches held at once


@dataclass(frozen=True)
class Repaired:
    """One refitted layer: its pre-activations' error against the parent's, as a share of theirs, before and after."""

    layer: str
    before: float
    after: float


def repair(
    offspring: nn.Module,
    parent: nn.Module,
    clusters: ClusterMap,
    alive: Tensor,
    images: Tensor,
    *,
    ridge: float = 1e-2,
    memory: int = 2**30,
) -> list[Repaired]:
    """Refit every surviving convolution and linear layer of `offspring` in place.

    For each layer in forward order, on the images [N, C, H, W] (normalised as in training): the weights W minimise
    ||X W - Y||^2 + lambda ||W - W0||^2, where X is what the offspring's layer now receives, Y the parent's
    pre-activations at the living channels, W0 the inherited weights, lambda = ridge times the mean of X'X's diagonal
    (our formalisation; the default did best of 1e-4 to 1e-1 for LeNet-5 on MNIST, with 128 and 512 images). Grouped
    and depthwise layers are fitted group by group. `clusters` is the parent's map and `alive` [n] the cut that made the
    offspring. Layers used twice, transposed or in functional form keep their weights. Deterministic.
    Of the images only as many are used as keep both networks' activations within `memory` bytes.
    """
    runs = _Lockstep(offspring, parent, clusters, _fitting(images, clusters, memory))
    repaired = []
    with evaluating(offspring), evaluating(parent), torch.no_grad():
        for node in runs.nodes():
            module = _refittable(offspring, runs.graph, node)
            if module is None or node.name not in runs.known:
                continue
            received, wanted = runs.values[node.args[0]], _living(runs.parent_value(node.name), clusters, node, alive)
            got = module(received)
            before = _error(got, wanted)
            if before > 1e-5:
                _refit(module, received, wanted - got, ridge)
                got = module(received)
                repaired.append(Repaired(str(node.target), before, _error(got, wanted)))
            runs.done[node] = got
    return repaired


def _fitting(images: Tensor, clusters: ClusterMap, memory: int) -> Tensor:
    """As many images as the widest moment of both networks allows, four activations of each alive at a time."""
    shapes = [value.shape for value in clusters.values.values() if hasattr(value, "meta")]
    largest = max(torch.Size(shape).numel() // max(1, shape[0]) for shape in shapes)
    return images[: max(16, memory // (8 * 4 * largest))]


class _Lockstep:
    """Runs the offspring node by node, and the parent as far as is asked; frees what no one needs any more."""

    def __init__(self, offspring: nn.Module, parent: nn.Module, clusters: ClusterMap, images: Tensor) -> None:
        assert isinstance(offspring, fx.GraphModule)
        self.graph = offspring.graph
        self.known = {node.name for node in clusters.graph.nodes}
        self._offspring = fx.Interpreter(offspring)
        self._parent = fx.Interpreter(with_stand_ins(parent, clusters.graph, clusters.stand_ins))
        self._images = images
        self._waiting = iter(self._parent.graph.nodes)
        self.done: dict[fx.Node, Tensor] = {}  # results that are known already

    @property
    def values(self) -> dict[fx.Node, Any]:
        return self._offspring.env

    def nodes(self) -> Any:
        """Each node just before it runs."""
        self._offspring.args_iter = iter([self._images])
        self._parent.args_iter = iter([self._images])
        for node in self.graph.nodes:
            if node.op == "output":
                return
            yield node
            _step(self._offspring, node, self.done.pop(node, None))

    def parent_value(self, name: str) -> Tensor:
        for node in self._parent.graph.nodes:  # already run, and still held for its users
            if node.name == name and node in self._parent.env:
                return self._parent.env[node]
        for node in self._waiting:
            _step(self._parent, node)
            if node.name == name:
                return self._parent.env[node]
        raise KeyError(name)


def _step(interpreter: fx.Interpreter, node: fx.Node, known: Tensor | None = None) -> None:
    interpreter.env[node] = interpreter.run_node(node) if known is None else known
    for done in interpreter.user_to_last_uses.get(node, []):
        interpreter.env.pop(done, None)


def _refittable(model: nn.Module, graph: fx.Graph, node: fx.Node) -> Any:
    if node.op != "call_module" or sum(other.target == node.target for other in graph.nodes) > 1:
        return None
    module = attribute(model, str(node.target))
    plain = isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)) and not module._forward_hooks
    return module if plain and getattr(module, "padding_mode", "zeros") == "zeros" else None


def _living(value: Tensor, clusters: ClusterMap, node: fx.Node, alive: Tensor) -> Tensor:
    axis = clusters.axes.get(node.name)
    return value.index_select(axis.dim, clusters.kept(alive, axis.ids)) if isinstance(axis, Axis) else value


def _error(got: Tensor, wanted: Tensor) -> float:
    scale = float(wanted.double().square().sum())
    return (float((got - wanted).double().square().sum()) / scale) ** 0.5 if scale > 0 else 0.0


def _refit(module: Any, received: Tensor, residual: Tensor, ridge: float) -> None:
    """Add to the layer's weights (and bias) what explains `residual` best from what it receives."""
    groups = getattr(module, "groups", 1)
    if isinstance(module, nn.Linear) and received.numel() // received.shape[-1] < module.weight.shape[1]:
        step = _solve_by_rows(*next(_rows(module, received, residual, groups)), ridge)
    else:
        step = _solve(_rows(module, received, residual, groups), ridge)
    weights = step[:, : module.weight[0].numel()].mT.reshape(module.weight.shape)
    module.weight.add_(weights.to(module.weight.dtype))
    if module.bias is not None:
        module.bias.add_(step[:, -1].reshape(-1).to(module.bias.dtype))


def _solve(rows: Iterable[tuple[Tensor, Tensor]], ridge: float) -> Tensor:
    """[groups, unknowns, out] by the normal equations, summed over pieces in float64."""
    gram, cross = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for patches, wanted in rows:
        gram = gram + (patches.mT @ patches).double()  # [groups, unknowns, unknowns]
        cross = cross + (patches.mT @ wanted).double()  # [groups, unknowns, out]
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    damping = ridge * diagonal.mean(-1, keepdim=True).clamp(min=1e-12)
    return torch.linalg.solve(gram + torch.diag_embed(damping.expand_as(diagonal)), cross)


def _solve_by_rows(patches: Tensor, wanted: Tensor, ridge: float) -> Tensor:
    """The same solution where there are fewer rows than unknowns, from a system of one equation a row."""
    patches, wanted = patches.double(), wanted.double()
    products = patches @ patches.mT
    damping = ridge * products.diagonal(dim1=-2, dim2=-1).sum(-1) / patches.shape[-1]
    system = products + torch.eye(products.shape[-1], dtype=products.dtype) * damping.clamp(min=1e-12)[:, None, None]
    return patches.mT @ torch.linalg.solve(system, wanted)


def _rows(module: Any, received: Tensor, residual: Tensor, groups: int) -> Iterator[tuple[Tensor, Tensor]]:
    """([groups, rows, unknowns], [groups, rows, out]) a few images at a time; a bias is an unknown too."""
    unknowns = module.weight[0].numel()
    if isinstance(module, nn.Linear):
        yield (
            _augmented(received.reshape(1, -1, unknowns), module),
            residual.reshape(1, -1, residual.shape[-1]),
        )
        return
    spatial = residual.ndim - 2
    wanted_rows = max(ROWS_PER_UNKNOWN * (unknowns + 1), 4096)
    every = max(1, int((residual.numel() / residual.shape[1] / wanted_rows) ** (1 / spatial)))  # of the positions
    thin = (slice(None), slice(None), *[slice(None, None, every)] * spatial)
    positions = residual[0, 0][thin[2:]].numel()
    per = max(1, CHUNK // (unknowns * groups * positions))
    for start in range(0, len(received), per):
        patches = _patches(module, received[start : start + per], every)  # [images, channels x kernel, positions]
        rows = patches.transpose(1, 2).reshape(-1, groups, unknowns).transpose(0, 1)
        wanted = residual[start : start + per][thin].flatten(2).transpose(1, 2).reshape(rows.shape[1], groups, -1)
        yield _augmented(rows, module), wanted.transpose(0, 1)


def _patches(module: Any, x: Tensor, every: int) -> Tensor:
    """What each position of the output reads, every so many positions along each side."""
    padding, sides = module.padding, len(module.kernel_size)
    if isinstance(padding, str):  # "same" or "valid"
        amounts = module._reversed_padding_repeated_twice if padding == "same" else [0, 0] * sides
        x, padding = F.pad(x, amounts), (0,) * sides
    stride = tuple(step * every for step in module.stride)
    if sides == 1:  # a picture of one row
        one = [(1, *module.kernel_size), (1, *module.dilation), (0, *padding), (1, *stride)]
        return F.unfold(x.unsqueeze(2), *one)
    return F.unfold(x, module.kernel_size, module.dilation, padding, stride)


def _augmented(rows: Tensor, module: Any) -> Tensor:
    return rows if module.bias is None else torch.cat([rows, rows.new_ones(*rows.shape[:-1], 1)], -1)
