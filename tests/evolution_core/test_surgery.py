"""Every case of the surgery table, cut twice over at random: exact or protected, none crashing, none silently wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from evolution_core.architectures import LocalResponseNorm
from evolution_core.genome import trace_clusters
from evolution_core.genome.trials import random_death
from evolution_core.spec import NetworkError
from evolution_core.synthesis import cut, dropout_rates, prove, set_dropout_rates, silence
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


@pytest.mark.parametrize("seed", [0, 1])
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


class FunctionalNorm(nn.Module):
    """Local response normalisation without a module, strong enough to matter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 12, 3), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.local_response_norm(nn.functional.relu(self.conv(x)), 5, alpha=1.0)
        return self.head(nn.functional.dropout(x.mean((2, 3)), 0.5, self.training))


@pytest.mark.parametrize("kind", ["function", "torch", "own"])
def test_the_effect_of_local_response_normalisation_is_measured_apart(kind: str) -> None:
    torch.manual_seed(0)
    parent: nn.Module = FunctionalNorm()
    if kind != "function":
        layer = nn.LocalResponseNorm(5, 1.0) if kind == "torch" else LocalResponseNorm(5, 1.0)
        parent = nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU(), layer, nn.Flatten(), nn.Linear(432, 5))
    example = torch.zeros(1, 3, 8, 8)
    clusters = trace_clusters(parent, example)
    alive = random_death(clusters, torch.Generator().manual_seed(0), 0.5)
    proof = prove(parent, cut(parent, clusters, alive), clusters, alive, example)
    assert proof.ok
    assert proof.lrn_effect is not None
    assert proof.lrn_effect > 100 * proof.difference > 0
    assert not any(getattr(module, "bypass", False) for module in parent.modules())


def test_dropout_follows_the_width_and_functional_dropout_becomes_a_module() -> None:
    parent = FunctionalNorm().train()
    clusters = trace_clusters(parent, torch.zeros(1, 3, 8, 8))
    alive = clusters.everyone()
    alive[clusters.layer("conv").clusters[3:]] = False
    offspring = cut(parent, clusters, alive)
    assert list(dropout_rates(offspring).values()) == [0.125]  # three channels of twelve, and a half
    image = torch.ones(1, 3, 8, 8)
    assert torch.equal(offspring.eval()(image), offspring(image))
    outputs = {tuple(offspring.train()(image).flatten().tolist()) for _ in range(40)}
    assert len(outputs) > 1
    (name,) = dropout_rates(offspring)
    set_dropout_rates(offspring, {name: 0.25})
    assert dropout_rates(offspring) == {name: 0.25}


def test_a_wrong_offspring_is_not_proven() -> None:
    """The proof says no to one weight that is off, to other shapes, to what is not finite; and says why."""
    case = CASES["residual"]
    parent, example = made(case), torch.zeros(1, *case.shape)
    clusters = trace_clusters(parent, example)
    alive = random_death(clusters, torch.Generator().manual_seed(0), 0.6)
    for spoil, sentence in ((0.5, "differ by"), (float("nan"), "not finite")):
        offspring = cut(parent, clusters, alive)
        with torch.no_grad():
            offspring.get_parameter("inner.weight")[0, 0, 1, 1] += spoil
        proof = prove(parent, offspring, clusters, alive, example)
        assert not proof.ok
        assert sentence in proof.reason
        assert proof.to_json()["reason"] == proof.reason
    swapped = cut(parent, clusters, alive)
    with torch.no_grad():  # the classical silent error: the right channels in the wrong order
        swapped.head.weight.copy_(swapped.head.weight.flip(1))
    assert not prove(parent, swapped, clusters, alive, example).ok
    other = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    assert "another shape" in prove(parent, other, clusters, alive, example).reason


def test_silencing_is_what_cutting_removes() -> None:
    model = made(CASES["grouped-convolution"])
    clusters = trace_clusters(model, torch.zeros(1, 3, 8, 8))
    alive = random_death(clusters, torch.Generator().manual_seed(0), 0.5)
    before = sum(p.numel() for p in model.parameters())
    silence(model, clusters, ~alive)
    zeros = sum(int((p == 0).sum()) for p in model.parameters())
    assert before - zeros == clusters.cost("parameters", alive)


def test_functional_batch_normalisation_keeps_learning_its_statistics() -> None:
    """The tracer saw one mode; offspring must know both."""
    parent = made(CASES["functional-forms"])
    for mode in (True, False):
        clusters = trace_clusters(parent.train(mode), torch.zeros(1, 3, 8, 8))
        offspring = cut(parent, clusters, random_death(clusters, torch.Generator().manual_seed(0), 0.5))
        assert offspring.training is mode
        before = offspring.get_buffer("mean").clone()
        images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        offspring.eval()(images)
        assert torch.equal(offspring.get_buffer("mean"), before)
        offspring.train()(images)
        assert not torch.equal(offspring.get_buffer("mean"), before)


def test_the_published_table_is_this_one() -> None:
    """The page in docs/ shows every case, and Eustress exact in all of them."""
    root = Path(__file__).resolve().parents[2]
    results = json.loads((root / "benchmarks/results/surgery_table.json").read_text())
    assert [row["case"] for row in results["cases"]] == list(CASES)
    assert {row["eustress"]["verdict"] for row in results["cases"]} == {"exact"}
    page = (root / "docs/surgery.md").read_text()
    assert all(f"| {row['case']}{' *' if row['mixes'] else ''} |" in page for row in results["cases"])
