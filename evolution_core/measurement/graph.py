"""A network as a graph of steps whose shapes are known, found out without doing any arithmetic."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, fx, nn

from evolution_core.architectures.layers import is_leaf
from evolution_core.spec import NetworkError

Result = TypeVar("Result")


class _Tracer(fx.Tracer):
    """Keeps our own one-operation modules whole, as torch.fx keeps torch's layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_leaf(m) or super().is_leaf_module(m, module_qualified_name)


def without_numbers(model: nn.Module) -> nn.Module:
    """A copy on torch's "meta" device, in evaluation mode: shapes and structure, no storage; `model` stays as it is."""
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = buffer.detach().to("meta")
    return copy.deepcopy(model, memo).eval()


def traced(model: nn.Module) -> fx.GraphModule:
    """The model as a graph, itself if it is one. Raises NetworkError where torch.fx cannot follow it."""
    if isinstance(model, fx.GraphModule):
        return model
    try:
        return fx.GraphModule(model, _Tracer().trace(model))
    except Exception as error:  # whatever a forward pass raises under tracing
        reason = str(error).splitlines()[0][:200] if str(error) else ""
        raise NetworkError(f"torch.fx cannot follow this network: {type(error).__name__}: {reason}") from error


def on_shapes(model: nn.Module, shape: tuple[int, ...], work: Callable[[fx.GraphModule, Tensor], Result]) -> Result:
    """`work(graph, input [1, *shape])`: without numbers where that is possible, else with zeros, never with gradients.

    Raises NetworkError when the network does not run on such an input.
    """
    for copied, device in ((without_numbers, "meta"), (copy.deepcopy, "cpu")):
        graph = traced(copied(model).eval())
        try:
            with torch.no_grad():
                return work(graph, torch.zeros((1, *shape), device=device))
        except Exception as error:  # a step that needs numbers, or an input that does not fit
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    sizes = "x".join(map(str, shape))
    raise NetworkError(f"the network does not run on inputs of {sizes}: {reason}")
