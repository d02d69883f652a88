"""The graph that tracing and surgery work on: torch.fx over whatever the user's network is written in."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from evolution_core.spec import NetworkError


@dataclass(frozen=True)
class Spec:
    """What is remembered of a tensor that flowed: its shape and type, never its numbers."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def meta(self) -> Tensor:
        """A tensor without storage, to ask torch what an operation would give."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")


class _Tracer(fx.Tracer):
    """Keeps our own one-operation modules (LRN) whole, as torch keeps its own layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        from evolution_core.architectures.layers import is_leaf  # there, importing pulls in every base network

        return is_leaf(m) or super().is_leaf_module(m, module_qualified_name)


def graph_of(model: nn.Module) -> tuple[fx.Graph, dict[str, nn.Module]]:
    """The model's graph in evaluation mode, and the modules that stand in it for functional forms (by name, to be
    added to offspring).

    torch.fx reads `self.training` once and for all. Dropout and batch normalisation in functional form that depend on
    it become modules, which go on asking; so does local response normalisation, which the proof bypasses. Raises
    NetworkError where torch.fx cannot follow the forward pass (a branch on data, for example).
    """
    if isinstance(model, fx.GraphModule):
        graph, twin = copy.deepcopy(model.graph), {}
    else:
        graph = _traced(model, training=False)
        moody = any(node.target in (*_DROPOUTS, nn.functional.batch_norm) for node in graph.nodes)
        twin = {node.name: node for node in _traced(model, training=True).nodes} if moody else {}
    for node in reversed(list(graph.nodes)):  # questions about shapes whose answers nobody used
        if node.op == "call_method" and node.target in ("size", "dim") and not node.users:
            graph.erase_node(node)
    stand_ins: dict[str, nn.Module] = {}
    for node in list(graph.nodes):
        made = _module_for(node, twin.get(node.name)) if node.op == "call_function" else None
        if made is None:
            continue
        name = f"{node.name}_module"
        stand_ins[name] = made
        inputs = [_given(node, place, key) for place, key in enumerate(getattr(made, "keys", ("input",)))]
        with graph.inserting_before(node):
            replacement = graph.call_module(name, tuple(inputs))
        node.replace_all_uses_with(replacement)
        graph.erase_node(node)
    graph.lint()
    return graph, stand_ins


def _traced(model: nn.Module, *, training: bool) -> fx.Graph:
    modes = {part: part.training for part in model.modules()}
    try:
        return _Tracer().trace(model.train(training))
    except NetworkError:
        raise
    except Exception as error:  # whatever the user's forward raises under tracing
        text = str(error).splitlines()[0][:200] if str(error) else ""
        raise NetworkError(f"torch.fx cannot follow this network: {type(error).__name__}: {text}") from error
    finally:
        for part, mode in modes.items():
            part.training = mode


class FunctionalBatchNorm(nn.Module):
    """`F.batch_norm` on parameters that others hold: in training by the module's mode, not by the tracer's."""

    keys = ("input", "running_mean", "running_var", "weight", "bias")

    def __init__(self, momentum: float, eps: float) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps

    def forward(
        self, x: Tensor, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None
    ) -> Tensor:
        use_batch = self.training or mean is None or var is None
        return nn.functional.batch_norm(x, mean, var, weight, bias, use_batch, self.momentum, self.eps)


_DROPOUTS = {
    nn.functional.dropout: nn.Dropout,
    nn.functional.dropout1d: nn.Dropout1d,
    nn.functional.dropout2d: nn.Dropout2d,
    nn.functional.dropout3d: nn.Dropout3d,
    nn.functional.alpha_dropout: nn.AlphaDropout,
}


def _given(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _module_for(node: fx.Node, twin: fx.Node | None) -> nn.Module | None:
    """The module that means the same as a functional call. `twin` is the call as it is in training mode."""
    target: Any = node.target
    if target is nn.functional.local_response_norm:
        values = [_given(node, 1, "size"), _given(node, 2, "alpha", 1e-4), _given(node, 3, "beta", 0.75)]
        values.append(_given(node, 4, "k", 1.0))
        return None if any(isinstance(value, fx.Node) for value in values) else nn.LocalResponseNorm(*values)
    place = 2 if target in _DROPOUTS else 5
    default = target in _DROPOUTS
    if twin is None or twin.target is not target:
        return None
    if _given(twin, place, "training", default) == _given(node, place, "training", default):
        return None  # the same in both modes
    if target in _DROPOUTS:
        p = _given(node, 1, "p", 0.5)
        return _DROPOUTS[target](p) if isinstance(p, (int, float)) else None
    if target is nn.functional.batch_norm:
        return FunctionalBatchNorm(_given(node, 6, "momentum", 0.1), _given(node, 7, "eps", 1e-5))
    return None


class Values(fx.Interpreter):
    """Runs a graph once on an example and remembers what each node gave: `Spec`s for tensors, the rest as it is."""

    def __init__(self, module: fx.GraphModule):
        super().__init__(module)
        self.values: dict[str, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        self.values[n.name] = _specs(result)
        return result


def _specs(value: Any) -> Any:
    if isinstance(value, Tensor):
        return Spec(tuple(value.shape), value.dtype)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # named results such as max(dim)
        return tuple(_specs(part) for part in value)
    if isinstance(value, (tuple, list)):
        return type(value)(_specs(part) for part in value)
    if isinstance(value, dict):
        return {key: _specs(part) for key, part in value.items()}
    return value


def with_stand_ins(model: nn.Module, graph: fx.Graph, stand_ins: dict[str, nn.Module]) -> fx.GraphModule:
    """A GraphModule that runs `graph` on the model's own modules and tensors (shared, not copied)."""
    root: dict[str, Any] = dict(stand_ins)
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr") and node.target not in root:
            root[node.target] = attribute(model, node.target)
    return fx.GraphModule(root, graph)


def attribute(model: nn.Module, path: str) -> Any:
    """The module, parameter or buffer at a dotted path. Raises NetworkError where there is none."""
    found: Any = model
    for part in path.split("."):
        if not hasattr(found, part):
            raise NetworkError(f"the network has no {path!r}")
        found = getattr(found, part)
    return found


def run_values(model: nn.Module, graph: fx.Graph, stand_ins: dict[str, nn.Module], example: Tensor) -> dict[str, Any]:
    """Every node's value for `example` [N, ...], in evaluation mode and where the model is, which is left as it was."""
    module = with_stand_ins(model, graph, stand_ins)
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            runner = Values(module)
            runner.run(example.to(next((p.device for p in model.parameters()), example.device)))
    except Exception as error:
        text = str(error).splitlines()[0][:200] if str(error) else ""
        shape = "x".join(map(str, example.shape[1:]))
        raise NetworkError(f"the network does not run on inputs of {shape}: {text}") from error
    finally:
        for part, mode in modes.items():
            part.training = mode
    return runner.values


def canonical_names(model: nn.Module) -> dict[str, str]:
    """Every name of every parameter and buffer -> the first name of the same tensor (tied weights share one)."""
    first: dict[int, str] = {}
    names: dict[str, str] = {}
    for source in (model.named_parameters, model.named_buffers):
        for name, tensor in source(remove_duplicate=False):
            names[name] = first.setdefault(id(tensor), name)
    return names
