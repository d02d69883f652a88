"""What travels through the graph while it is traced, and the registry of rules that move it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from .graph import FunctionalBatchNorm, Spec, attribute
from .ledger import FIXED, Ledger


@dataclass
class Flow:
    """One tensor of the network as labels.

    labels: integer tensor of the activation's own shape (often expanded, so it takes no room). clean: whether the
    elements of a dead cluster are exactly zero here, which sums over channels need. index: for a tensor made from one
    parameter or buffer by moving its elements, the flat position of each element in that parameter.
    """

    labels: Tensor
    clean: bool = True
    parameter: str | None = None
    index: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        return self.labels.shape

    @property
    def is_free(self) -> bool:
        """Whether nothing of it can ever be cut."""
        return self.labels.numel() == 0 or not bool((self.labels != FIXED).any())


@dataclass(frozen=True)
class Parameter:
    """A layer's parameter: its canonical name and, for each axis the layer means, the parameter's own axis."""

    name: str
    axes: tuple[int, ...]
    tensor: Tensor


@dataclass
class Trace:
    """The state of one tracing: the model, its graph's values, the labels so far, and what movers must be tried on."""

    model: nn.Module
    stand_ins: dict[str, nn.Module]
    values: dict[str, Any]
    names: dict[str, str]  # every parameter name -> canonical
    ledger: Ledger = field(default_factory=Ledger)
    flows: dict[str, Any] = field(default_factory=dict)  # node name -> Flow, or a tuple of them, or a plain value
    kinds: dict[str, str] = field(default_factory=dict)  # node name -> kind of the rule that handled it
    work: list[tuple[str, int]] = field(default_factory=list)  # (parameter, positions): multiply-adds of a layer
    contractions: list[tuple[Tensor, int]] = field(default_factory=list)  # (labels summed over, positions)
    bases: dict[str, Tensor] = field(default_factory=dict)  # parameter used as a value -> its own labels
    batch_dependent: set[str] = field(default_factory=set)  # nodes whose number depends on how many images there are

    def parameter_tensor(self, name: str) -> Tensor:
        head, _, tail = name.partition(".")
        return attribute(self.stand_ins[head], tail) if head in self.stand_ins else attribute(self.model, name)

    def source(self, name: str) -> Flow:
        """A parameter or buffer used as a value: it gets labels of its own, which joins then unite with others."""
        name = self.names.get(name, name)
        tensor = self.parameter_tensor(name)
        if name not in self.bases:
            self.bases[name] = self.ledger.fresh(tensor.numel()).view(tensor.shape)
        index = torch.arange(tensor.numel()).view(tensor.shape)
        return Flow(self.bases[name], isinstance(tensor, nn.Parameter), name, index)


@dataclass
class Call:
    """One operation of the graph with its arguments resolved: Flows for tensors, plain values for the rest."""

    trace: Trace
    node: fx.Node
    name: str  # canonical: "conv2d", "relu", "Conv2d" for a module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    module: nn.Module | None
    value: Any  # Spec, or a tuple of them

    @property
    def ledger(self) -> Ledger:
        return self.trace.ledger

    def arg(self, position: int, key: str, default: Any = None) -> Any:
        return self.args[position] if len(self.args) > position else self.kwargs.get(key, default)

    def flows(self) -> list[Flow]:
        """Every tensor among the arguments, in order."""
        return list(_flows_in((self.args, self.kwargs)))

    @property
    def input(self) -> Flow:
        return self.arg(0, "input")

    @property
    def layer(self) -> str:
        """A readable name for the layer that this call is."""
        if self.module is not None:
            return str(self.node.target)
        parameter = self.parameter("weight", 1)
        name = parameter.name if parameter else self.node.name
        return name.removesuffix(".weight").removesuffix("_weight")

    @property
    def _holds_parameters(self) -> bool:
        return self.module is not None and not isinstance(self.module, FunctionalBatchNorm)

    def parameter(self, key: str, position: int) -> Parameter | None:
        """The layer's parameter by its key (modules) or argument (functions); None when it has none, or when it is
        computed and so cannot be cut."""
        if self._holds_parameters:
            tensor = getattr(self.module, key, None)
            if tensor is None:
                return None
            name = self.trace.names.get(f"{self.node.target}.{key}")
            return None if name is None else Parameter(name, tuple(range(tensor.ndim)), tensor)
        flow = self.arg(position, key)
        return self.parameter_of(flow) if isinstance(flow, Flow) else None

    def parameter_of(self, flow: Flow) -> Parameter | None:
        """The parameter that a flow is, at most transposed; None when it is anything else."""
        if flow.parameter is None or flow.index is None:
            return None
        tensor = self.trace.parameter_tensor(flow.parameter)
        axes = _permutation(flow.index, tuple(tensor.shape))
        return None if axes is None else Parameter(flow.parameter, axes, tensor)

    def is_computed(self, key: str, position: int) -> bool:
        """Whether a parameter is there but is not a plain parameter of the model (weight normalisation and such)."""
        if self._holds_parameters:
            return getattr(self.module, key, None) is not None and self.parameter(key, position) is None
        given = self.arg(position, key)
        return isinstance(given, Flow) and self.parameter_of(given) is None

    def fixed(self) -> Any:
        """A result of which nothing can be cut, of the value's shape."""
        return fixed(self.value)


