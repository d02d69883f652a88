"""Repair: refitted layers compute what their parent's did, as far as they can."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from evolution_core.genome import trace_clusters
from evolution_core.genome.flows import words
from evolution_core.genome.trials import random_death
from evolution_core.synthesis import cut, repair
from tests.evolution_core.surgery_cases import CASES
from tests.evolution_core.test_surgery import made


def images(count: int = 96) -> Tensor:
    """Smooth random images: neighbouring pixels agree, as in photographs."""
    coarse = torch.randn(count, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(coarse, size=(8, 8), mode="bilinear")


NAMES = """plain residual grouped-convolution depthwise hard-coded-view batch-norm-and-flatten sliced self-attention
    squeeze-excite locally-normalised mixer-tokens channel-shuffle-view"""


@pytest.mark.parametrize("name", words(NAMES))
def test_the_offspring_comes_closer_to_its_parent(name: str) -> None:
    parent = made(CASES[name]).train()
    clusters = trace_clusters(parent, torch.zeros(1, 3, 8, 8))
    alive = random_death(clusters, torch.Generator().manual_seed(0), 0.7)
    offspring = cut(parent, clusters, alive)
    before = copy.deepcopy(offspring)
    learned, fresh = images()[:80], images()[80:]
    repaired = repair(offspring, parent, clusters, alive, learned)
    assert repaired
    assert all(layer.after <= layer.before for layer in repaired)
    assert offspring.training
    assert parent.training
    with torch.no_grad():
        wanted = parent.eval()(fresh)
        error = float((offspring.eval()(fresh) - wanted).norm())
        assert error < 0.8 * float((before.eval()(fresh) - wanted).norm())


def test_redundant_channels_are_made_up_for_exactly() -> None:
    """A network whose second half of channels repeats its first loses nothing by losing it."""
    parent = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(96, 5))
    with torch.no_grad():
        parent[0].weight[4:] = parent[0].weight[:4]
        parent[0].bias[4:] = parent[0].bias[:4]
    clusters = trace_clusters(parent, torch.zeros(1, 3, 8, 8))
    alive = clusters.everyone()
    alive[clusters.layer("0").clusters[4:]] = False
    offspring = cut(parent, clusters, alive)
    with torch.no_grad():
        assert not torch.allclose(offspring(images()), parent(images()), atol=1e-2)
        repaired = repair(offspring, parent, clusters, alive, images(), ridge=1e-9)
        assert torch.allclose(offspring(images()), parent(images()), atol=1e-3)
    assert repaired[0].layer == "2"


def test_fewer_images_than_unknowns_stay_near_the_inherited_weights() -> None:
    parent = nn.Sequential(nn.Flatten(), nn.Linear(192, 40), nn.ReLU(), nn.Linear(40, 5))
    clusters = trace_clusters(parent, torch.zeros(1, 3, 8, 8))
    alive = random_death(clusters, torch.Generator().manual_seed(0), 0.5)
    offspring = cut(parent, clusters, alive)
    inherited = offspring.get_parameter("3.weight").detach().clone()
    repaired = repair(offspring, parent, clusters, alive, images(16))
    assert [layer.layer for layer in repaired] == ["3"]
    assert repaired[0].after < 0.5 * repaired[0].before
    moved = (offspring.get_parameter("3.weight").detach() - inherited).norm() / inherited.norm()
    assert 0 < float(moved) < 5


def test_repair_is_deterministic_and_bounded_in_memory() -> None:
    parent = made(CASES["plain"])
    clusters = trace_clusters(parent, torch.zeros(1, 3, 8, 8))
    alive = random_death(clusters, torch.Generator().manual_seed(0), 0.6)
    results = []
    for memory in (2**30, 2**30, 1):
        offspring = cut(parent, clusters, alive)
        repair(offspring, parent, clusters, alive, images(64), memory=memory)
        results.append(offspring.conv.weight.detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])  # sixteen images are the least


def test_what_was_not_hurt_is_not_touched() -> None:
    parent = made(CASES["plain"])
    clusters = trace_clusters(parent, torch.zeros(1, 3, 8, 8))
    alive = clusters.everyone()
    alive[clusters.layer("conv").clusters[0]] = False
    offspring = cut(parent, clusters, alive)
    repaired = repair(offspring, parent, clusters, alive, images())
    assert [layer.layer for layer in repaired] == ["head"]
    assert torch.equal(offspring.stem.weight, parent.stem.weight)
