"""From labels to a ClusterMap: settle what is one, number the clusters, find what ties them."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from .clusters import NONE, Ancestry, Axis, Block, ClusterLayer, ClusterMap, TensorInfo
from .flows import Flow, Trace, flows_in
from .graph import attribute
from .ledger import FIXED, Ledger
from .rewriting import trial_failures


def assemble(trace: Trace, graph: fx.Graph) -> ClusterMap:
    """The map of a finished trace."""
    settle(trace)
    numbering, producers = _number(trace)
    protected, reasons = _protected(trace.ledger, numbering)
    constraints = _constraints(trace.ledger, numbering, protected, reasons)
    layers = tuple(
        ClusterLayer(
            names[0],
            _unique_in_order([numbering[trace.ledger.resolve(trace.ledger.producers[x])] for x in names]),
            names,
        )
        for names in producers
    )
    n = int(numbering.max()) + 1 if numbering.numel() else 0
    result = ClusterMap(
        n=n,
        layers=layers,
        owners=_owners(trace, numbering),
        protected=protected,
        blocks=(),
        constraints=constraints,
        sets=_sets(trace, numbering, protected, reasons),
        tags=torch.arange(n),
        tensors=_tensors(trace, graph),
        work=tuple(trace.work),
        contractions=tuple((numbering[trace.ledger.resolve(ids)], count) for ids, count in trace.contractions if count),
        graph=graph,
        kinds=dict(trace.kinds),
        axes={name: _axes(trace.ledger, flow, numbering) for name, flow in trace.flows.items()},
        values=trace.values,
        stand_ins=trace.stand_ins,
        names=trace.names,
        batch_dependent=frozenset(trace.batch_dependent),
        **_helpers(trace, graph),
    )
    return _finish(result, reasons)


def settle(trace: Trace) -> None:
    """Unite until every activation is cut along one dimension at most, so that what survives is a smaller tensor.

    A channel shuffle written as view and transpose, for example, then loses the same channels of every group. Of
    several dimensions the one with most clusters is kept.
    """
    every = [flow.labels for flow in flows_in(list(trace.flows.values()))] + list(trace.bases.values())
    changed = True
    while changed:
        changed = False
        for labels in every:
            dims = trace.ledger.varying(labels)
            if len(dims) > 1:
                trace.ledger.along(labels, max(dims, key=lambda d: (_distinct(trace.ledger, labels, d), d)))
                changed = True


def _distinct(ledger: Ledger, labels: Tensor, dim: int) -> int:
    for other in range(labels.ndim):
        if other != dim:
            labels = labels.narrow(other, 0, 1)
    return int(torch.unique(ledger.resolve(labels)).numel())


def _number(trace: Trace) -> tuple[Tensor, list[tuple[str, ...]]]:
    """(root label -> cluster id or -1, producers of each layer). Layers and channels in forward order."""
    ledger = trace.ledger
    roots = {name: ledger.resolve(labels).flatten() for name, labels in ledger.producers.items()}
    groups: list[set[int]] = []
    members: list[list[str]] = []
    for name, labels in roots.items():
        found = set(labels.tolist()) - {FIXED}
        if not found:
            continue
        touching = [i for i, group in enumerate(groups) if group & found]
        if not touching:
            groups.append(found)
            members.append([name])
            continue
        first = touching[0]
        for other in reversed(touching[1:]):
            groups[first] |= groups.pop(other)
            members[first] += members.pop(other)
        groups[first] |= found
        members[first].append(name)
    order = {name: index for index, name in enumerate(roots)}
    numbering = torch.full((len(ledger),), NONE)
    count = 0
    producers = [tuple(sorted(names, key=order.__getitem__)) for names in members]
    for names in producers:
        for root in _unique_in_order([roots[name] for name in names]).tolist():
            if root != FIXED:
                numbering[root] = count
                count += 1
    return numbering, producers


def _unique_in_order(parts: list[Tensor]) -> Tensor:
    seen = dict.fromkeys(torch.cat([part.flatten() for part in parts]).tolist())
    return torch.tensor([value for value in seen if value not in (NONE,)], dtype=torch.long)


def _protected(ledger: Ledger, numbering: Tensor) -> tuple[Tensor, dict[int, str]]:
    n = int(numbering.max()) + 1 if numbering.numel() else 0
    protected = torch.zeros(n, dtype=torch.bool)
    reasons: dict[int, str] = {}
    if ledger.reasons:
        labels = torch.tensor(list(ledger.reasons))
        for cluster, reason in zip(numbering[ledger.resolve(labels)].tolist(), ledger.reasons.values(), strict=True):
            if cluster != NONE:
                protected[cluster] = True
                reasons.setdefault(cluster, reason)
    return protected, reasons


def _constraints(ledger: Ledger, numbering: Tensor, protected: Tensor, reasons: dict[int, str]) -> tuple[Tensor, ...]:
    grids: dict[tuple, Tensor] = {}
    for labels in ledger.constraints:
        grid = numbering[ledger.resolve(labels)]
        if len(set((grid == NONE).sum(1).tolist())) > 1:
            for cluster in grid[grid != NONE].tolist():
                protected[cluster] = True
                reasons.setdefault(cluster, "a convolution's groups mix channels that can and cannot be cut")
        if bool((grid != NONE).any()):
            grids.setdefault((grid.shape, tuple(grid.flatten().tolist())), grid)
    return tuple(grids.values())


def _owners(trace: Trace, numbering: Tensor) -> dict[str, dict[int, Tensor]]:
    owners = {
        name: {axis: numbering[trace.ledger.resolve(labels)] for axis, labels in axes.items()}
        for name, axes in trace.ledger.owners.items()
    }
    for name, labels in trace.bases.items():
        dims = trace.ledger.varying(labels)
        if dims and name not in owners:
            axis = Axis(dims[0], trace.ledger.along(labels, dims[0]))
            owners[name] = {axis.dim: numbering[trace.ledger.resolve(axis.ids)]}
    return {
        name: {axis: ids for axis, ids in axes.items() if bool((ids != NONE).any())}
        for name, axes in owners.items()
        if any(bool((ids != NONE).any()) for ids in axes.values())
    }


def _sets(trace: Trace, numbering: Tensor, protected: Tensor, reasons: dict[int, str]) -> tuple[Tensor, ...]:
    """Of which clusters at least one must live: those of every activation and of every parameter's axis."""
    ledger = trace.ledger
    vectors = [
        ledger.along(x.labels, _first(ledger.varying(x.labels)))
        for x in flows_in(list(trace.flows.values()))
        if x.labels.ndim
    ]
    vectors += [
        row for axes in ledger.owners.values() for ids in axes.values() for row in (ids if ids.ndim == 2 else [ids])
    ]
    found: dict[tuple[int, ...], None] = {}
    for labels in vectors:
        ids = torch.unique(numbering[ledger.resolve(labels)])
        if ids.numel() and int(ids[0]) != NONE:
            found.setdefault(tuple(ids.tolist()))
    for ids in found:
        if len(ids) == 1:
            protected[ids[0]] = True
            reasons.setdefault(ids[0], "it is the only one there")
    return tuple(torch.tensor(ids) for ids in found if len(ids) > 1)


