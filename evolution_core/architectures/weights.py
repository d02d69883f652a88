"""Ready-made weights that a user brings as safetensors: every tensor must fit, but a classifier of other classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

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
    found = {_renamed(name, aliases): (name, tensor) for name, tensor in _read(path).items()}
    wanted = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    counters = {name for name in (*found, *wanted) if name.endswith("num_batches_tracked")}
    _check_names(wanted.keys() - counters, {name: found[name][0] for name in found.keys() - counters})
    fresh = _check_tensors({name: wanted[name] for name in wanted.keys() - counters}, found, head)
    with torch.no_grad():
        for name in wanted.keys() - counters - set(fresh):
            wanted[name].copy_(found[name][1])
    taken = len(wanted.keys() - counters) - len(fresh)
    if not fresh:
        return LoadedWeights(taken)
    before, now = found[fresh[0]][1].shape[0], wanted[fresh[0]].shape[0]
    return LoadedWeights(taken, fresh, f"{head} was trained for {before:,} classes and starts afresh with {now:,}")


def _read(path: Path | str) -> dict[str, Tensor]:
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
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


def _check_tensors(wanted: dict[str, Tensor], found: dict[str, tuple[str, Tensor]], head: str) -> tuple[str, ...]:
    """The names of the head's tensors that are for another number of classes."""
    fresh, wrong = [], []
    for name, tensor in wanted.items():
        source, given = found[name]
        if not given.is_floating_point() or not torch.isfinite(given.float()).all():
            raise NetworkError(f"the weights cannot be used: {source} holds values that are not finite numbers")
        if given.shape == tensor.shape:
            continue
        if name.rpartition(".")[0] == head and given.shape[1:] == tensor.shape[1:]:
            fresh.append(name)
        else:
            wrong.append(f"{source} is {_sizes(given)}, the network needs {_sizes(tensor)}")
    if wrong:
        raise NetworkError(f"the weights do not fit this network: {'; '.join(sorted(wrong)[:_SHOWN])}")
    return tuple(sorted(fresh))


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"
