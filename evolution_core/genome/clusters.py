"""Synaptic clusters: which channels live or die together, and every slice of every parameter that belongs to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from evolution_core.spec import NetworkError

from .graph import Spec

NONE = -1  # in owners and axes: belongs to no cluster, always there


@dataclass(frozen=True)
class ClusterLayer:
    """Clusters that compete with each other: those of one layer, or of layers that a residual join makes one.

    name: the first module that makes these channels. clusters: their ids, consecutive, in channel order.
    producers: every module that makes them. protected: why none of them can be cut, or "".
    """

    name: str
    clusters: Tensor
    producers: tuple[str, ...]
    protected: str = ""

    def __len__(self) -> int:
        return int(self.clusters.shape[0])


@dataclass(frozen=True)
class Block:
    """Layers whose counts are tied by groups. Each cell holds clusters that are alike to every group constraint; all
    cells keep the same share j / steps of their clusters, j a whole number, so that every group stays equal."""

    layers: tuple[int, ...]
    cells: tuple[Tensor, ...]
    steps: int

    @property
    def size(self) -> int:
        return sum(int(cell.shape[0]) for cell in self.cells)


@dataclass(frozen=True)
class Axis:
    """Along which dimension of an activation channels can be cut: `ids` [shape[dim]] cluster ids, -1 where none."""

    dim: int
    ids: Tensor


@dataclass(frozen=True)
class TensorInfo:
    """A parameter or buffer: shape, bytes of one element, and whether it is a buffer."""

    shape: tuple[int, ...]
    itemsize: int
    is_buffer: bool


@dataclass(frozen=True)
class Ancestry:
    """What the first network had: clusters of each layer, and its costs. Kept through every cut."""

    counts: dict[str, int]
    costs: dict[str, int]


@dataclass(frozen=True)
class ClusterMap:
    """The clusters of one network. Everything else (strength, silence, surgery, stress) is vectorised over `owners`.

    owners: parameter or buffer name -> axis -> ids along it, -1 where none: [n], or [groups, n] for the grouped axis
    of a convolution (row g holds for the filters of group g). tags: each cluster's id in the ancestor's map.
    protected [n]: can never be cut. sets: clusters of which at least one must live, so that no activation empties.
    """

    n: int
    layers: tuple[ClusterLayer, ...]
    owners: dict[str, dict[int, Tensor]]
    protected: Tensor
    blocks: tuple[Block, ...]
    constraints: tuple[Tensor, ...]
    sets: tuple[Tensor, ...]
    tags: Tensor
    tensors: dict[str, TensorInfo]
    work: tuple[tuple[str, int], ...]
    contractions: tuple[tuple[Tensor, int], ...]
    graph: fx.Graph
    kinds: dict[str, str]
    axes: dict[str, Any]  # node -> Axis, None, or a tuple of these
    values: dict[str, Any]
    stand_ins: dict[str, nn.Module]
    names: dict[str, str] = field(default_factory=dict)
    batch_dependent: frozenset[str] = frozenset()  # nodes whose number depends on how many images there are
    movers: dict[str, nn.Module] = field(default_factory=dict)  # modules without parameters that move elements
    constants: dict[str, Tensor] = field(default_factory=dict)  # node -> integer buffer that says where elements go
    ancestry: Ancestry | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> ClusterMap:
        """Never changed once made, so a copy of a network may share it."""
        return self

    # -- reading

    @cached_property
    def layer_of(self) -> Tensor:
        """[n] the index in `layers` of each cluster's layer."""
        result = torch.full((self.n,), NONE, dtype=torch.long)
        for index, layer in enumerate(self.layers):
            result[layer.clusters] = index
        return result

    def layer(self, name: str) -> ClusterLayer:
        """The layer of that name, or the one that a module of that name belongs to. Raises NetworkError."""
        for layer in self.layers:
            if name == layer.name or name in layer.producers:
                return layer
        raise NetworkError(f"there is no layer {name[:60]!r}; the layers are {', '.join(x.name for x in self.layers)}")

    def counts(self, alive: Tensor | None = None) -> dict[str, int]:
        """Living clusters of each layer, in forward order."""
        alive = self.everyone() if alive is None else alive
        return {layer.name: int(alive[layer.clusters].sum()) for layer in self.layers}

    def genes(self) -> dict[str, tuple[int, ...]]:
        """Gene tags: for each layer, which of the ancestor's clusters of that layer its clusters are."""
        starts, start = {}, 0
        for name, count in (self.ancestry.counts if self.ancestry else self.counts()).items():
            starts[name] = start
            start += count
        return {x.name: tuple((self.tags[x.clusters] - starts[x.name]).tolist()) for x in self.layers}

    def everyone(self) -> Tensor:
        """[n] all alive."""
        return torch.ones(self.n, dtype=torch.bool)

    def index(self, name: str) -> list[Tensor]:
        """For one parameter, a tensor of ids for each owned axis, shaped to broadcast over the parameter."""
        shape = self.tensors[name].shape
        return [_broadcastable(ids, axis, shape) for axis, ids in self.owners.get(name, {}).items()]

    def mask(self, name: str, alive: Tensor) -> Tensor:
        """A boolean mask that broadcasts over the parameter: False on every slice of a dead cluster.

        `alive` may also be a float tensor [n] (a stress that fades): the result is then the product of the factors.
        """
        known = _extended(alive)
        result: Tensor | None = None
        for ids in self.index(name):
            part = known[ids]
            result = part if result is None else (result & part if part.dtype == torch.bool else result * part)
        return known.new_ones(()) if result is None else result

    def kept(self, alive: Tensor, ids: Tensor) -> Tensor:
        """Positions along an axis that survive: [m], or [groups, m] for a grouped axis."""
        living = _extended(alive)[ids]
        if ids.ndim == 1:
            return living.nonzero().flatten()
        counts = living.sum(1)
        if not bool((counts == counts[0]).all()):
            raise NetworkError("the groups of a convolution would keep unequal numbers of channels")
        return living.nonzero()[:, 1].view(ids.shape[0], -1)

    # -- costs, of the network that `alive` would leave

    def cost(self, resource: str, alive: Tensor | None = None) -> int:
        """clusters (those that can be cut), parameters, macs (one image, one multiply-add = 1) or bytes (of the saved
        tensors, buffers too)."""
        alive = self.everyone() if alive is None else alive
        if resource == "clusters":
            return int((alive & ~self.protected).sum())
        living = _extended(alive)
        if resource == "macs":
            layers = sum(self._numel(name, living) * positions for name, positions in self.work)
            return layers + sum(int(living[ids].sum()) * positions for ids, positions in self.contractions)
        if resource not in ("parameters", "bytes"):
            raise ValueError(f"{resource!r} cannot be counted from the map")
        total = 0
        for name, info in self.tensors.items():
            if resource == "bytes":
                total += self._numel(name, living) * info.itemsize
            elif not info.is_buffer:
                total += self._numel(name, living)
        return total

    def _numel(self, name: str, living: Tensor) -> int:
        sizes = list(self.tensors[name].shape)
        for axis, ids in self.owners.get(name, {}).items():
            sizes[axis] = int(living[ids].sum()) // (ids.shape[0] if ids.ndim == 2 else 1)
        return math.prod(sizes)

    # -- descendants

    def check(self, alive: Tensor) -> None:
        """Whether a network may be cut to `alive` [n]. Raises NetworkError with the reason otherwise."""
        if alive.shape != (self.n,) or alive.dtype != torch.bool:
            raise NetworkError(f"alive must hold one truth value for each of {self.n} clusters")
        if bool((self.protected & ~alive).any()):
            dead = int((self.protected & ~alive).nonzero()[0])
            raise NetworkError(f"a cluster of {self.layers[int(self.layer_of[dead])].name} is protected")
        for ids in self.sets:
            if not bool(alive[ids].any()):
                raise NetworkError(f"layer {self.layers[int(self.layer_of[ids[0]])].name} would be empty")
        for grid in self.constraints:
            self.kept(alive, grid)

    def after(self, alive: Tensor, **changes: Any) -> ClusterMap:
        """The map of the network cut to `alive`: ids renumbered, tags composed. `changes` are what surgery alone
        knows: the graph, the values of its nodes, its constants."""
        self.check(alive)
        renumber = torch.full((self.n + 1,), NONE)
        renumber[:-1][alive] = torch.arange(int(alive.sum()))

        def ids_after(ids: Tensor) -> Tensor:
            kept = self.kept(alive, ids)
            return renumber[ids[kept] if ids.ndim == 1 else ids.gather(1, kept)]

        def axes_after(axes: Any) -> Any:
            if isinstance(axes, tuple):
                return tuple(axes_after(part) for part in axes)
            return None if axes is None else Axis(axes.dim, ids_after(axes.ids))

        owners = {name: {a: ids_after(ids) for a, ids in axes.items()} for name, axes in self.owners.items()}
        living = _extended(alive)
        tensors = {}
        for name, info in self.tensors.items():
            sizes = list(info.shape)
            for axis, ids in self.owners.get(name, {}).items():
                sizes[axis] = int(living[ids].sum()) // (ids.shape[0] if ids.ndim == 2 else 1)
            tensors[name] = replace(info, shape=tuple(sizes))
        blocks = tuple(_block_after(block, alive, renumber) for block in self.blocks)
        smaller = replace(
            self,
            n=int(alive.sum()),
            layers=tuple(replace(x, clusters=renumber[x.clusters[alive[x.clusters]]]) for x in self.layers),
            owners=owners,
            protected=self.protected[alive],
            blocks=blocks,
            constraints=tuple(ids_after(grid) for grid in self.constraints),
            sets=tuple(renumber[ids[alive[ids]]] for ids in self.sets),
            tags=self.tags[alive],
            tensors=tensors,
            contractions=tuple((ids_after(ids), positions) for ids, positions in self.contractions),
            axes={name: axes_after(axes) for name, axes in self.axes.items()},
        )
        return replace(smaller, **changes)


def _block_after(block: Block, alive: Tensor, renumber: Tensor) -> Block:
    cells = tuple(renumber[cell[alive[cell]]] for cell in block.cells)
    return Block(block.layers, cells, math.gcd(*(int(cell.shape[0]) for cell in cells)))


def _extended(alive: Tensor) -> Tensor:
    """`alive` with one more element, always alive: what id -1 points at."""
    return torch.cat([alive, alive.new_ones(1)])


def _broadcastable(ids: Tensor, axis: int, shape: tuple[int, ...]) -> Tensor:
    if ids.ndim == 1:
        return ids.view([-1 if d == axis else 1 for d in range(len(shape))])
    rows = ids.repeat_interleave(shape[0] // ids.shape[0], 0)
    return rows.view(*rows.shape, *[1] * (len(shape) - 2))


def spec_after(spec: Spec, axis: Axis | None, alive: Tensor) -> Spec:
    """The shape that an activation has once it is cut."""
    if axis is None:
        return spec
    shape = list(spec.shape)
    shape[axis.dim] = int(_extended(alive)[axis.ids].sum())
    return Spec(tuple(shape), spec.dtype)
