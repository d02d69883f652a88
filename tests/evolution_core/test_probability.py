"""Strengths and probabilities against their formulas, written out by hand on small tensors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from evolution_core.genome import (
    STRENGTHS,
    ClusterMap,
    cluster_probability,
    cluster_strength,
    probability_of,
    synapse_probability,
    taylor_strength,
    trace_clusters,
)
from evolution_core.genome.trials import random_death
from evolution_core.spec import RunSpec, catalogue
from evolution_core.synthesis import apply_mask, cut, cut_masks, draw_masks, living_synapses
from tests.evolution_core.surgery_cases import CASES
from tests.evolution_core.test_surgery import made


def network(name: str) -> tuple[nn.Module, ClusterMap]:
    model = made(CASES[name])
    return model, trace_clusters(model, torch.zeros(1, 3, 8, 8))


def test_every_measure_of_the_catalogue_is_bound() -> None:
    assert set(STRENGTHS) == set(catalogue.STRENGTHS)


def test_sum_counts_every_slice_of_a_cluster() -> None:
    """A channel's filter and bias, what reads it, and what a residual join couples to it."""
    model, clusters = network("residual")
    found = cluster_strength(model, clusters, RunSpec(strength="sum"))
    for index, cluster in enumerate(clusters.layer("stem").clusters.tolist()):
        expected = sum(
            float(part.detach().abs().sum())
            for part in (
                model.stem.weight[index],
                model.stem.bias[index],
                model.inner.weight[:, index],
                model.outer.weight[index],
                model.outer.bias[index],
                model.norm.weight[index],
                model.norm.bias[index],
                model.head.weight[:, index],
            )
        )
        assert float(found[cluster]) == pytest.approx(expected, rel=1e-6)


def test_grouped_slices_count_for_their_own_group() -> None:
    model, clusters = network("grouped-convolution")
    found = cluster_strength(model, clusters, RunSpec(strength="sum"))
    reads = model.grouped.weight[4:, 2]  # channel 8 is the third that the second group reads
    expected = float((model.stem.weight[8].abs().sum() + model.stem.bias[8].abs() + reads.abs().sum()).detach())
    assert float(found[clusters.layer("stem").clusters[8]]) == pytest.approx(expected, rel=1e-6)


def test_the_threshold_drops_weak_synapses() -> None:
    model, clusters = network("plain")
    found = cluster_strength(model, clusters, RunSpec(strength="sum", threshold=0.5))
    weight, bias, head = model.conv.weight.detach(), model.conv.bias.detach(), model.head.weight.detach()
    cluster = clusters.layer("conv").clusters[3]
    parts = [(weight, weight[3]), (bias, bias[3]), (head, head[:, 3])]
    expected = sum(float(p.abs()[p.abs() >= 0.5 * whole.abs().max()].sum()) for whole, p in parts)
    assert float(found[cluster]) == pytest.approx(expected, rel=1e-6)


def test_l2_is_the_root_of_squares() -> None:
    model, clusters = network("plain")
    found = cluster_strength(model, clusters, RunSpec(strength="l2"))
    parts = (model.conv.weight[2], model.conv.bias[2], model.head.weight[:, 2])
    expected = math.sqrt(sum(float(part.detach().square().sum()) for part in parts))
    assert float(found[clusters.layer("conv").clusters[2]]) == pytest.approx(expected, rel=1e-6)


def test_batch_norm_scale_where_there_is_one() -> None:
    model, clusters = network("batch-norm-and-flatten")
    found = cluster_strength(model, clusters, RunSpec(strength="batch-norm"))
    assert torch.allclose(found[clusters.layer("stem").clusters].float(), model.norm.weight.detach().abs())
    norms = cluster_strength(model, clusters, RunSpec(strength="l2"))
    conv = clusters.layer("conv").clusters  # its batch normalisation has no scale
    assert torch.equal(found[conv], norms[conv])


def test_taylor_is_the_loss_that_silencing_would_cost_to_first_order() -> None:
    """On a linear network with a linear loss the first order is all there is."""
    model = nn.Sequential(nn.Linear(6, 4, bias=False), nn.Linear(4, 2, bias=False))
    images = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    clusters = trace_clusters(model, images)
    loss = lambda outputs, targets, model: outputs.sum()  # noqa: E731
    found = taylor_strength(model, clusters, [(images, None)], loss)
    hidden = clusters.layer("0").clusters
    with torch.no_grad():
        contributions = model[0](images).sum(0) * model[1].weight.sum(0)
    assert torch.allclose(found[hidden].float(), 2 * contributions.abs(), rtol=1e-4)  # once as made, once as read
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ValueError, match="needs gradients"):
        cluster_strength(model, clusters, RunSpec(strength="taylor"))
    spec = RunSpec(strength="taylor")
    assert torch.equal(cluster_probability(model, clusters, spec, taylor=found), probability_of(found, clusters, 4.0))


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 4.0])
def test_cluster_probability_is_the_published_form(sharpness: float) -> None:
    model, clusters = network("dense-concat")
    spec = RunSpec(strength="sum", sharpness=sharpness)
    strengths = cluster_strength(model, clusters, spec)
    found = cluster_probability(model, clusters, spec)
    for layer in clusters.layers:
        own = strengths[layer.clusters]
        assert torch.allclose(found[layer.clusters], torch.exp(sharpness * (own / own.max() - 1)))
        assert float(found[layer.clusters].max()) == 1.0


def test_synapse_probability_lies_between_one_and_its_sharpness() -> None:
    model, _ = network("plain")
    found = synapse_probability(model, RunSpec(sharpness=1.0))
    assert set(found) == {"stem.weight", "conv.weight", "head.weight"}
    size = model.conv.weight.detach().abs()
    assert torch.allclose(found["conv.weight"], torch.exp(size / size.max() - 1))
    assert float(found["conv.weight"].min()) >= math.exp(-1)


def test_a_silent_layer_has_equal_chances() -> None:
    model, clusters = network("plain")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert bool((cluster_probability(model, clusters, RunSpec()) == 1).all())
    assert bool((synapse_probability(model, RunSpec())["stem.weight"] == 1).all())


def test_masks_are_exact_nested_and_follow_a_cut() -> None:
    model, clusters = network("grouped-convolution")
    spec = RunSpec(encoding="both", synapse_share=0.3, protect=["head"])
    chances = synapse_probability(model, spec)
    masks = draw_masks(model, chances, spec, torch.Generator().manual_seed(0))
    assert int(masks["stem.weight"].sum()) == int(0.3 * model.stem.weight.numel())
    assert bool(masks["head.weight"].all())
    again = draw_masks(model, chances, spec, torch.Generator().manual_seed(1), masks)
    assert int(again["stem.weight"].sum()) == int(0.3 * int(masks["stem.weight"].sum()))
    assert not bool((again["stem.weight"] & ~masks["stem.weight"]).any())
    apply_mask(model, masks)
    assert bool((model.stem.weight[~masks["stem.weight"]] == 0).all())
    held = sum(p.numel() for p in model.parameters())
    dead = sum(int((~mask).sum()) for mask in masks.values())
    assert living_synapses(model, masks) == held - dead
    alive = random_death(clusters, torch.Generator().manual_seed(2))
    offspring, smaller = cut(model, clusters, alive), cut_masks(masks, clusters, alive)
    for name, mask in smaller.items():
        weight = offspring.get_parameter(name)
        assert mask.shape == weight.shape
        assert bool((weight[~mask] == 0).all())
        assert bool((weight[mask] != 0).all())
