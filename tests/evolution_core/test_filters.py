"""First-layer filters as pictures, in the ancestor's order, through two generations of cuts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from evolution_core.architectures import build
from evolution_core.genome import Genome, LoadedNetwork, load_network, save_network, trace_clusters
from evolution_core.genome.filters import first_filters
from evolution_core.synthesis import cut


@pytest.fixture
def generations(tmp_path: Path) -> list[LoadedNetwork]:
    """An ancestor with five first filters, a child without the first, a grandchild without the child's second."""
    model: nn.Module = build("lenet5", 3, (3, 28, 28), width=0.25)
    genome = Genome("lenet5", ("a", "b", "c"), "classification", (3, 28, 28), (0.5,) * 3, (0.25,) * 3, width=0.25)
    clusters = trace_clusters(model, torch.zeros(2, 3, 28, 28))
    loaded = []
    for number, dead in enumerate((None, 0, 1)):
        if dead is not None:
            alive = clusters.everyone()
            alive[clusters.layer("conv1").clusters[dead]] = False
            model = cut(model, clusters, alive)
            clusters = trace_clusters(model, torch.zeros(2, 3, 28, 28))
            with torch.no_grad():
                model.get_submodule("conv1").weight.mul_(-1)
        save_network(tmp_path / f"{number}.safetensors", model, genome.of(clusters, model))
        loaded.append(load_network(tmp_path / f"{number}.safetensors"))
    return loaded


def test_the_dead_are_known_through_generations(generations: list[LoadedNetwork]) -> None:
    ancestor, child, grandchild = generations
    found = [first_filters(network, ancestor, "conv1") for network in (ancestor, child, grandchild)]
    assert [filters.alive for filters in found if filters is not None] == [
        (True, True, True, True, True),
        (False, True, True, True, True),
        (False, True, False, True, True),
    ]


def test_the_living_show_their_own_weights_and_the_dead_the_ancestors(generations: list[LoadedNetwork]) -> None:
    ancestor, child, _ = generations
    before, after = first_filters(ancestor, ancestor, "conv1"), first_filters(child, ancestor, "conv1")
    assert before is not None
    assert after is not None
    assert before.pictures.shape == (5, 5, 5, 3)
    assert before.pictures.dtype == torch.uint8
    assert torch.equal(after.pictures[0], before.pictures[0])
    weight = ancestor.model.get_submodule("conv1").weight.detach()
    strongest = weight[1].abs().argmax()
    assert int(before.pictures[1].permute(2, 0, 1).flatten()[strongest]) in (0, 255)
    opposite = 255 - before.pictures[1:].int()
    assert (after.pictures[1:].int() - opposite).abs().max() <= 1  # the child's weights are the ancestor's, negated


def test_what_is_no_picture_is_none(generations: list[LoadedNetwork]) -> None:
    ancestor = generations[0]
    assert first_filters(ancestor, ancestor, "fc1") is None
    assert first_filters(ancestor, ancestor, "nothing") is None
