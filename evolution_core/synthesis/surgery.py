"""Surgery: silence clusters in place, or remove them physically with everything that is coupled to them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from evolution_core.genome.clusters import Axis, ClusterMap, TensorInfo
from evolution_core.genome.graph import Spec, attribute, canonical_names
from evolution_core.genome.rewriting import Rewriting, plan
from evolution_core.genome.tracing import META
from evolution_core.spec import NetworkError


def silence(model: nn.Module, clusters: ClusterMap, dead: Tensor) -> None:
    """Set every synapse of the clusters in `dead` [n] to zero, in place. Buffers keep their numbers."""
    alive = ~dead
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if clusters.owners.get(name):
                parameter.masked_fill_(~clusters.mask(name, alive).to(parameter.device), 0.0)


def cut(model: nn.Module, clusters: ClusterMap, alive: Tensor) -> fx.GraphModule:
    """A new network without the dead clusters: smaller tensors, and a graph whose written sizes fit them.

    `alive` [n] is a truth value for each cluster. The model is left as it was; the offspring shares nothing with it,
    keeps its names, its mode and its widths' share of every dropout rate, and carries its own ClusterMap
    (`trace_clusters` on it gives that one, whose tags lead back to the ancestor).
    Raises NetworkError where a protected cluster would go, a layer would be empty, a convolution's groups unequal, or
    an operation cannot follow.
    """
    clusters.check(alive)
    rewriting = plan(clusters, alive)
    if rewriting.failures:
        name, text = next(iter(rewriting.failures.items()))
        raise NetworkError(f"the network cannot be cut there: at {name}, {text}")
    root = _shared_copy(model)
    for name, module in clusters.stand_ins.items():
        root.add_module(name, copy.deepcopy(module))
    _replace_tensors(root, clusters, alive)
    _resize_modules(root, clusters, rewriting)
    graph, added = _rewritten(clusters, rewriting, root)
    _scale_dropouts(root, clusters, rewriting)
    offspring = fx.GraphModule(
        root, graph, type(model).__name__ if not isinstance(model, fx.GraphModule) else "Network"
    )
    for module in offspring.modules():
        module.training = model.training
    offspring.meta[META] = _map_after(clusters, alive, copy.deepcopy(graph), rewriting, added)
    return offspring


def _shared_copy(model: nn.Module) -> nn.Module:
    """A copy of the modules that still holds the very same tensors: they are replaced one by one, never doubled."""
    memo: dict[int, Any] = {id(part): part for part in (*model.parameters(), *model.buffers())}
    if isinstance(model, fx.GraphModule):
        root = nn.Module()
        for name, child in model.named_children():
            root.add_module(name, copy.deepcopy(child, memo))
        for name, parameter in model.named_parameters(recurse=False):
            root.register_parameter(name, parameter)
        for name, buffer in model.named_buffers(recurse=False):
            root.register_buffer(name, buffer)
        return root
    return copy.deepcopy(model, memo)


def _replace_tensors(root: nn.Module, clusters: ClusterMap, alive: Tensor) -> None:
    names = canonical_names(root)
    made: dict[str, Tensor] = {}
    for name, canonical in names.items():
        home, _, key = name.rpartition(".")
        module = attribute(root, home) if home else root
        old = getattr(module, key)
        if canonical not in made:
            made[canonical] = sliced(old, clusters, canonical, alive)
        if key in module._parameters:
            module._parameters[key] = made[canonical]  # type: ignore[assignment]
        else:
            module._buffers[key] = made[canonical]


def sliced(tensor: Tensor, clusters: ClusterMap, name: str, alive: Tensor) -> Tensor:
    """What is left of one parameter or buffer: a tensor (or Parameter) of its own."""
    result = tensor.detach()
    axes = clusters.owners.get(name, {})
    for axis, ids in sorted(axes.items(), key=lambda item: -item[1].ndim):  # grouped axes first: they need whole rows
        kept = clusters.kept(alive, ids).to(result.device)
        if ids.ndim == 1:
            result = result.index_select(axis, kept)
            continue
        groups, rows = ids.shape[0], result.shape[0] // ids.shape[0]
        pieces = result.view(groups, rows, *result.shape[1:])
        result = torch.cat([pieces[g].index_select(1, kept[g]) for g in range(groups)])
    result = result.clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(result, requires_grad=tensor.requires_grad)
    return result


def _resize_modules(root: nn.Module, clusters: ClusterMap, rewriting: Rewriting) -> None:
    for node in clusters.graph.nodes:
        if node.op == "call_module":
            module, depthwise = attribute(root, str(node.target)), clusters.kinds.get(node.name) == "depthwise"
            _resize(module, clusters.values[node.name], rewriting.values[node.name], depthwise=depthwise)


def _resize(module: nn.Module, before: Any, after: Any, *, depthwise: bool) -> None:
    """Set the numbers that a layer repeats about its own tensors; `before` and `after` are what it gave and gives."""
    found: Any = module
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        out, into = module.weight.shape[:2]
        if depthwise:
            found.groups = module.groups * out // module.out_channels
        found.out_channels, found.in_channels = out, into * module.groups
    elif isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        found.in_channels, found.out_channels = module.weight.shape[0], module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        found.out_features, found.in_features = module.weight.shape
    elif isinstance(module, nn.Embedding):
        found.embedding_dim = module.weight.shape[1]
    elif isinstance(module, nn.PReLU):
        found.num_parameters = module.weight.shape[0]
    elif isinstance(module, nn.GroupNorm) and module.num_channels != after.shape[1]:
        found.num_groups, found.num_channels = module.num_groups * after.shape[1] // before.shape[1], after.shape[1]
    elif hasattr(module, "num_features"):
        found.num_features = after.shape[1]


def _scale_dropouts(root: nn.Module, clusters: ClusterMap, rewriting: Rewriting) -> None:
    """Our formalisation: a layer that keeps n of n0 channels keeps n / n0 of its dropout rate, so that a narrow
    offspring is not starved of the few channels it has. Over generations the shares multiply."""
    for node in clusters.graph.nodes:
        axis = clusters.axes.get(node.name)
        if node.op != "call_module" or axis is None or isinstance(axis, tuple):
            continue
        module: Any = attribute(root, str(node.target))
        if isinstance(module, nn.modules.dropout._DropoutNd):
            before, after = clusters.values[node.name].shape[axis.dim], rewriting.values[node.name].shape[axis.dim]
            module.p = module.p * after / before


def dropout_rates(model: nn.Module) -> dict[str, float]:
    """Every dropout module's rate, by name."""
    return {n: m.p for n, m in model.named_modules() if isinstance(m, nn.modules.dropout._DropoutNd)}


