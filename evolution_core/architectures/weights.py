"""Ready-made weights that a user brings as safetensors: every tensor must fit, but a classifier of other classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from evolution_core.spec import NetworkError

from .registry import get

_PREFIXES = ("buffer:", "module.", "model.", "_orig_mod.")  # ours for buffers; what training wrappers leave behind
_SHOWN = 3


@dataclass(frozen=True)
class LoadedWeights:
    """What a file gave: `tensors` taken over, and the `reinitialised` classifier's tensors, if any."""

    tensors: int
    reinitialised: tuple[str, ...] = ()
    message: str = ""


def load_weights(model: nn.Module, path: Path | str, *, head: str) -> LoadedWeights:
    """Fill `model` in place from a safetensors file.

    `head` is a registered base network's name, or the name of the layer that may differ in its number of
    outputs: then it keeps its fresh numbers, and `message` says so. Names may be the network's own or those of
    torchvision where it has the same network; half precision is widened. Raises NetworkError naming the
    tensors that are missing, unknown, of another shape or not finite; the model is then unchanged.
    """
    aliases: dict[str, str] = {}
    try:
        registered = get(head)
        head, aliases = registered.head, registered.aliases()
    except NetworkError:
        pass  # a layer's name
    wanted = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with _opened(path) as file:  # names and shapes first: of a file that does not fit, no numbers are read
        names = {_renamed(name, aliases): name for name in file.keys()}  # noqa: SIM118  (no mapping)
        counters = {name for name in (*names, *wanted) if name.endswith("num_batches_tracked")}
        _check_names(wanted.keys() - counters, {name: names[name] for name in names.keys() - counters})
        shapes = {name: tuple(file.get_slice(names[name]).get_shape()) for name in wanted.keys() - counters}
        fresh = _check_shapes({name: tuple(wanted[name].shape) for name in shapes}, shapes, names, head)
        found = {name: file.get_tensor(names[name]) for name in shapes.keys() - set(fresh)}
    for name, tensor in found.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor.float()).all():
            raise NetworkError(f"the weights cannot be used: {names[name]} holds values that are not finite numbers")
    with torch.no_grad():
        for name, tensor in found.items():
            wanted[name].copy_(tensor)
    if not fresh:
        return LoadedWeights(len(found))
    before, now = shapes[fresh[0]][0], wanted[fresh[0]].shape[0]
    return LoadedWeights(len(found), fresh, f"{head} was trained for {before:,} classes and starts afresh with {now:,}")


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:
        raise NetworkError(f"{Path(path).name} is not a readable safetensors file ({str(error)[:120]})") from None


def _renamed(name: str, aliases: dict[str, str]) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    layer, _, tensor = name.rpartition(".")
    return f"{aliases.get(layer, layer)}.{tensor}" if layer else name


def _check_names(wanted: set[str], found: dict[str, str]) -> None:
    missing, unknown = sorted(wanted - found.keys()), sorted(found[name] for name in found.keys() - wanted)
    problems = []
    if missing:
        problems.append(f"lacks {_listed(missing)}")
    if unknown:
        problems.append(f"holds {_listed(unknown)}, which the network does not have")
    if problems:
        raise NetworkError(f"the weights do not fit this network: the file {' and '.join(problems)}")


def _listed(names: list[str]) -> str:
    text = ", ".join(names[:_SHOWN])
    return text if len(names) <= _SHOWN else f"{text} and {len(names) - _SHOWN} more"


def _check_shapes(
    wanted: dict[str, tuple[int, ...]], given: dict[str, tuple[int, ...]], names: dict[str, str], head: str
) -> tuple[str, ...]:
    """The names of the head's tensors that are for another number of classes."""
    fresh, wrong = [], []
    for name, shape in wanted.items():
        if given[name] == shape:
            continue
        if name.rpartition(".")[0] == head and given[name][1:] == shape[1:]:
            fresh.append(name)
        else:
            wrong.append(f"{names[name]} is {_sizes(given[name])}, the network needs {_sizes(shape)}")
    if wrong:
        raise NetworkError(f"the weights do not fit this network: {'; '.join(sorted(wrong)[:_SHOWN])}")
    return tuple(sorted(fresh))


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
