"""Making the torch.fx graph, one operation at a time, each with its shape known for any batch.

Every emitted operation is run at once on two empty ("meta") inputs, of batch 2 and 3: no
arithmetic, but the exact shapes, from torch itself. A dimension that differs belongs to the batch,
so a network exported for one image becomes one for any number of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from evolution_core.spec import NetworkError

from .graph import Graph, Step, refuse
from .naming import Names

PROBES = (2, 3)  # batch sizes
MAXIMUM_ACTIVATION = 2**27  # numbers for one image


@dataclass(frozen=True)
class Dim:
    """One dimension for batch N: `size` * N where it is batched, `size` otherwise."""

    size: int
    batched: bool = False

    def at(self, batch: int) -> int:
        return self.size * batch if self.batched else self.size


@dataclass(frozen=True)
class Constant:
    """A value known at import."""

    array: np.ndarray
    name: str = ""


@dataclass(frozen=True)
class Emitted:
    """A node of the new graph and what it gives for batches of 2 and 3 (meta tensors, or plain numbers)."""

    node: fx.Node
    probes: tuple[Any, Any]
    learned: bool = False  # something upstream has parameters

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The shape. Raises NetworkError when a size is no multiple of the batch."""
        dims = []
        for two, three in zip(*(probe.shape for probe in self.probes), strict=True):
            if two == three:
                dims.append(Dim(two))
            elif two == 2 * (three - two):
                dims.append(Dim(three - two, True))
            else:
                raise NetworkError(f"{self.node.name} mixes the images of a batch, so it works for one batch size only")
        return tuple(dims)

    @property
    def rank(self) -> int:
        return self.probes[0].dim()

    def sizes(self, batch: int) -> tuple[int, ...]:
        return tuple(dim.at(batch) for dim in self.dims)


Value = Constant | Emitted


