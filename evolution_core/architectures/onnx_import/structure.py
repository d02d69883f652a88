"""A torch.fx module as JSON and back, without pickle: what a genome file keeps of an own network's shape.

Only what stands in the two tables below can be written or read, names are checked before they
become part of generated code, and sizes are bounded; numbers come from the safetensors file beside it.
Small tensors of whole numbers (places in a Gather, masks) are part of the structure and travel inside.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from evolution_core.spec import NetworkError

from ..layers import LocalResponseNorm

VERSION = 1
MAXIMUM_BYTES = 16 * 2**20
MAXIMUM_NODES = 40_000
MAXIMUM_NUMBERS = 2**31
MAXIMUM_INDEX = 65_536  # numbers of one tensor that travels inside

_CONVOLUTION = "in_channels out_channels kernel_size stride padding dilation groups"
_POOL = "kernel_size stride padding"
_BATCH_NORM = "num_features eps momentum affine track_running_stats"

# Layer -> the arguments that rebuild it; each is an attribute of the layer of the same name.
LAYERS: dict[type[nn.Module], str] = {
    nn.Conv1d: _CONVOLUTION,
    nn.Conv2d: _CONVOLUTION,
    nn.ConvTranspose2d: f"{_CONVOLUTION} output_padding",
    nn.Linear: "in_features out_features",
    nn.BatchNorm1d: _BATCH_NORM,
    nn.BatchNorm2d: _BATCH_NORM,
    nn.LayerNorm: "normalized_shape eps elementwise_affine",
    nn.GroupNorm: "num_groups num_channels eps affine",
    LocalResponseNorm: "size alpha beta k",
    nn.MaxPool2d: f"{_POOL} dilation ceil_mode",
    nn.AvgPool2d: f"{_POOL} ceil_mode count_include_pad",
    nn.AdaptiveAvgPool2d: "output_size",
    nn.AdaptiveMaxPool2d: "output_size",
    nn.Dropout: "p",
    nn.LeakyReLU: "negative_slope",
    nn.ELU: "alpha",
    nn.CELU: "alpha",
    nn.GELU: "approximate",
    nn.PReLU: "num_parameters",
    nn.Threshold: "threshold value",
    nn.Flatten: "start_dim end_dim",
    nn.Softmax: "dim",
    **dict.fromkeys(
        (
            nn.ReLU,
            nn.ReLU6,
            nn.Sigmoid,
            nn.Tanh,
            nn.SELU,
            nn.SiLU,
            nn.Mish,
            nn.Hardswish,
            nn.Hardsigmoid,
            nn.Softplus,
            nn.Softsign,
            nn.Identity,
        ),
        "",
    ),
}
_WITH_BIAS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_KINDS = {kind.__name__: kind for kind in LAYERS}

_TORCH = """
    abs add amax amin cat ceil chunk clamp cos div einsum eq erf exp flatten flip floor ge gt index_select le log
    log_softmax logical_and logical_not logical_or logsumexp lt matmul maximum mean minimum mul neg pixel_shuffle
    pixel_unshuffle pow reciprocal round sigmoid sign sin softmax split sqrt sub sum tanh where
"""
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(torch, name) for name in _TORCH.split()},
    "getitem": operator.getitem,
    "operator.add": operator.add,
    "operator.floordiv": operator.floordiv,
    "operator.mul": operator.mul,
    "operator.pow": operator.pow,
    "operator.sub": operator.sub,
    "operator.truediv": operator.truediv,
    "interpolate": nn.functional.interpolate,
    "normalize": nn.functional.normalize,
    "pad": nn.functional.pad,
}
_FUNCTION_NAMES = {function: name for name, function in FUNCTIONS.items()}
_METHOD_NAMES = """
    chunk expand flatten float index_select permute repeat reshape select size split squeeze transpose unflatten
    unsqueeze view
