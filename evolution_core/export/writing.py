"""Writing an ONNX graph: nodes, initializers and the values that flow between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, fx, nn

OPSET = 17  # old enough for what runs on devices, new enough for every operator used
IR_VERSION = 8


class Unknown(Exception):
    """A step that the writer has no ONNX form for; torch's own exporter may have."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: its ONNX name and its shape for a batch of 2 and of 3 (meta tensors)."""

    name: str
    probes: tuple[Tensor, Tensor]

    @property
    def rank(self) -> int:
        return self.probes[0].dim()

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Sizes; None where a dimension follows the batch."""
        pairs = zip(self.probes[0].shape, self.probes[1].shape, strict=True)
        return tuple(two if two == three else None for two, three in pairs)

    def size(self, axis: int) -> int:
        """A size that does not depend on the batch."""
        found = self.shape[axis]
        if found is None:
            raise Unknown("a size that depends on the batch")
        return found


class Writer:
    """The ONNX graph under construction. `prefix` is what module names lose in the file."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.taken: set[str] = set()

    def name(self, wanted: str) -> str:
        """`wanted`, or a numbered form of it where it is taken."""
        wanted = wanted.removeprefix(self.prefix)
        found, number = wanted, 1
        while found in self.taken:
            found, number = f"{wanted}_{number}", number + 1
        self.taken.add(found)
        return found

    def constant(self, values: Any, name: str = "constant", *, kind: Any = None) -> str:
        """An initializer of a tensor, array, list of integers or number; its name. One tensor is written once."""
        if isinstance(values, Tensor):
            values = values.detach().cpu().contiguous().numpy()
        array = np.asarray(values)
        if kind is not None:
            array = array.astype(kind)
        name = self.name(name)
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, values: Any) -> str:
        return self.constant(np.asarray(values, dtype=np.int64), "sizes")

    def add(self, operator: str, inputs: list[str], wanted: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; its output's name, or the names of several. Attributes of None are left out."""
        named = [self.name(wanted if outputs == 1 else f"{wanted}.{i}") for i in range(outputs)]
        kept = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(operator, inputs, named, name=self.name(f"{wanted}/{operator}"), **kept))
        return named[0] if outputs == 1 else named

    def model(self, source: str, shape: tuple[int, ...], outputs: list[Value], metadata: dict[str, str]) -> bytes:
        """The finished file. Batch is a free dimension of every input and output."""

        def described(name: str, sizes: list[int | str]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)

        graph = helper.make_graph(
            self.nodes,
            "network",
            [described(source, ["batch", *shape])],
            [described(value.name, ["batch" if size is None else size for size in value.shape]) for value in outputs],
            list(self.initializers.values()),
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="eustress")
        made.ir_version = IR_VERSION
        helper.set_model_props(made, metadata)
        return made.SerializeToString()


@dataclass
class Step:
    """One node of the fx graph while it is written: arguments with tensors as `Value`s, the rest as torch gave it."""

    writer: Writer
    node: fx.Node
    module: nn.Module | None  # the layer with its numbers, also where a function stands for one
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: tuple[Any, Any]  # what the node gives for batches of 2 and 3

    @property
    def label(self) -> str:
        return str(self.node.target) if self.node.op == "call_module" else self.node.name

    def arg(self, position: int, key: str, default: Any = None) -> Any:
        return self.args[position] if len(self.args) > position else self.kwargs.get(key, default)

    def tensor(self, position: int = 0, key: str = "input") -> Value:
        """An argument that must be a tensor of the graph."""
        found = self.arg(position, key)
        if not isinstance(found, Value):
            raise Unknown(f"{self.label}: a tensor is expected")
        return found

    def number(self, position: int, key: str, default: Any = None) -> Any:
        """A plain argument; sizes that depend on the batch are refused."""
        found = self.arg(position, key, default)
        return plain(found)

    def operand(self, value: Any) -> str:
        """A tensor's name, or a number as a float constant."""
        if isinstance(value, Value):
            return value.name
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.writer.constant(np.float32(value))
        raise Unknown(f"{self.label}: {type(value).__name__} as an operand")

    def out(self, operator: str, inputs: list[str], **attributes: Any) -> Value:
        """The node's own result by one ONNX operator."""
        return self.value(self.writer.add(operator, inputs, self.label, **attributes))

    def inner(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """A helper node's output name."""
        return self.writer.add(operator, inputs, f"{self.label}.{operator.lower()}", **attributes)

    def value(self, name: str) -> Value:
        if not all(isinstance(result, Tensor) for result in self.result):
            raise Unknown(f"{self.label}: more than one result")
        return Value(name, self.result)

    def parameter(self, key: str) -> str:
        """An initializer for a tensor of the module, named as in the state dict."""
        return self.writer.constant(getattr(self.module, key), f"{self.label}.{key}")


@dataclass(frozen=True)
class Sized:
    """A plain number that differs between the two probes, so follows the batch."""

    two: Any
    three: Any


def plain(value: Any) -> Any:
    """`value` where no part of it depends on the image or the batch; Unknown otherwise."""
    if isinstance(value, (Value, Sized, Tensor)):
        raise Unknown("an argument that depends on the input")
    if isinstance(value, (list, tuple)):
        return type(value)(plain(part) for part in value)
    if isinstance(value, slice):
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


Form = Callable[[Step], Any]
MODULES: dict[type[nn.Module], Form] = {}
CALLS: dict[str, Form] = {}  # a function's or method's bare name


def module(*kinds: type[nn.Module]) -> Callable[[Form], Form]:
    """Decorator: the ONNX form of a layer."""

    def bind(form: Form) -> Form:
        MODULES.update(dict.fromkeys(kinds, form))
        return form

    return bind


def call(*names: str) -> Callable[[Form], Form]:
    """Decorator: the ONNX form of a function or tensor method, by its name without underscores at the end."""

    def bind(form: Form) -> Form:
        CALLS.update(dict.fromkeys(names, form))
        return form

    return bind


def find(node: fx.Node, module: nn.Module | None) -> Form:
    """The form for a node. Raises Unknown."""
    if module is not None:
        for kind in type(module).__mro__:
            if kind in MODULES:
                return MODULES[kind]
        raise Unknown(type(module).__name__)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name.strip("_") in CALLS:
        return CALLS[name.strip("_")]
    raise Unknown(name)


def is_same(a: Any, b: Any) -> bool:
    """Whether two plain probe results agree."""
    return type(a) is type(b) and not isinstance(a, torch.Tensor) and a == b