def set_dropout_rates(model: nn.Module, rates: Mapping[str, float]) -> None:
    """Put recorded rates back. Raises NetworkError on a name that is no dropout."""
    for name, rate in rates.items():
        module: Any = attribute(model, name)
        if not isinstance(module, nn.modules.dropout._DropoutNd) or not 0.0 <= rate <= 1.0:
            raise NetworkError(f"{name[:60]!r} is no dropout, or its rate {rate!r} is none")
        module.p = float(rate)


@dataclass
class _Added:
    """Nodes that a rewriting brought: index buffers (node -> numbers) and steps before them (node -> what it gives)."""

    indices: dict[str, Tensor] = field(default_factory=dict)
    steps: dict[str, tuple[Spec, int, str]] = field(default_factory=dict)  # value, dimension that is cut, its source


def _rewritten(clusters: ClusterMap, rewriting: Rewriting, root: nn.Module) -> tuple[fx.Graph, _Added]:
    """A copy of the graph with the changes in it."""
    result, added = fx.Graph(), _Added()
    copies: dict[fx.Node, fx.Node] = {}
    for node in clusters.graph.nodes:
        change = rewriting.changes.get(node.name)
        if change is None:
            copies[node] = result.node_copy(node, copies.__getitem__)
            copies[node].name = node.name
            continue
        args = fx.node.map_arg(change.args, copies.__getitem__)
        kwargs = fx.node.map_arg(change.kwargs, copies.__getitem__)
        if change.select is None:
            copies[node] = result.create_node(change.op, change.target, args, kwargs, name=node.name)
            continue
        dim, positions = change.select
        source = args[0]
        if not change.only_selects:
            source = result.create_node(change.op, change.target, args, kwargs)
            spec = Spec(change.shape, clusters.values[node.name].dtype)
            added.steps[source.name] = (spec, dim, change.args[0].name)
        buffer = f"{node.name}_index"
        root.register_buffer(buffer, positions.to(_device(root)))
        index = result.get_attr(buffer)
        added.indices[index.name] = positions
        copies[node] = result.call_function(torch.index_select, (source, dim, index))
        copies[node].name = node.name
    for node in list(result.nodes):  # index buffers whose numbers were replaced
        if node.op == "get_attr" and not node.users:
            result.erase_node(node)
    result.lint()
    return result, added


def _device(model: nn.Module) -> torch.device:
    """Where the model is; the processor where it has no storage yet, for positions are numbers that must be known."""
    found = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    return torch.device("cpu") if found.type == "meta" else found


def _map_after(clusters: ClusterMap, alive: Tensor, graph: fx.Graph, rewriting: Rewriting, added: _Added) -> ClusterMap:
    """What `ClusterMap.after` cannot know: the new nodes, and which buffers came and went."""
    values, constants, kinds = dict(rewriting.values), dict(clusters.constants), dict(clusters.kinds)
    names = {node.name: str(node.target) for node in graph.nodes if node.op == "get_attr"}
    gone = {str(node.target) for node in clusters.graph.nodes if node.op == "get_attr"} - set(names.values())
    tensors = {name: info for name, info in clusters.tensors.items() if name not in gone}
    for name, positions in added.indices.items():
        values[name] = Spec(tuple(positions.shape), positions.dtype)
        constants[name] = positions
    for node in graph.nodes:
        if node.target is torch.index_select:
            kinds[node.name] = "mover"
    for name, (spec, _, _) in added.steps.items():
        values[name], kinds[name] = spec, "mover"
    smaller = replace(clusters, tensors=tensors).after(
        alive, graph=graph, values=values, constants=constants, kinds=kinds
    )
    for name, (_, dim, source) in added.steps.items():
        smaller.axes[name] = Axis(dim, smaller.axes[source].ids)
    for name, positions in added.indices.items():
        smaller.tensors[names[name]] = TensorInfo(tuple(positions.shape), positions.element_size(), True)
    return smaller