def fixed(value: Any) -> Any:
    if isinstance(value, Spec):
        return Flow(torch.zeros((), dtype=torch.long).expand(value.shape))
    if isinstance(value, (tuple, list)):
        return tuple(fixed(part) for part in value)
    if isinstance(value, dict):
        return {key: fixed(part) for key, part in value.items()}
    return value


def _flows_in(value: Any) -> Iterator[Flow]:
    if isinstance(value, Flow):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _flows_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _flows_in(part)
    elif isinstance(value, slice):
        yield from _flows_in((value.start, value.stop, value.step))


def flows_in(value: Any) -> list[Flow]:
    """Every Flow inside nested tuples, lists, slices and mappings."""
    return list(_flows_in(value))


def map_flows(value: Any, change: Callable[[Flow], Any]) -> Any:
    """The same nested value with every Flow replaced."""
    if isinstance(value, Flow):
        return change(value)
    if isinstance(value, tuple):
        return tuple(map_flows(part, change) for part in value)
    if isinstance(value, list):
        return [map_flows(part, change) for part in value]
    if isinstance(value, dict):
        return {key: map_flows(part, change) for key, part in value.items()}
    return value


def _permutation(index: Tensor, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """For each axis of `index` (flat positions in a tensor of `shape`), the tensor's own axis, if it is a pure
    transposition."""
    if index.ndim != len(shape) or index.numel() == 0:
        return None
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    axes: list[int] = []
    for dim in range(index.ndim):
        step = int(index.select(dim, 1).flatten()[0] - index.flatten()[0]) if index.shape[dim] > 1 else 0
        found = [a for a in range(len(shape)) if a not in axes and shape[a] == index.shape[dim]]
        found = [a for a in found if step in (0, strides[a])]
        if not found:
            return None
        axes.append(found[0])
    whole = torch.arange(index.numel()).view(shape).permute(axes)
    return tuple(axes) if torch.equal(whole, index) else None


def words(text: str) -> tuple[str, ...]:
    """Names separated by white space."""
    return tuple(text.split())


Rule = Callable[[Call], Any]
RULES: dict[str, tuple[str, Rule]] = {}  # canonical name -> (kind, rule)


def rule(kind: str, *names: str) -> Callable[[Rule], Rule]:
    """Decorator: the rule for operations of these canonical names (functions, methods, module classes).

    kind says how surgery treats the node: "layer", "pointwise", "mover", "normalisation", "window", "reduction",
    "contraction", "attention", "gate" or "source".
    """

    def bind(function: Rule) -> Rule:
        for name in names:
            if name in RULES:
                raise ValueError(f"two rules for {name!r}")
            RULES[name] = (kind, function)
        return function

    return bind


_TORCH_HOMES = ("torch", "_operator", "operator", "math", "builtins")


def canonical_name(node: fx.Node, module: nn.Module | None) -> str | None:
    """The name that rules are registered by; None for anything that is not torch's own."""
    if node.op == "call_method":
        return str(node.target)
    if module is not None:
        from evolution_core.architectures.layers import LocalResponseNorm
        from evolution_core.architectures.region import Region

        if isinstance(module, Region):
            return "Identity"
        if isinstance(module, LocalResponseNorm):
            return "LocalResponseNorm"
        if isinstance(module, FunctionalBatchNorm):
            return "batch_norm"
        return type(module).__name__ if type(module).__module__.startswith("torch.nn") else None
    home = getattr(node.target, "__module__", None)
    if home is not None and home.split(".")[0] not in _TORCH_HOMES:
        return None
    return getattr(node.target, "__name__", None)
