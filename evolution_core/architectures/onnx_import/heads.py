"""The last layer of an own network, fitted to the classes of the data it shall evolve on."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import fx, nn

from evolution_core.seeds import generator
from evolution_core.spec import NetworkError

from .network import OwnNetwork

# What may stand between the last layer and the output without changing which number is which class.
_BETWEEN = {"flatten", "squeeze", "AdaptiveAvgPool2d", "Flatten", "Identity"}


def fitted(network: OwnNetwork, classes: Sequence[str], seed: int) -> OwnNetwork:
    """The network with one output for each of the data's `classes`, in their order; the given one is left as it was.

    * A file that names its classes (metadata "classes") has its outputs put in the data's order.
    * As many outputs as classes otherwise: taken to be in the data's order.
    * Another number: the last layer is drawn anew, a function of `seed`, and has to be trained.
    Raises NetworkError where the last layer cannot be found.
    """
    if network.outputs == len(classes):
        if not network.classes or tuple(network.classes) == tuple(classes):
            return network
        if sorted(network.classes) == sorted(classes):
            return _reordered(network, [network.classes.index(name) for name in classes], tuple(classes))
        return network
    module = copy.deepcopy(network.module)
    target, head = _head(module)
    new = _drawn(head, len(classes), seed)
    parent, _, leaf = target.rpartition(".")
    setattr(module.get_submodule(parent), leaf, new)
    note = f"its last layer is new: it had {network.outputs} outputs, the data has {len(classes)} classes"
    return dataclasses.replace(
        network,
        module=module,
        outputs=len(classes),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        classes=tuple(classes),
        notes=(*network.notes, note),
    )


def _reordered(network: OwnNetwork, order: list[int], classes: tuple[str, ...]) -> OwnNetwork:
    module = copy.deepcopy(network.module)
    _, head = _head(module)
    with torch.no_grad():
        head.weight.copy_(head.weight[order].clone())
        if head.bias is not None:
            head.bias.copy_(head.bias[order].clone())
    note = "its outputs are in the order of the data's classes"
    return dataclasses.replace(network, module=module, classes=classes, notes=(*network.notes, note))


def _head(module: fx.GraphModule) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The last layer with weights. Raises NetworkError when the outputs come from anything else."""
    node = next(node for node in module.graph.nodes if node.op == "output").args[0]
    while isinstance(node, fx.Node):
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            return str(node.target), layer
        name = type(layer).__name__ if layer is not None else getattr(node.target, "__name__", str(node.target))
        if name not in _BETWEEN:
            break
        node = node.args[0]
    raise NetworkError(
        "the network's outputs do not come from one last layer, so they cannot be fitted to other classes"
    )


def _drawn(head: nn.Linear | nn.Conv2d, outputs: int, seed: int) -> nn.Linear | nn.Conv2d:
    """A layer like `head` with other outputs: weights of variance 1 / fan-in, biases zero."""
    bias = head.bias is not None
    new: nn.Linear | nn.Conv2d
    if isinstance(head, nn.Linear):
        new = nn.Linear(head.in_features, outputs, bias=bias, device="meta")
    elif head.groups == 1:
        new = nn.Conv2d(
            head.in_channels,
            outputs,
            head.kernel_size,  # type: ignore[arg-type]
            stride=head.stride,  # type: ignore[arg-type]
            padding=head.padding,  # type: ignore[arg-type]
            dilation=head.dilation,  # type: ignore[arg-type]
            bias=bias,
            device="meta",
        )
    else:
        raise NetworkError("the network's last layer works in groups, so it cannot be fitted to other classes")
    new = new.to_empty(device="cpu")
    fan_in = new.weight[0].numel()
    with torch.no_grad():
        new.weight.normal_(0.0, 1.0 / math.sqrt(fan_in), generator=generator(seed, "own-head"))
        if new.bias is not None:
            new.bias.zero_()
    return new.train(head.training)
