"""How strong a cluster is, in several measures. Each gives a number for each cluster; more is stronger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from evolution_core.spec import RunSpec, catalogue

from .clusters import NONE, ClusterMap

Measure = Callable[[nn.Module, ClusterMap, float], Tensor]
STRENGTHS: dict[str, Measure] = {}


def strength(name: str) -> Callable[[Measure], Measure]:
    """Decorator: bind a measure (model, clusters, threshold) -> [n] to its entry in the catalogue."""

    def bind(measure: Measure) -> Measure:
        if name not in catalogue.STRENGTHS or name in STRENGTHS:
            raise ValueError(f"{name!r} is not in the catalogue, or bound already")
        STRENGTHS[name] = measure
        return measure

    return bind


def cluster_strength(model: nn.Module, clusters: ClusterMap, spec: RunSpec, *, taylor: Tensor | None = None) -> Tensor:
    """[n] strengths by the spec's measure. `taylor` [n] is what `taylor_strength` measured, where that is the measure.

    Raises ValueError when the measure is Taylor and `taylor` is missing.
    """
    if spec.strength == "taylor":
        if taylor is None:
            raise ValueError("Taylor strength needs gradients: give taylor=taylor_strength(...)")
        return taylor
    return STRENGTHS[spec.strength](model, clusters, spec.threshold)


def gather(clusters: ClusterMap, values: dict[str, Tensor]) -> Tensor:
    """[n] sums over every synapse of each cluster; `values` holds a tensor of each parameter's shape.

    A synapse between two clusters (a weight of a convolution reads one and feeds another) counts for both.
    """
    total = torch.zeros(clusters.n + 1, dtype=torch.float64)
    for name, value in values.items():
        for ids in clusters.index(name):
            # Sum over the dimensions along which the owner does not change before scattering.
            dims = [d for d in range(value.ndim) if ids.shape[d] == 1 and value.shape[d] > 1]
            part = value.cpu().sum(dims, keepdim=True, dtype=torch.float64) if dims else value.cpu().double()
            places = torch.where(ids == NONE, clusters.n, ids).expand_as(part)
            total.index_add_(0, places.flatten(), part.flatten())
    return total[:-1]


def _weights(model: nn.Module, clusters: ClusterMap) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if clusters.owners.get(name)}


@strength("sum")
def sum_of_magnitudes(model: nn.Module, clusters: ClusterMap, threshold: float = 0.0) -> Tensor:
    """Sum of |w| over the cluster's synapses, those below `threshold` of their tensor's largest dropped (floor_t of
    arXiv 1609.01360; relative, so that one threshold serves every layer: our formalisation)."""
    values = {}
    for name, weight in _weights(model, clusters).items():
        size = weight.abs()
        values[name] = torch.where(size >= threshold * size.max(), size, 0.0) if threshold > 0 else size
    return gather(clusters, values)


@strength("l2")
def l2_norm(model: nn.Module, clusters: ClusterMap, threshold: float = 0.0) -> Tensor:
    """Root of the sum of squares over the cluster's synapses."""
    return gather(clusters, {name: weight.square() for name, weight in _weights(model, clusters).items()}).sqrt()


@strength("batch-norm")
def batch_norm_scale(model: nn.Module, clusters: ClusterMap, threshold: float = 0.0) -> Tensor:
    """Sum of |gamma| of the cluster's batch normalisations (arXiv 1708.06519), relative to its layer's mean; clusters
    of layers without any take their L2 norm."""
    scales = {}
    for node in clusters.graph.nodes:
        name = f"{node.target}.weight"
        if clusters.kinds.get(node.name) == "normalisation" and clusters.owners.get(name):
            scales[name] = model.get_parameter(name).detach().abs()
    found, known = (
        l2_norm(model, clusters, 0.0),
        gather(clusters, {name: torch.ones_like(v) for name, v in scales.items()}),
    )
    gammas = gather(clusters, scales)
    for layer in clusters.layers:
        if bool((known[layer.clusters] > 0).all()):
            found[layer.clusters] = gammas[layer.clusters]
    return found


def taylor_strength(
    model: nn.Module,
    clusters: ClusterMap,
    batches: list[tuple[Tensor, Any]],
    loss: Callable[..., Tensor],
    *,
    at_once: int | None = None,
) -> Tensor:
    """[n] |sum of w * dL/dw| over each cluster, averaged over batches (arXiv 1611.06440; on weights: our
    formalisation).

    `loss(outputs, targets, model)` is the task's, the mean over a batch's images; of a batch, `at_once` images are
    computed at a time and their gradients summed, where memory bears no more. The model's gradients are left empty;
    its mode and its batch-norm statistics as they were.
    """
    from evolution_core.synthesis.proof import evaluating
    from evolution_core.tasks.layouts import safe_gradients

    total = torch.zeros(clusters.n, dtype=torch.float64)
    parameters = {name: p for name, p in model.named_parameters() if clusters.owners.get(name) and p.requires_grad}
    with evaluating(model), safe_gradients(model):
        for images, targets in batches:
            gradients: dict[str, Tensor] = {}
            for part, aims in _parts(images, targets, at_once):
                value = loss(model(part), aims, model) * (len(part) / len(images))
                found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
                for name, gradient in zip(parameters, found, strict=True):
                    if gradient is not None:
                        gradients[name] = gradients[name] + gradient if name in gradients else gradient
            values = {name: parameters[name].detach() * gradient for name, gradient in gradients.items()}
            total += gather(clusters, values).abs()
    return total / max(1, len(batches))


def _parts(images: Tensor, targets: Any, most: int | None) -> Iterator[tuple[Tensor, Any]]:
    if most is None or most >= len(images):
        yield images, targets
        return
    for start in range(0, len(images), most):
        yield images[start : start + most], targets[start : start + most]


STRENGTHS["taylor"] = l2_norm  # never called by name: cluster_strength takes the measured values
