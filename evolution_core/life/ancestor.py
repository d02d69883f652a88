"""The ancestor: a base network drawn from the seed, or one that the user brings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..architectures import Region, build, load_weights
from ..architectures.darknet_weights import load_darknet_weights
from ..data import Data
from ..genome import ClusterMap, Genome, trace_clusters
from ..spec import NetworkError, RunSpec
from ..spec.base_networks import ARCHITECTURES
from ..tasks import task_for
from .images import seen_as


@dataclass(frozen=True)
class Base:
    """A network about to become the ancestor. `epochs`: how long it is trained; 0 where it comes trained."""

    model: nn.Module
    clusters: ClusterMap
    genome: Genome
    data: Data  # with the pixel statistics that this network is fed with
    epochs: float
    notes: tuple[str, ...] = ()


def make_base(spec: RunSpec, data: Data, own: Path | None, weights: Path | None) -> Base:
    """The base network for `data`, untrained, or trained by the user.

    A network that comes with weights is trained only where `spec.ancestor_epochs` asks for it, or where its last
    layer had to be made new for the data's classes. Raises NetworkError when it does not fit the data or cannot be
    evolved, SpecError when the spec names a layer that it does not have.
    """
    from ..environment import check_layers

    base = _own(spec, data, own) if spec.own is not None else _registered(spec, data, weights)
    check_layers(spec, base.clusters)
    return base


def _registered(spec: RunSpec, data: Data, weights: Path | None) -> Base:
    card = ARCHITECTURES[spec.architecture]
    if card.task != data.task:
        raise NetworkError(f"{card.label} is made for {card.task}, the data are for {data.task}")
    model = build(spec, len(data.classes), data.shape)
    task_for(data.task).prepare(model, data, spec.seed)
    message, trained = "", False
    if spec.weights is not None:
        message, trained = _take_weights(model, spec, _checked(weights, spec.weights, "weights"))
        if not trained:  # a new last layer learns from the data's own boxes
            task_for(data.task).prepare(model, data, spec.seed)
    clusters = trace_clusters(model, torch.zeros(2, *data.shape))
    genome = Genome(
        architecture=spec.architecture,
        classes=data.classes,
        task=data.task,
        shape=data.shape,
        mean=tuple(data.mean.tolist()),
        std=tuple(data.std.tolist()),
        width=spec.width,
        encoding=spec.encoding,
    ).of(clusters, model)
    return Base(model, clusters, genome, data, _epochs(spec, trained), (message,) if message else ())


def _take_weights(model: nn.Module, spec: RunSpec, path: Path) -> tuple[str, bool]:
    """Fill `model` from a safetensors file, or one of Darknet's; (what there is to say, whether it is all trained)."""
    if path.suffix.lower() == ".weights":
        darknet = load_darknet_weights(model, path)
        if not darknet.fresh_head:
            for region in (module for module in model.modules() if isinstance(module, Region)):
                region.reset_parameters()  # the published shapes are the ones that it was trained with
        return darknet.message, not darknet.fresh_head
    loaded = load_weights(model, path, head=spec.architecture)
    return loaded.message, not loaded.reinitialised


def _own(spec: RunSpec, data: Data, own: Path | None) -> Base:
    from ..architectures.onnx_import import best_normalisation, fitted, load_onnx, to_structure

    assert spec.own is not None
    if data.task != "classification":
        raise NetworkError(f"own networks are evolved for classification, the data are for {data.task}")
    path = _checked(own, spec.own, "own network")
    network = load_onnx(path, size=data.shape[1])
    if tuple(network.shape) != tuple(data.shape):
        wanted, given = ("x".join(str(side) for side in shape) for shape in (network.shape, data.shape))
        raise NetworkError(f"{path.name} takes inputs of {wanted}, the data are {given}")
    normalisation = best_normalisation(network, data)
    suited = fitted(network, data.classes, spec.seed)
    model = suited.module
    clusters = trace_clusters(model, torch.zeros(2, *data.shape))
    genome = Genome(
        architecture="own",
        classes=data.classes,
        task=data.task,
        shape=data.shape,
        mean=tuple(normalisation.mean),
        std=tuple(normalisation.std),
        encoding=spec.encoding,
        structure=to_structure(model),
        digest=network.digest,
        final=network.final,
    ).of(clusters, model)
    notes = (*suited.notes, f"it is fed pixels normalised as: {normalisation.name}")
    seen = seen_as(data, normalisation.mean, normalisation.std)
    return Base(model, clusters, genome, seen, _epochs(spec, network.outputs == len(data.classes)), notes)


def _epochs(spec: RunSpec, trained: bool) -> float:
    if trained:
        return spec.ancestor_epochs or 0.0
    return spec.ancestor_epochs if spec.ancestor_epochs is not None else spec.epochs


def _checked(path: Path | None, digest: str, what: str) -> Path:
    """The file that the spec names by its SHA-256. Raises NetworkError when it is missing or another."""
    import hashlib

    if path is None:
        raise NetworkError(f"the spec brings its {what}, but no file was given")
    try:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror or error})") from None
    if found != digest:
        raise NetworkError(f"{path}: is not the {what} that the spec names (its SHA-256 differs)")
    return Path(path)