def _first(dims: tuple[int, ...]) -> int:
    return dims[0] if dims else 0


def _axes(ledger: Ledger, flow: Any, numbering: Tensor) -> Any:
    if isinstance(flow, (tuple, list)):
        return tuple(_axes(ledger, part, numbering) for part in flow) if flows_in(flow) else None
    if not isinstance(flow, Flow):
        return None
    dims = ledger.varying(flow.labels)
    if not dims:
        return None
    ids = numbering[ledger.resolve(ledger.along(flow.labels, dims[0]))]
    return Axis(dims[0], ids) if bool((ids != NONE).any()) else None


def _tensors(trace: Trace, graph: fx.Graph) -> dict[str, TensorInfo]:
    """Every parameter and buffer that the graph uses, by canonical name."""
    used = {str(node.target) for node in graph.nodes if node.op in ("call_module", "get_attr")}
    persistent = set(trace.model.state_dict())
    parameters = {name for name, _ in trace.model.named_parameters(remove_duplicate=False)}
    result: dict[str, TensorInfo] = {}
    for name, canonical in trace.names.items():
        if not any(name == target or name.startswith(f"{target}.") for target in used):
            continue
        tensor = trace.parameter_tensor(canonical)
        if name in parameters or name in persistent:
            info = TensorInfo(tuple(tensor.shape), tensor.element_size(), name not in parameters)
            result.setdefault(canonical, info)
    return result


