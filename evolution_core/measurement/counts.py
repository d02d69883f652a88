"""How large a network is, and how much arithmetic one image takes. One multiply-add counts as one MAC."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..tensors import storages
from .graph import on_shapes


def count_parameters(model: nn.Module) -> int:
    """Numbers in all parameters; a tensor used twice counts once, buffers (batch-norm statistics) not at all."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_bytes(model: nn.Module) -> int:
    """Bytes of all tensors as they are saved: parameters and buffers, each once, without the file's header."""
    tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def count_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-adds for one input of `shape` (C, H, W), in evaluation mode.

    Convolutions, full layers and matrix products count; element-wise work (activations, normalisation,
    pooling, bias) does not. Raises NetworkError when the network does not run on such an input.
    """
    return walk(model, shape).macs


def peak_activation_bytes(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Most bytes of activations alive at once for one input, input included, freed as soon as nothing needs them."""
    return walk(model, shape).peak_bytes


def layer_table(model: nn.Module, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """One row for each layer with parameters or multiply-adds, in the order in which they first run.

    Keys: layer (name), kind, clusters (output channels or neurons), parameters, macs, output (shape for
    one image). Parameters and MACs sum to the whole network's; a layer used twice has one row.
    """
    return walk(model, shape).rows


@dataclass
class Walk:
    """What one run through the graph found."""

    macs: int = 0
    peak_bytes: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)


def walk(model: nn.Module, shape: tuple[int, ...]) -> Walk:
    """Counts, peak memory and layer table in one run over the shapes. Raises NetworkError as `count_macs`."""

    def count(graph: fx.GraphModule, example: Tensor) -> Walk:
        counter = _Counter(graph)
        counter.run(example)
        return Walk(sum(counter.macs.values()), counter.peak, list(_rows(graph, counter)))

    return on_shapes(model, shape, count)


class _Products(TorchDispatchMode):
    """Counts the multiply-adds of what torch really executes, however it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = _PRODUCTS.get(func._overloadpacket)
        if count:
            self.macs += count(args, result)
        return result


def _convolution(args: tuple[Any, ...], result: Tensor) -> int:
    source, weight, transposed = args[0], args[1], args[6]
    # weight: [out, in / groups, ...], or [in, out / groups, ...] when transposed
    return (source if transposed else result).numel() * weight[0].numel()


def _attention(args: tuple[Any, ...], result: Any) -> int:
    query, key, value = args[:3]
    return query.numel() * key.shape[-2] + query.shape[:-1].numel() * key.shape[-2] * value.shape[-1]


_aten = torch.ops.aten
_PRODUCTS: dict[Any, Callable[[tuple[Any, ...], Any], int]] = {
    _aten.convolution: _convolution,
    _aten.mm: lambda args, result: result.numel() * args[0].shape[-1],
    _aten.bmm: lambda args, result: result.numel() * args[0].shape[-1],
    _aten.addmm: lambda args, result: result.numel() * args[1].shape[-1],
    _aten.baddbmm: lambda args, result: result.numel() * args[1].shape[-1],
    _aten.mv: lambda args, result: args[0].numel(),
    _aten.addmv: lambda args, result: args[1].numel(),
    _aten.dot: lambda args, result: args[0].numel(),
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_flash_attention: _attention,
    _aten._scaled_dot_product_efficient_attention: _attention,
}


class _Counter(fx.Interpreter):
    """Runs the graph once: MACs and output by node, and the peak of what is alive between nodes."""

    def __init__(self, graph: fx.GraphModule):
        super().__init__(graph, garbage_collect_values=True)
        self.macs: dict[fx.Node, int] = {}
        self.outputs: dict[fx.Node, tuple[int, ...]] = {}
        self.peak = 0

    def run_node(self, n: fx.Node) -> Any:
        with _Products() as products:
            result = super().run_node(n)
        self.macs[n] = products.macs
        if isinstance(result, Tensor):
            self.outputs[n] = tuple(result.shape[1:])
        if n.op != "output":
            alive = [value for node, value in self.env.items() if node.op != "get_attr"]
            held = storages([*alive, *([] if n.op == "get_attr" else [result])])
            self.peak = max(self.peak, sum(held.values()))
        return result


def _rows(graph: fx.GraphModule, counter: _Counter) -> Iterator[dict[str, Any]]:
    """Table rows by what owns the parameters: a module, or a tensor of the graph's own."""
    modules = dict(graph.named_modules())
    rows: dict[str, dict[str, Any]] = {}
    counted: set[int] = set()
    for node in graph.graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if module is not None:
            name, kind, clusters = str(node.target), describe(module), _clusters(module)
            fresh = [p for p in module.parameters() if id(p) not in counted]
        elif node.op == "get_attr":
            tensor = _attribute(graph, str(node.target))
            fresh = [tensor] if isinstance(tensor, nn.Parameter) and id(tensor) not in counted else []
            name, kind, clusters = str(node.target), "tensor", None
        else:
            name, kind, clusters, fresh = node.name, "product", None, []
        counted.update(id(parameter) for parameter in fresh)
        numbers = sum(parameter.numel() for parameter in fresh)
        if name in rows:
            rows[name]["macs"] += counter.macs[node]
        elif numbers or counter.macs[node]:
            output = list(counter.outputs.get(node, ()))
            rows[name] = {
                "layer": name,
                "kind": kind,
                "clusters": clusters,
                "parameters": numbers,
                "macs": counter.macs[node],
                "output": output,
            }
    yield from rows.values()


def _attribute(root: nn.Module, path: str) -> Any:
    found: Any = root
    for part in path.split("."):
        found = getattr(found, part)
    return found


def describe(module: nn.Module) -> str:
    """A layer's kind in a few words: "conv 3x3 /2, 2 groups", "depthwise 3x3", "full", "batch norm"."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)):
        deep = module.groups > 1 and module.groups == module.in_channels
        word = "depthwise" if deep else "deconv" if isinstance(module, nn.modules.conv._ConvTransposeNd) else "conv"
        text = f"{word} {'x'.join(map(str, module.kernel_size))}"
        if math.prod(module.stride) > 1:
            text += f" /{module.stride[0]}"
        return text if deep or module.groups == 1 else f"{text}, {module.groups} groups"
    kinds = {
        nn.Linear: "full",
        nn.modules.batchnorm._BatchNorm: "batch norm",
        nn.LayerNorm: "layer norm",
        nn.GroupNorm: "group norm",
        nn.PReLU: "learned ReLU",
        nn.MultiheadAttention: "attention",
    }
    return next((text for kind, text in kinds.items() if isinstance(module, kind)), type(module).__name__.lower())


def _clusters(module: nn.Module) -> int | None:
    for name in ("out_channels", "out_features", "num_features", "num_channels"):
        if hasattr(module, name):
            return int(getattr(module, name))
    return None
