"""How a network's layers hang together, to be drawn: what feeds what, where paths join, without the small steps."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from .counts import describe
from .graph import on_shapes

JOINS: dict[Any, str] = {
    torch.cat: "concat",
    torch.concat: "concat",
    torch.add: "add",
    operator.add: "add",
    operator.iadd: "add",
    "add": "add",
    "add_": "add",
    torch.mul: "multiply",
    operator.mul: "multiply",
    operator.imul: "multiply",
    "mul": "multiply",
    "mul_": "multiply",
}


@dataclass(frozen=True)
class Part:
    """One thing in a drawing. `kind` is "input", "output", a join ("add", "concat", "multiply", "join"), or a layer's
    kind in words; only layers have a name. `sources` are the places, in the list of parts, of what feeds it; `output`
    is the shape for one image."""

    name: str
    kind: str
    sources: tuple[int, ...]
    output: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "sources": list(self.sources), "output": list(self.output)}


def wiring(model: nn.Module, shape: tuple[int, ...]) -> list[Part]:
    """The input, every layer that has a matrix of weights, every join of different paths, and the output, in the order
    in which they run. What changes nothing about the paths (activations, pooling, normalisation) is left out.

    `shape` is (C, H, W). Raises NetworkError when the network cannot be followed or does not run on such an input.
    """

    def follow(graph: fx.GraphModule, example: Tensor) -> list[Part]:
        drawing = _Drawing(graph)
        drawing.run(example)
        return drawing.parts

    return on_shapes(model, shape, follow)


class _Drawing(fx.Interpreter):
    """Runs the graph once and notes, for each tensor, the one part that it comes from."""

    def __init__(self, graph: fx.GraphModule):
        super().__init__(graph)
        self.parts: list[Part] = []
        self.origin: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        sources = tuple(dict.fromkeys(self.origin[node] for node in n.all_input_nodes if node in self.origin))
        if n.op == "output":
            self._add(n, "", "output", sources, None)
        elif not _holds_tensor(result) or n.op == "get_attr":
            return result
        elif n.op == "placeholder":
            self._add(n, "", "input", (), result)
        elif (layer := self._layer(n)) is not None:
            self._add(n, *layer, sources, result)
        elif len(sources) > 1:
            self._add(n, "", JOINS.get(n.target, "join"), sources, result)
        elif sources:
            self.origin[n] = sources[0]
        return result

    def _layer(self, node: fx.Node) -> tuple[str, str] | None:
        """(name, kind) of a step that owns a matrix or kernels of weights."""
        if node.op == "call_module":
            module = self.module.get_submodule(str(node.target))
            normalises = isinstance(module, nn.LayerNorm)  # of many axes, but still one number for each
            if not normalises and any(parameter.ndim > 1 for parameter in module.parameters()):
                return str(node.target), describe(module)
            return None
        for given in node.all_input_nodes:
            tensor = self.env.get(given) if given.op == "get_attr" else None
            if isinstance(tensor, nn.Parameter) and sum(size > 1 for size in tensor.shape) > 1:
                return str(given.target).removesuffix(".weight"), "tensor"
        return None

    def _add(self, node: fx.Node, name: str, kind: str, sources: Iterable[int], result: Any) -> None:
        self.origin[node] = len(self.parts)
        shape = tuple(result.shape[1:]) if isinstance(result, Tensor) else ()
        self.parts.append(Part(name, kind, tuple(sources), shape))


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_tensor(part) for part in value)
    return isinstance(value, Tensor)
