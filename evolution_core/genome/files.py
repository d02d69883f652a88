"""Networks as files: one safetensors file, its genome as JSON in the metadata. No pickle, and nothing trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor, nn

from evolution_core.spec import NetworkError

from .clusters import ClusterMap
from .genome import OWN, Genome
from .tracing import trace_clusters

BUFFER = "buffer:"  # batch-norm statistics and such; every tensor without it is a parameter
MASK = "buffer:mask:"  # which synapses of a parameter live, where the encoding has synapses
MAXIMUM_GENOME = 64 * 2**20  # characters


@dataclass(frozen=True)
class LoadedNetwork:
    """A network read from a file: the model (in evaluation mode), its genome, its clusters and its synapse masks."""

    model: nn.Module
    genome: Genome
    clusters: ClusterMap
    masks: dict[str, Tensor] = field(default_factory=dict)


def save_network(path: Path | str, model: nn.Module, genome: Genome, masks: Mapping[str, Tensor] | None = None) -> None:
    """Write the network atomically: whoever reads `path`, at any moment, finds the old file or the new one, whole.

    The same network always gives the same bytes.
    """
    tensors = {name: p.detach().contiguous() for name, p in model.named_parameters()}
    tensors |= {BUFFER + name: b.detach().contiguous() for name, b in model.named_buffers()}
    tensors |= {MASK + name: mask.contiguous() for name, mask in (masks or {}).items()}
    content = save({name: tensor.clone() for name, tensor in tensors.items()}, {"genome": genome.to_json()})
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_genome(path: Path | str) -> Genome:
    """The genome alone, without reading the numbers. Raises NetworkError on a file that is not ours."""
    return _open(path)[0]


def load_network(path: Path | str) -> LoadedNetwork:
    """Rebuild a network: its ancestor's architecture, the surgery that its genes describe, then its numbers.

    Raises NetworkError on anything that `save_network` would not have written: another format, unknown or missing
    tensors, wrong shapes or types, genes that do not fit the ancestor.
    """
    genome, tensors = _open(path, whole=True)
    model, clusters = rebuild(genome)
    masks = {name.removeprefix(MASK): tensors.pop(name) for name in list(tensors) if name.startswith(MASK)}
    _fill(model, tensors)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    for name, mask in masks.items():
        if mask.dtype != torch.bool or shapes.get(name) != mask.shape:
            raise NetworkError(f"the file's mask of {name[:80]!r} does not fit the network")
    return LoadedNetwork(model.eval(), genome, clusters, masks)


def rebuild(genome: Genome) -> tuple[nn.Module, ClusterMap]:
    """The network that a genome describes and its clusters. Its numbers are meaningless (most have no storage yet)."""
    from evolution_core.synthesis.surgery import cut, set_dropout_rates

    ancestor, clusters = ancestor_of(genome)
    alive = genome.alive(clusters) if genome.genes else clusters.everyone()
    model: nn.Module = ancestor
    if not bool(alive.all()):
        model = cut(ancestor, clusters, alive)
        clusters = trace_clusters(model, _example(genome, ancestor))
    set_dropout_rates(model, genome.dropout)
    return model, clusters


def ancestor_of(genome: Genome) -> tuple[nn.Module, ClusterMap]:
    """The ancestor's architecture, without numbers, and its clusters. Raises NetworkError when it cannot be built."""
    if genome.architecture == OWN:
        from evolution_core.architectures.onnx_import import from_structure

        model: nn.Module = from_structure(genome.structure)
    else:
        model = _registered(genome)
    return model, trace_clusters(model, _example(genome, model))


def _registered(genome: Genome) -> nn.Module:
    """A registered architecture without storage, so that a claim of many parameters costs nothing."""
    from evolution_core.architectures import build, check_fit, get

    found = get(genome.architecture)
    check_fit(found.card, len(genome.classes), genome.shape)
    with torch.device("meta"):
        model = found.factory(len(genome.classes), genome.shape, genome.width)
    plain = all(b.is_floating_point() or name.endswith("num_batches_tracked") for name, b in model.named_buffers())
    return model if plain else build(genome.architecture, len(genome.classes), genome.shape, genome.width)


def _example(genome: Genome, model: nn.Module) -> Tensor:
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.zeros(2, *genome.shape, device=device)


def _open(path: Path | str, *, whole: bool = False) -> tuple[Genome, dict[str, Tensor]]:
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {}).get("genome")
            if text is None:
                raise NetworkError("the file has no genome: it is not a network of Eustress")
            if len(text) > MAXIMUM_GENOME:
                raise NetworkError("the file's genome is absurdly large")
            genome = Genome.from_json(text)
            return genome, {name: file.get_tensor(name) for name in file.keys()} if whole else {}  # noqa: SIM118
    except NetworkError:
        raise
    except FileNotFoundError:
        raise NetworkError(f"there is no file {Path(path).name}") from None
    except Exception as error:  # safetensors raises kinds of its own, OSError on a folder
        raise NetworkError(f"the file is not readable as safetensors ({type(error).__name__})") from None


def _fill(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put the file's numbers in the place of the model's, name by name; both sides must hold the same."""
    wanted: dict[str, Any] = dict(model.named_parameters())
    wanted |= {BUFFER + name: buffer for name, buffer in model.named_buffers()}
    for name in [*wanted, *tensors]:
        if name not in tensors:
            raise NetworkError(f"the file lacks the tensor {name[:80]!r}")
        if name not in wanted:
            raise NetworkError(f"the file has a tensor {name[:80]!r} that the network does not know")
        if tensors[name].shape != wanted[name].shape or tensors[name].dtype != wanted[name].dtype:
            raise NetworkError(
                f"the tensor {name[:80]!r} is {tuple(tensors[name].shape)} {tensors[name].dtype}; "
                f"the network needs {tuple(wanted[name].shape)} {wanted[name].dtype}"
            )
    made: dict[int, Tensor] = {}
    for name, old in wanted.items():
        new = tensors[name].clone()
        made[id(old)] = nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new
    for module in model.modules():  # every place of a tied tensor gets the same one
        tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for table in tables:
            for key, old in table.items():
                if old is not None:
                    table[key] = made[id(old)]
