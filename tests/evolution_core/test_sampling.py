"""Properties of drawing: budgets exact, groups equal, floors kept, nobody emptied, chance only from the generator."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolution_core.architectures import build
from evolution_core.environment.budget import Reference
from evolution_core.genome import ClusterMap, cluster_probability, trace_clusters
from evolution_core.genome.flows import words
from evolution_core.spec import NetworkError, RunSpec, SpecError
from evolution_core.synthesis import cut, draw_offspring, prove
from tests.evolution_core.drawing import draw
from tests.evolution_core.surgery_cases import CASES
from tests.evolution_core.test_surgery import made

SLOW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from(
    words(
        """plain residual dense-concat grouped-convolution several-group-constraints groups-over-concat depthwise
        channel-shuffle-view shuffle-unit split-unevenly pixel-shuffled self-attention"""
    )
)


@cache
def network(name: str) -> tuple[torch.nn.Module, ClusterMap]:
    if name in CASES:
        model = made(CASES[name])
        return model, trace_clusters(model, torch.zeros(1, *CASES[name].shape))
    shape = (1, 28, 28) if name == "lenet5" else (3, 32, 32)
    model = build(name, 10, shape)
    return model, trace_clusters(model, torch.zeros(1, *shape))


def chances(clusters: ClusterMap, seed: int = 0) -> torch.Tensor:
    return torch.rand(clusters.n, generator=torch.Generator().manual_seed(seed)) * 0.9 + 0.05


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@SLOW
@given(NAMES, st.floats(0.05, 0.95), st.integers(0, 99), st.sampled_from(["clusters", "parameters", "macs", "bytes"]))
def test_whatever_is_drawn_can_be_cut_and_proven(name: str, share: float, seed: int, resource: str) -> None:
    model, clusters = network(name)
    spec = RunSpec(environment=round(share, 3), resource=resource, minimum_clusters=1, width_multiple=1)
    try:
        drawn = draw_offspring(clusters, chances(clusters, seed), spec, 1, generator(seed))
    except NetworkError as error:
        assert "floor" in str(error)  # noqa: PT017  (a net too small for anything to die in)
        return
    assert not bool(drawn.alive.all())
    assert drawn.budget.short or drawn.budget.reached <= drawn.budget.limit
    assert drawn.budget.reached == clusters.cost(resource, drawn.alive)
    for grid in clusters.constraints:
        counts = drawn.alive[grid].sum(1)
        assert bool((counts == counts[0]).all())
    for ids in clusters.sets:
        assert bool(drawn.alive[ids].any())
    assert bool(drawn.alive[clusters.protected].all())
    offspring = cut(model, clusters, drawn.alive)
    assert prove(model, offspring, clusters, drawn.alive, torch.zeros(1, 3, 8, 8)).ok


@SLOW
@given(st.floats(0.05, 0.99), st.integers(1, 16), st.integers(1, 8), st.integers(0, 99))
def test_a_share_of_clusters_is_met_in_every_layer(share: float, multiple: int, floor: int, seed: int) -> None:
    """The largest count not above the share: of single clusters, and of multiples where the result is wide."""
    _, clusters = network("lenet5")
    share = round(share, 3)
    spec = RunSpec(environment=share, width_multiple=multiple, minimum_clusters=floor)
    counts = clusters.counts(draw(clusters, chances(clusters), spec, 1, generator(seed)))
    for name, before in (("conv1", 20), ("conv2", 50), ("fc1", 500)):
        possible = [n for n in range(1, before) if n < 4 * multiple or n % multiple == 0]
        within = [n for n in possible if n * 1000 <= round(share * 1000) * before and n >= floor]
        assert counts[name] == (max(within) if within else min(n for n in [*possible, before] if n >= floor))
    assert counts["fc2"] == 10


@pytest.mark.parametrize("resource", ["parameters", "macs", "bytes"])
@pytest.mark.parametrize("name", ["lenet5", "alexnet-small", "resnet20"])
def test_a_budget_is_spent_as_far_as_steps_allow(name: str, resource: str) -> None:
    """No layer could keep one step more without exceeding it, unless it is a step ahead of the others already."""
    _, clusters = network(name)
    spec = RunSpec(architecture=name, environment=0.5, resource=resource, width_multiple=1)
    drawn = draw_offspring(clusters, chances(clusters), spec, 1, generator())
    limit = 0.5 * clusters.cost(resource)
    assert drawn.budget.limit == limit
    assert 0.9 * limit < drawn.budget.reached <= limit
    exceeded = 0
    for block in clusters.blocks:
        more = drawn.alive.clone()
        for cell in block.cells:
            dead = cell[~drawn.alive[cell]]
            more[dead[: len(cell) // block.steps]] = True
        exceeded += not torch.equal(more, drawn.alive) and clusters.cost(resource, more) > limit
    assert exceeded >= 1


@pytest.mark.parametrize("resource", ["clusters", "parameters", "macs"])
def test_a_target_is_reached_by_the_last_generation(resource: str) -> None:
    model, clusters = network("alexnet-small")
    spec = RunSpec(architecture="alexnet-small", environment="20x", resource=resource, generations=3)
    first = clusters.cost(resource)
    for generation in (1, 2, 3):
        before = clusters.cost(resource)
        drawn = draw_offspring(clusters, cluster_probability(model, clusters, spec), spec, generation, generator())
        assert drawn.budget.limit == pytest.approx(first * 20 ** (-generation / 3))
        assert 0.9 * drawn.budget.limit <= drawn.budget.reached <= drawn.budget.limit < before
        model = cut(model, clusters, drawn.alive)
        clusters = trace_clusters(model, torch.zeros(0))
    assert first / clusters.cost(resource) >= 20


def test_the_generator_is_the_only_chance() -> None:
    _, clusters = network("lenet5")
    spec, probability = RunSpec(environment=0.5), chances(clusters)
    one = draw(clusters, probability, spec, 1, generator(1))
    torch.manual_seed(12345)
    state = torch.get_rng_state()
    assert torch.equal(one, draw(clusters, probability, spec, 1, generator(1)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(one, draw(clusters, probability, spec, 1, generator(2)))


def test_the_likelier_live_more_often() -> None:
    """Two clusters with a chance of nine to one: over many draws of one of two, they live in that proportion."""
    _, clusters = network("lenet5")
    probability = torch.full((clusters.n,), 1e-9)
    conv1 = clusters.layer("conv1").clusters
    probability[conv1[0]], probability[conv1[1]] = 0.9, 0.1
    spec = RunSpec(environment=0.05, minimum_clusters=1)
    lives = sum(bool(draw(clusters, probability, spec, 1, generator(seed))[conv1[0]]) for seed in range(300))
    assert 0.84 < lives / 300 < 0.96


def test_floors_protection_and_per_layer_shares() -> None:
    _, clusters = network("lenet5")
    layers = {"name": "per-layer", "parameters": {"factor": 0.5}, "layers": {"fc1": 0.1}}
    spec = RunSpec(environment=layers, protect=["conv1"], floors={"conv2": 0.75}, width_multiple=1)
    assert clusters.counts(draw(clusters, chances(clusters), spec, 1, generator())) == {
        "conv1": 20,
        "conv2": 38,
        "fc1": 50,
        "fc2": 10,
    }


def test_floors_are_shares_of_the_ancestor() -> None:
    model, clusters = network("lenet5")
    spec = RunSpec(environment=0.5, floors={"conv2": 0.4}, generations=3)
    for _ in range(3):
        alive = draw(clusters, chances(clusters), spec, 1, generator())
        model, clusters = (child := cut(model, clusters, alive)), trace_clusters(child, torch.zeros(0))
    assert clusters.counts() == {"conv1": 4, "conv2": 20, "fc1": 56, "fc2": 10}  # fc1: 248, 120, 56


def test_shares_of_a_schedule_come_in_order() -> None:
    _, clusters = network("lenet5")
    spec = RunSpec(environment="0.9,0.5", generations=3, width_multiple=1)
    kept = [clusters.counts(draw(clusters, chances(clusters), spec, g, generator()))["fc1"] for g in (1, 2, 3)]
    assert kept == [450, 250, 250]


def test_unknown_layers_are_named() -> None:
    _, clusters = network("lenet5")
    for changes, field in (
        ({"protect": ["conv9"]}, "protect"),
        ({"floors": {"conv9": 0.5}}, "floors"),
        ({"environment": {"name": "per-layer", "layers": {"conv9": 0.5}}}, "environment"),
    ):
        with pytest.raises(SpecError) as caught:
            draw(clusters, chances(clusters), RunSpec(**changes), 1, generator())
        assert set(caught.value.problems) == {field}
        assert "conv9" in caught.value.problems[field]
        assert "conv1" in caught.value.problems[field]


def test_when_nothing_can_die_it_says_so() -> None:
    _, clusters = network("lenet5")
    with pytest.raises(NetworkError, match="every layer is at its floor"):
        draw(clusters, chances(clusters), RunSpec(environment=0.5, minimum_clusters=4096), 1, generator())
    whole = RunSpec(environment=1.0, minimum_clusters=4096)
    assert bool(draw(clusters, chances(clusters), whole, 1, generator()).all())


def test_a_budget_out_of_reach_is_said_to_be_short() -> None:
    _, clusters = network("lenet5")
    spec = RunSpec(environment="1000x", resource="parameters", generations=1, minimum_clusters=4)
    drawn = draw_offspring(clusters, chances(clusters), spec, 1, generator())
    assert drawn.budget.short
    assert drawn.budget.counts == {"conv1": 4, "conv2": 4, "fc1": 4, "fc2": 10}


def test_latency_is_measured_and_met() -> None:
    _, clusters = network("lenet5")
    asked = []

    def latency(alive: torch.Tensor) -> float:
        asked.append(alive)
        return 1.0 + float(alive.sum())

    spec = RunSpec(environment=0.5, resource="latency")
    drawn = draw_offspring(clusters, chances(clusters), spec, 1, generator(), latency=latency)
    assert drawn.budget.reached == latency(drawn.alive) <= 0.5 * 581
    assert len(asked) < 20
    with pytest.raises(ValueError, match="needs a way to measure"):
        draw(clusters, chances(clusters), spec, 1, generator())


def test_shares_can_be_taken_of_something_else() -> None:
    """A union of parents must not be allowed more than its parents were."""
    _, clusters = network("lenet5")
    reference = Reference({"conv1": 10, "conv2": 20, "fc1": 100}, {"clusters": 130})
    spec = RunSpec(environment=0.5, width_multiple=1)
    counts = clusters.counts(draw(clusters, chances(clusters), spec, 1, generator(), reference=reference))
    assert counts == {"conv1": 5, "conv2": 10, "fc1": 50, "fc2": 10}


def test_impossible_clusters_never_live() -> None:
    _, clusters = network("lenet5")
    probability = chances(clusters)
    conv2 = clusters.layer("conv2").clusters
    probability[conv2[:30]] = 0.0
    for seed in range(5):
        alive = draw(clusters, probability, RunSpec(environment=0.9), 1, generator(seed))
        assert not bool(alive[conv2[:30]].any())
        assert clusters.counts(alive)["conv2"] == 20


def test_a_synapse_encoding_kills_no_cluster() -> None:
    _, clusters = network("lenet5")
    assert bool(draw(clusters, chances(clusters), RunSpec(encoding="synapse"), 1, generator()).all())
