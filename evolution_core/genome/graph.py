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
    """The model's graph, and the modules that stand in it for functional forms (by name, to be added to offspring).

    Dropout and batch normalisation in functional form read `self.training` once, while being traced; local response
    normalisation has to be bypassed in the proof. As modules they behave. Raises NetworkError where torch.fx cannot
    follow the forward pass (a branch on data, for example).
    """
    if isinstance(model, fx.GraphModule):
        graph = copy.deepcopy(model.graph)
    else:
        try:
            graph = _Tracer().trace(model)
        except NetworkError:
            raise
        except Exception as error:  # whatever the user's forward raises under tracing
            text = str(error).splitlines()[0][:200] if str(error) else ""
            raise NetworkError(f"torch.fx cannot follow this network: {type(error).__name__}: {text}") from error
    for node in reversed(list(graph.nodes)):  # questions about shapes whose answers nobody used
        if node.op == "call_method" and node.target in ("size", "dim") and not node.users:
            graph.erase_node(node)
    stand_ins: dict[str, nn.Module] = {}
    for node in list(graph.nodes):
        made = _module_for(node, model) if node.op == "call_function" else None
        if made is None:
            continue
        name = f"{node.name}_module"
        stand_ins[name] = made
        with graph.inserting_before(node):
            replacement = graph.call_module(name, (node.args[0] if node.args else node.kwargs["input"],))
        node.replace_all_uses_with(replacement)
        graph.erase_node(node)
    graph.lint()
    return graph, stand_ins


_DROPOUTS = {
    nn.functional.dropout: nn.Dropout,
    nn.functional.dropout1d: nn.Dropout1d,
    nn.functional.dropout2d: nn.Dropout2d,
    nn.functional.dropout3d: nn.Dropout3d,
    nn.functional.alpha_dropout: nn.AlphaDropout,
}


def _module_for(node: fx.Node, model: nn.Module) -> nn.Module | None:
    """The module that means the same as a functional call, where the functional form would misbehave."""

    def given(position: int, name: str, default: Any) -> Any:
        return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)

    target: Any = node.target
    if target in _DROPOUTS:
        p = given(1, "p", 0.5)
        return _DROPOUTS[target](p) if isinstance(p, (int, float)) else None
    if target is nn.functional.local_response_norm:
        values = [given(1, "size", None), given(2, "alpha", 1e-4), given(3, "beta", 0.75), given(4, "k", 1.0)]
        return None if any(isinstance(value, fx.Node) for value in values) else nn.LocalResponseNorm(*values)
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
    """Every node's value for `example` [N, ...], in evaluation mode; the model is left as it was."""
    module = with_stand_ins(model, graph, stand_ins)
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            runner = Values(module)
            runner.run(example)
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
