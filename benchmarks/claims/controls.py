"""The controls that sink papers: a dense network trained as long, the small one from scratch, a narrower ancestor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evolution_core.architectures import build
from evolution_core.data import Data
from evolution_core.evolution import describe
from evolution_core.genome import ClusterMap, trace_clusters
from evolution_core.life.newborn import forget
from evolution_core.measurement.counts import count_parameters
from evolution_core.records import NetworkRecord
from evolution_core.seeds import derive
from evolution_core.spec import EustressError, RunSpec
from evolution_core.synthesis import cut

from . import results
from .ancestors import ancestor_spec, trained
from .declared import Arm, Claim, epochs_in_all, size_of, told_size
from .growing import grow, recorded
from .places import WORK, data_for


def dense(
    claim: Claim, arm: Arm, spec: RunSpec, folder: Path, tell: Any, *, reference: Any = None, work: Path = WORK
) -> dict[str, Any]:
    """The ancestor, trained for as many epochs as the arm and its ancestor together, in one schedule."""
    return _alone(claim, ancestor_spec(spec, epochs_in_all(spec)), spec, work)


def narrowed(
    claim: Claim, arm: Arm, spec: RunSpec, folder: Path, tell: Any, *, reference: Any = None, work: Path = WORK
) -> dict[str, Any]:
    """The base network with every layer narrowed alike, no smaller than the arm's network, from scratch, as long."""
    data = data_for(claim.data, spec)
    width = width_for(spec, data, told_size(reference["chosen"], spec))
    tell(f"width {width:g}")
    return _alone(claim, ancestor_spec(spec, epochs_in_all(spec)).replace(width=width), spec, work)


def _alone(claim: Claim, own: RunSpec, spec: RunSpec, work: Path) -> dict[str, Any]:
    """A network that is trained from scratch and is nobody's offspring, beside the arm's ancestor."""
    data = data_for(claim.data, spec)
    ancestor, _ = trained(ancestor_spec(spec), data, work)
    record, _ = trained(own, data, work)
    return _figures(spec, data, record, ancestor)


def _figures(spec: RunSpec, data: Data, record: NetworkRecord, ancestor: NetworkRecord) -> dict[str, Any]:
    return {
        "about_data": describe(data),
        "epochs": epochs_in_all(spec),
        "seconds": round(sum(record.seconds.values()), 1),
        "metric": record.metric,
        "ancestor": results.network(ancestor, ancestor),
        "generations": [],
        "networks": [],
        "chosen": results.network(record, ancestor) | {"history": record.history},
    }


def width_for(spec: RunSpec, data: Data, size: int) -> float:
    """The smallest width, in thousandths, at which the base network has at least so many parameters (multiply-adds)."""
    low, high = 50, 2000  # of a thousandth
    while low < high:
        middle = (low + high) // 2
        model = build(spec.architecture, len(data.classes), data.shape, middle / 1000, spec.seed)
        if size_of(model, data.shape, spec) >= size:
            high = middle
        else:
            low = middle + 1
    return low / 1000


def scratch(
    claim: Claim, arm: Arm, spec: RunSpec, folder: Path, tell: Any, *, reference: Any = None, work: Path = WORK
) -> dict[str, Any]:
    """The arm's final architecture, every weight drawn anew, trained for as many epochs as the arm and its ancestor."""
    if "clusters" not in reference["chosen"]:
        raise EustressError(f"{arm.of}'s result of this seed does not tell its layers' counts: measure it again")
    data = data_for(claim.data, spec)
    ancestor, _ = trained(ancestor_spec(spec), data, work)
    model = shaped(spec, data, reference["chosen"]["clusters"])
    if count_parameters(model) != reference["chosen"]["parameters"]:
        raise EustressError("the network of these counts is not the arm's: its clusters were not all counted")
    seed = derive(spec.seed, "scratch")
    forget(model, seed)
    kept = folder / "scratch.checkpoint.safetensors"
    growth = grow(model, data, spec, epochs=epochs_in_all(spec), seed=seed, checkpoint=kept)
    return _figures(spec, data, recorded(model, data, growth), ancestor)


def shaped(spec: RunSpec, data: Data, counts: dict[str, int]) -> nn.Module:
    """The base network cut down to so many clusters a layer (the first ones: it is to be drawn anew)."""
    model = build(spec.architecture, len(data.classes), data.shape, spec.width, spec.seed)
    clusters = trace_clusters(model, torch.zeros(2, *data.shape))
    return cut(model, clusters, first_alive(clusters, counts))


def first_alive(clusters: ClusterMap, counts: dict[str, int]) -> Tensor:
    """bool [n]: the first clusters of every cell, so many that each layer has its count."""
    alive = torch.zeros(clusters.n, dtype=torch.bool)
    for block in clusters.blocks:
        layers = [clusters.layers[index] for index in block.layers]
        size = sum(len(layer) for layer in layers)
        wanted = sum(counts[layer.name] for layer in layers)
        for cell in block.cells:
            alive[cell[: len(cell) * wanted // size]] = True
    return alive
