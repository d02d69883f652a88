"""Every case of the surgery table, cut twice over at random: exact or protected, none crashing, none silently wrong."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from evolution_core.genome import trace_clusters
from evolution_core.genome.trials import random_death
from evolution_core.spec import NetworkError
from evolution_core.synthesis import cut, prove
from tests.evolution_core.surgery_cases import CASES, Case


def made(case: Case) -> nn.Module:
    """The case's network with numbers that let nothing hide: no zero biases, no neutral normalisation."""
    torch.manual_seed(0)
    model = case.make()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.ndim == 1:
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.25)
            if name.endswith("bias"):
                tensor.mul_(torch.randint(0, 2, tensor.shape, generator=generator) * 2 - 1)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.25)
    return model


@pytest.mark.parametrize("name", CASES)
def test_tracing_finds_what_can_be_cut_and_what_cannot(name: str) -> None:
    case = CASES[name]
    clusters = trace_clusters(made(case), torch.zeros(1, *case.shape))
    for layer in case.cuttable:
        free = ~clusters.protected[clusters.layer(layer).clusters]
        assert bool(free.any()), f"{layer} should be cuttable: {clusters.layer(layer).protected}"
    for layer in case.protected:
        assert bool(clusters.protected[clusters.layer(layer).clusters].all()), f"{layer} should be protected"
        assert clusters.layer(layer).protected


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_surgery_is_exact_over_two_generations(name: str, seed: int) -> None:
    case = CASES[name]
    parent, example = made(case), torch.zeros(1, *case.shape)
    before = copy.deepcopy(parent.state_dict())
    generator = torch.Generator().manual_seed(seed)
    clusters = trace_clusters(parent, example)
    first = parent
    for share in (0.7, 0.5):
        alive = random_death(clusters, generator, share)
        offspring = cut(parent, clusters, alive)
        proof = prove(parent, offspring, clusters, alive, example)
        assert proof.ok, proof
        smaller = trace_clusters(offspring, example)
        held = sum(p.numel() for p in offspring.parameters())
        assert clusters.cost("parameters", alive) == smaller.cost("parameters") == held
        parent, clusters = offspring, smaller
    assert all(torch.equal(value, before[key]) for key, value in first.state_dict().items())


@pytest.mark.parametrize("name", CASES)
def test_offspring_learn(name: str) -> None:
    """A cut network runs and passes gradients in training mode, on another batch size, to every parameter it had."""
    case = CASES[name]
    parent, example = made(case).train(), torch.zeros(1, *case.shape)
    clusters = trace_clusters(parent, example)
    offspring = cut(parent, clusters, random_death(clusters, torch.Generator().manual_seed(5), 0.6))
    outputs = offspring(torch.randn(3, *case.shape, generator=torch.Generator().manual_seed(2)))
    flat = (
        [outputs]
        if isinstance(outputs, torch.Tensor)
        else [*outputs.values()]
        if isinstance(outputs, dict)
        else [*outputs]
    )
    flat = [part for each in flat for part in (each if isinstance(each, tuple) else (each,))]
    assert all(part.shape[0] == 3 for part in flat)
    sum(part.square().mean() for part in flat).backward()
    assert all(p.grad is not None for p in offspring.parameters())


def test_protected_clusters_empty_layers_and_unequal_groups_are_refused() -> None:
    model = made(CASES["grouped-convolution"])
    clusters = trace_clusters(model, torch.zeros(1, 3, 8, 8))
    for layer, kill, sentence in (
        ("head", slice(0, 1), "protected"),
        ("stem", slice(0, 12), "empty"),
        ("stem", slice(0, 1), "unequal"),
    ):
        alive = clusters.everyone()
        alive[clusters.layer(layer).clusters[kill]] = False
        with pytest.raises(NetworkError, match=sentence):
            cut(model, clusters, alive)
    with pytest.raises(NetworkError, match="one truth value"):
        cut(model, clusters, torch.ones(3, dtype=torch.bool))