class Emission:
    """The graph under construction. `values` maps ONNX names to constants and emitted nodes."""

    def __init__(self, graph: Graph, batch: int):
        self.source = graph
        self.opset = graph.opset
        self.batch = batch  # the one that the file's own numbers are for
        self.root = nn.Module()
        self.graph = fx.Graph()
        self.names = Names()
        self.values: dict[str, Value] = {
            name: Constant(array, graph.origins.get(name, name)) for name, array in graph.constants.items()
        }
        self.shared: dict[tuple[str, ...], str] = {}  # weights and settings of a layer -> its target
        self.fills: dict[str, np.ndarray] = {}  # state name -> numbers, put in place at the end
        self.notes: list[str] = []
        self._input: Emitted | None = None

    # -- inputs of a step ------------------------------------------------------------------------------------------

    def value(self, step: Step, index: int) -> Value:
        name = step.input(index)
        if name not in self.values:
            raise refuse(step, f"has no input {index + 1}")
        return self.values[name]

    def activation(self, step: Step, index: int = 0) -> Emitted:
        """An input that flows from the image."""
        value = self.value(step, index)
        if isinstance(value, Constant):
            raise refuse(step, "works on a constant where an image's values are expected")
        return value

    def constant(self, step: Step, index: int, what: str = "a constant") -> np.ndarray:
        """An input that must be known at import. Raises NetworkError otherwise."""
        value = self.value(step, index)
        if isinstance(value, Emitted):
            raise refuse(step, f"needs {what} that does not depend on the image")
        return value.array

    def optional(self, step: Step, index: int, what: str = "a constant") -> np.ndarray | None:
        return self.constant(step, index, what) if step.input(index) else None

    def integers(self, step: Step, index: int, attribute: str) -> list[int] | None:
        """Axes, pads and such: an attribute in older opsets, a constant input in newer ones."""
        if attribute in step.attributes:
            given = step.attributes[attribute]
            return [int(item) for item in (given if isinstance(given, (list, tuple)) else [given])]
        array = self.optional(step, index, f"constant {attribute}")
        return None if array is None else [int(item) for item in array.ravel()]

    # -- emitting --------------------------------------------------------------------------------------------------

    def placeholder(self, name: str, shape: tuple[int, ...]) -> Emitted:
        node = self.graph.placeholder("image")
        self._input = Emitted(node, _pair(lambda batch: torch.empty((batch, *shape), device="meta")))
        self.values[name] = self._input
        return self._input

    def module(
        self,
        step: Step,
        kind: str,
        layer: nn.Module,
        x: Emitted,
        weights: tuple[str, ...] = (),
        **fills: np.ndarray,
    ) -> Emitted:
        """Call a layer on `x`. `weights` are the ONNX names of its weights, the best source for a readable name;
        `fills` are its parameters' and buffers' numbers. Two convolutions or full layers over the same weights
        are one layer, called twice."""
        key = (repr(layer), *weights)
        matrix = "weight" in fills and fills["weight"].ndim > 1
        if matrix and key in self.shared:
            target = self.shared[key]
        else:
            target = self.names.module(kind, step.name, tuple(self._name(weight) for weight in weights if weight))
            self._attach(target, layer.eval())
            self.fills.update({f"{target}.{name}": array for name, array in fills.items()})
            if matrix:
                self.shared[key] = target
        probes = self._probe(step, layer, (x,))
        node = self.graph.create_node("call_module", target, (x.node,), name=self.names.node(target))
        return Emitted(node, probes, x.learned or bool(fills))

    def function(self, step: Step, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._call(step, "call_function", function, function, args, kwargs)

    def method(self, step: Step, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a tensor method; the first argument is the tensor."""
        return self._call(step, "call_method", name, getattr(torch.Tensor, name), args, kwargs)

    def batch_size(self, step: Step) -> Emitted:
        """The number of images, as a node (a whole number)."""
        return self.method(step, "size", self._input, 0)

    def held(self, step: Step, value: Constant, *, trainable: bool = False) -> Emitted:
        """A constant as a parameter or buffer of the network. Whole numbers and masks are buffers too."""
        array = value.array
        tensor = torch.empty(array.shape, dtype=_dtype(array), device="meta")
        target = self.names.tensor("parameter" if trainable else "constant", value.name)
        parent, leaf = self._parent(target)
        if trainable:
            parent.register_parameter(leaf, nn.Parameter(tensor))
        else:
            parent.register_buffer(leaf, tensor)
        self.fills[target] = array
        node = self.graph.create_node("get_attr", target, name=self.names.node(target))
        return Emitted(node, (tensor, tensor), trainable)

    def _call(self, step: Step, op: str, target: Any, run: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        probes = self._probe(step, run, args, kwargs)
        to_node = lambda item: item.node if isinstance(item, Emitted) else item  # noqa: E731
        node = self.graph.create_node(op, target, _mapped(args, to_node), _mapped(kwargs, to_node))
        found: list[Emitted] = []
        _mapped((args, kwargs), lambda item: found.append(item) if isinstance(item, Emitted) else item)
        return Emitted(node, probes, any(item.learned for item in found))

    def _probe(self, step: Step, run: Callable[..., Any], args: tuple, kwargs: dict | None = None) -> tuple[Any, Any]:
        results = []
        for index in range(len(PROBES)):
            pick = lambda item, index=index: item.probes[index] if isinstance(item, Emitted) else item  # noqa: E731
            try:
                with torch.no_grad():
                    results.append(run(*_mapped(args, pick), **_mapped(kwargs or {}, pick)))
            except NetworkError:
                raise
            except Exception as error:  # torch raises many kinds; all mean that the shapes do not fit
                text = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
                raise refuse(step, f"does not fit its inputs: {text}") from None
        if isinstance(results[0], Tensor) and math.prod(results[0].shape) > MAXIMUM_ACTIVATION * PROBES[0]:
            raise refuse(step, f"would make more than {MAXIMUM_ACTIVATION:,} numbers for one image")
        return results[0], results[1]

    def _name(self, value: str) -> str:
        """What the file called a constant before it was moved about."""
        found = self.values.get(value)
        return found.name if isinstance(found, Constant) and found.name else value

    def _attach(self, target: str, layer: nn.Module) -> None:
        parent, leaf = self._parent(target)
        parent.add_module(leaf, layer)

    def _parent(self, target: str) -> tuple[nn.Module, str]:
        """The module that holds `target`, made on the way where it is missing."""
        *path, leaf = target.split(".")
        parent = self.root
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        return parent, leaf

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish(self, output: Emitted) -> fx.GraphModule:
        """The module, its numbers in place, in evaluation mode."""
        self.graph.output(output.node)
        whole = fx.GraphModule(self.root, self.graph)
        whole.graph.eliminate_dead_code()
        module = fx.GraphModule(whole, whole.graph, class_name="OwnNetwork")  # takes along only what is still used
        fill(module, self.fills)
        return module.eval()


def fill(module: nn.Module, numbers: dict[str, np.ndarray]) -> None:
    """Give every parameter and buffer its numbers; those without (a counter of batches) become zero."""
    needed = module.state_dict(keep_vars=True)
    state = {}
    for name, tensor in needed.items():
        if name in numbers:
            array = torch.from_numpy(np.array(numbers[name], order="C"))  # a copy: ONNX's own memory is read-only
            state[name] = array.to(tensor.dtype).reshape(tensor.shape)
        else:
            state[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
    module.load_state_dict(state, assign=True)


def _dtype(array: np.ndarray) -> torch.dtype:
    if array.dtype.kind == "b":
        return torch.bool
    return torch.float32 if array.dtype.kind == "f" else torch.int64


def _pair(make: Callable[[int], Any]) -> tuple[Any, Any]:
    return make(PROBES[0]), make(PROBES[1])


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with `change` applied to everything inside tuples, lists, dicts and slices."""
    if isinstance(value, tuple):
        return tuple(_mapped(item, change) for item in value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(_mapped(value.start, change), _mapped(value.stop, change), _mapped(value.step, change))
    return change(value)
