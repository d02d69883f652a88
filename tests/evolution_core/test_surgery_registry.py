"""Every registered base network, over two generations: drawn, cut with proof, saved and rebuilt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from evolution_core.architectures import build, names
from evolution_core.genome import Genome, cluster_probability, load_network, save_network, trace_clusters
from evolution_core.spec import RunSpec
from evolution_core.spec.base_networks import ARCHITECTURES
from evolution_core.synthesis import cut, draw_offspring, prove

NARROW = {"vgg16-bn": 0.125, "resnet50": 0.25, "darknet19": 0.125, "alexnet": 0.125, "yolov2": 0.0625}


def small(name: str) -> tuple[nn.Module, Genome, tuple[int, int, int]]:
    """The base network at the smallest input that it takes, narrow where it is large."""
    card = ARCHITECTURES[name]
    side = -(-card.minimum_size // card.size_multiple) * card.size_multiple
    shape = (card.reference_input[0], side, side)
    width = NARROW.get(name, 0.25 if card.parameters > 10_000_000 else 1.0)
    classes = ("a", "b", "c")
    model = build(name, len(classes), shape, width=width, seed=1)
    genome = Genome(name, classes, card.task, shape, (0.5,) * shape[0], (0.25,) * shape[0], width)
    return model, genome, shape


@pytest.mark.parametrize("name", names())
def test_two_generations_with_proof(name: str, tmp_path: Path) -> None:
    model, genome, shape = small(name)
    example = torch.zeros(1, *shape)
    clusters = trace_clusters(model, example)
    spec = RunSpec(environment=0.6, resource="parameters", generations=2)
    parameters = clusters.cost("parameters")
    assert parameters == sum(p.numel() for p in model.parameters())
    for generation in (1, 2):
        drawn = draw_offspring(
            clusters, cluster_probability(model, clusters, spec), spec, generation, torch.Generator().manual_seed(7)
        )
        assert not drawn.budget.short
        offspring = cut(model, clusters, drawn.alive)
        proof = prove(model, offspring, clusters, drawn.alive, example, samples=2)
        assert proof.ok, proof
        assert ("alexnet" in name) == (proof.lrn_effect is not None)
        model, clusters = offspring, trace_clusters(offspring, example)
    assert 0.3 * parameters < clusters.cost("parameters") <= 0.36 * parameters
    save_network(tmp_path / "n", model, genome.of(clusters, model, id="2-1", generation=2))
    loaded = load_network(tmp_path / "n")
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for got, wanted in zip(_tensors(loaded.model(images)), _tensors(model.eval()(images)), strict=True):
            assert torch.equal(got, wanted)


def _tensors(outputs: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)