def _helpers(trace: Trace, graph: fx.Graph) -> dict[str, Any]:
    """Modules and integer buffers that surgery runs on element numbers."""
    movers, constants = {}, {}
    for node in graph.nodes:
        name = str(node.target)
        if node.op == "call_module" and trace.kinds.get(node.name) == "mover":
            movers[name] = copy.deepcopy(attribute(trace.model, name))
        elif node.op == "get_attr" and name.split(".")[0] not in trace.stand_ins:
            found = attribute(trace.model, name)
            if isinstance(found, Tensor) and not found.is_floating_point():
                constants[node.name] = found.detach().cpu().clone()
    return {"movers": movers, "constants": constants}


def _finish(clusters: ClusterMap, reasons: dict[int, str]) -> ClusterMap:
    """Blocks and reasons; then movers are tried on random deaths, and those that cannot follow are protected."""
    while True:
        clusters = replace(clusters, blocks=blocks_of(clusters))
        failures = trial_failures(clusters)
        if not failures:
            break
        for ids, reason in failures:
            for cluster in ids.tolist():
                clusters.protected[cluster] = True
                reasons.setdefault(cluster, reason)
    layers = tuple(
        replace(layer, protected=reasons.get(int(layer.clusters[0]), ""))
        if bool(clusters.protected[layer.clusters].all())
        else layer
        for layer in clusters.layers
    )
    clusters = replace(clusters, layers=layers)
    costs = {name: clusters.cost(name) for name in ("clusters", "parameters", "macs", "bytes")}
    return replace(clusters, ancestry=Ancestry(clusters.counts(), costs))


def blocks_of(clusters: ClusterMap) -> tuple[Block, ...]:
    """Layers joined by group constraints, with their cells (see Block)."""
    grids = [grid for grid in clusters.constraints if _binds(grid, clusters.n)]
    home = list(range(len(clusters.layers)))

    def find(index: int) -> int:
        while home[index] != index:
            index = home[index]
        return index

    for grid in grids:
        touched = torch.unique(clusters.layer_of[grid[grid != NONE]]).tolist()
        for other in touched[1:]:
            home[find(other)] = find(touched[0])
    blocks = []
    for root in dict.fromkeys(find(index) for index in range(len(home))):
        members = tuple(index for index in range(len(home)) if find(index) == root)
        ids = torch.cat([clusters.layers[index].clusters for index in members])
        own = [grid for grid in grids if bool(torch.isin(grid, ids).any())]
        cells = _cells(clusters, ids, own)
        blocks.append(Block(members, cells, math.gcd(*(int(cell.shape[0]) for cell in cells))))
    return tuple(blocks)


def _row_counts(grid: Tensor, n: int) -> Tensor:
    """[n, groups] how often each cluster appears in each row."""
    counts = torch.zeros(grid.shape[0], n + 1, dtype=torch.long)
    counts.scatter_add_(1, torch.where(grid == NONE, n, grid), torch.ones_like(grid))
    return counts[:, :n].t()


def _binds(grid: Tensor, n: int) -> bool:
    counts = _row_counts(grid, n)
    return bool((counts != counts[:, :1]).any())


def _cells(clusters: ClusterMap, ids: Tensor, grids: list[Tensor]) -> tuple[Tensor, ...]:
    signature = torch.cat([clusters.layer_of[ids][:, None], *(_row_counts(g, clusters.n)[ids] for g in grids)], 1)
    _, inverse = torch.unique(signature, dim=0, return_inverse=True)
    return tuple(ids[inverse == cell] for cell in range(int(inverse.max()) + 1))