"""
METHODS = frozenset(_METHOD_NAMES.split())
DTYPES = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool}
_DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


# --- writing ------------------------------------------------------------------------------------------------------


def to_structure(module: fx.GraphModule) -> str:
    """The module without its numbers, as compact JSON; the same module always gives the same text.

    Raises NetworkError on a layer or function outside the tables.
    """
    modules: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    nodes = []
    for node in module.graph.nodes:
        target = node.target
        if node.op == "call_module":
            modules.setdefault(str(target), _layer(module.get_submodule(str(target)), str(target)))
        elif node.op == "get_attr":
            tensors.setdefault(str(target), _tensor(module, str(target)))
        elif node.op == "call_function":
            if target not in _FUNCTION_NAMES:
                raise NetworkError(f"the function {getattr(target, '__name__', target)!r} cannot be stored")
            target = _FUNCTION_NAMES[target]
        elif node.op == "call_method" and target not in METHODS:
            raise NetworkError(f"the method {str(target)!r} cannot be stored")
        nodes.append([node.name, node.op, str(target), _encode(node.args), _encode(dict(node.kwargs))])
    value = {"version": VERSION, "nodes": nodes, "modules": modules, "tensors": tensors}
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)


def _layer(layer: nn.Module, target: str) -> list[Any]:
    kind = type(layer)
    if kind not in LAYERS:
        raise NetworkError(f"the layer {target!r} ({kind.__name__}) cannot be stored")
    arguments = {name: getattr(layer, name) for name in LAYERS[kind].split()}
    if isinstance(layer, (*_WITH_BIAS, nn.LayerNorm)):
        arguments["bias"] = layer.bias is not None
    return [kind.__name__, {name: _encode(value) for name, value in arguments.items()}]


def _tensor(module: nn.Module, target: str) -> dict[str, Any]:
    parent, _, leaf = target.rpartition(".")
    holder = module.get_submodule(parent)
    tensor = getattr(holder, leaf)
    found: dict[str, Any] = {
        "kind": "parameter" if isinstance(tensor, nn.Parameter) else "buffer",
        "shape": list(tensor.shape),
        "dtype": _DTYPE_NAMES.get(tensor.dtype, ""),
    }
    if not found["dtype"]:
        raise NetworkError(f"the tensor {target!r} holds {tensor.dtype} values, which cannot be stored")
    if tensor.dtype == torch.int64 and tensor.numel() <= MAXIMUM_INDEX:
        found["values"] = tensor.flatten().tolist()
    return found


def _encode(value: Any) -> Any:
    """Plain JSON; what JSON lacks is an object of one key."""
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, slice):
        return {"slice": [_encode(part) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, (tuple, torch.Size)):
        return {"tuple": [_encode(part) for part in value]}
    if isinstance(value, list):
        return [_encode(part) for part in value]
    if isinstance(value, dict):
        return {"dict": {str(key): _encode(part) for key, part in value.items()}}
    if value is Ellipsis:
        return {"ellipsis": 1}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise NetworkError(f"a value of the kind {type(value).__name__} cannot be stored")


# --- reading ------------------------------------------------------------------------------------------------------


def from_structure(text: str) -> fx.GraphModule:
    """The module that `text` describes, in evaluation mode, every number zero until a state is loaded.

    Raises NetworkError on anything that :func:`to_structure` would not write.
    """
    if len(text) > MAXIMUM_BYTES:
        raise NetworkError("the network's structure is absurdly large")
    try:
        value = json.loads(text)
        if value["version"] != VERSION:
            raise NetworkError(f"the network's structure is of version {value['version']!r}, not {VERSION}")
        return _Reader(value).module()
    except NetworkError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, RuntimeError) as error:
        raise NetworkError(f"the network's structure is broken ({type(error).__name__})") from None


class _Reader:
    def __init__(self, value: dict[str, Any]):
        self.value = value
        self.root = nn.Module()
        self.graph = fx.Graph()
        self.nodes: dict[str, fx.Node] = {}
        self.numbers = 0

    def module(self) -> fx.GraphModule:
        if len(self.value["nodes"]) > MAXIMUM_NODES:
            raise NetworkError("the network's structure has too many nodes")
        for target, (kind, arguments) in self.value["modules"].items():
            self._add_layer(target, kind, arguments)
        for target, found in self.value["tensors"].items():
            self._add_tensor(target, found)
        for name, op, target, args, kwargs in self.value["nodes"]:
            self._add_node(name, op, target, self._decode(args), self._decode(kwargs))
        self.graph.lint()
        module = fx.GraphModule(self.root, self.graph, class_name="OwnNetwork")
        return module.eval()

    def _add_layer(self, target: str, kind: str, arguments: dict[str, Any]) -> None:
        if kind not in _KINDS:
            raise NetworkError(f"the layer {str(kind)[:40]!r} is unknown")
        allowed = {*LAYERS[_KINDS[kind]].split(), "bias"}
        if not set(arguments) <= allowed:
            raise NetworkError(f"the layer {str(target)[:60]!r} has an unknown argument")
        decoded = {name: self._decode(value) for name, value in arguments.items()}
        with torch.device("meta"):
            layer = _KINDS[kind](**decoded)
        self._count(sum(tensor.numel() for tensor in (*layer.parameters(), *layer.buffers())))
        parent, leaf = self._place(target)
        parent.add_module(leaf, _zeroed(layer))

    def _add_tensor(self, target: str, found: dict[str, Any]) -> None:
        shape, dtype = [int(size) for size in found["shape"]], DTYPES[found["dtype"]]
        if any(size < 0 for size in shape):
            raise NetworkError("the network's structure has a tensor of negative size")
        self._count(math.prod(shape))
        tensor = torch.zeros(shape, dtype=dtype)
        if "values" in found:
            tensor = torch.tensor(found["values"], dtype=dtype).reshape(shape)
        parent, leaf = self._place(target)
        if found["kind"] == "parameter":
            parent.register_parameter(leaf, nn.Parameter(tensor))
        else:
            parent.register_buffer(leaf, tensor)

    def _add_node(self, name: str, op: str, target: str, args: Any, kwargs: Any) -> None:
        if not _NAME.fullmatch(name) or not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise NetworkError("the network's structure has a broken node")
        if not all(_NAME.fullmatch(key) for key in kwargs):
            raise NetworkError("the network's structure has a broken argument")
        function: Any = target
        if op == "call_function":
            function = FUNCTIONS[target]
        elif op == "call_method":
            if target not in METHODS:
                raise NetworkError(f"the method {target[:40]!r} is unknown")
        elif op == "call_module":
            self.root.get_submodule(_path(target))
        elif op == "get_attr":
            if target not in self.value["tensors"]:
                raise NetworkError(f"the tensor {target[:60]!r} is unknown")
        elif op not in ("placeholder", "output") or not _NAME.fullmatch(target):
            raise NetworkError(f"the step {str(op)[:40]!r} is unknown")
        node = self.graph.create_node(op, function, args, kwargs, name=name)
        if node.name != name or name in self.nodes:
            raise NetworkError(f"the name {name[:60]!r} is used twice or cannot be used")
        self.nodes[name] = node

    def _decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._decode(part) for part in value]
        if not isinstance(value, dict):
            return value
        ((key, part),) = value.items()
        if key == "node":
            return self.nodes[part]
        if key == "slice":
            start, stop, step = part
            return slice(self._decode(start), self._decode(stop), self._decode(step))
        if key == "tuple":
            return tuple(self._decode(item) for item in part)
        if key == "dict":
            return {name: self._decode(item) for name, item in part.items()}
        if key == "float":
            return float(part)
        if key == "ellipsis":
            return Ellipsis
        raise NetworkError("the network's structure has an unknown value")

    def _place(self, target: str) -> tuple[nn.Module, str]:
        *path, leaf = _path(target).split(".")
        parent = self.root
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        return parent, leaf

    def _count(self, numbers: int) -> None:
        self.numbers += numbers
        if self.numbers > MAXIMUM_NUMBERS:
            raise NetworkError("the network's structure claims an absurd number of parameters")


def _path(target: str) -> str:
    if not isinstance(target, str) or not _PATH.fullmatch(target):
        raise NetworkError("the network's structure has a name that cannot be used")
    return target


def _zeroed(layer: nn.Module) -> nn.Module:
    """A layer made without storage, with zeros in it."""
    layer = layer.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            tensor.zero_()
    return layer
