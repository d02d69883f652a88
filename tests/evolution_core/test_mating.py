"""m parents: aligned by gene tags, weighted, and once more a network that can be cut."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from evolution_core.architectures import build
from evolution_core.genome import ClusterMap, Genome, cluster_probability, trace_clusters
from evolution_core.genome.trials import random_death
from evolution_core.spec import NetworkError, RunSpec
from evolution_core.synthesis import Mating, cut, mate, prove, silence
from tests.evolution_core.drawing import draw
from tests.evolution_core.surgery_cases import CASES
from tests.evolution_core.test_genome_files import genome_of
from tests.evolution_core.test_surgery import made

SPEC = RunSpec(environment=0.5, minimum_clusters=1, width_multiple=1)
Parent = tuple[nn.Module, ClusterMap, Genome]


def family(name: str, count: int, share: float = 0.7) -> tuple[tuple[nn.Module, ClusterMap], list[Parent]]:
    """An ancestor and so many children, each with genes and numbers of its own."""
    ancestor = made(CASES[name])
    clusters = trace_clusters(ancestor, torch.zeros(1, 3, 8, 8))
    parents = []
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        child = cut(ancestor, clusters, random_death(clusters, generator, share))
        with torch.no_grad():
            for parameter in child.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        own = trace_clusters(child, torch.zeros(0))
        parents.append((child, own, genome_of("own", (3, 8, 8), 5).of(own, child, id=f"1-{seed + 1}")))
    return (ancestor, clusters), parents


def union(parents: list[Parent], n: int) -> Tensor:
    alive = torch.zeros(n, dtype=torch.bool)
    for _, clusters, _ in parents:
        alive[clusters.tags] = True
    return alive


def own_part(mating: Mating, parent: Parent) -> Tensor:
    return torch.isin(mating.clusters.tags, parent[1].tags)


@pytest.mark.parametrize("name", ["plain", "residual", "grouped-convolution", "dense-concat", "batch-norm-and-flatten"])
def test_one_parent_gives_itself(name: str) -> None:
    ancestor, parents = family(name, 1)
    mating = mate(parents, [2.0], SPEC, ancestor=ancestor)
    model, clusters, _ = parents[0]
    assert torch.equal(mating.clusters.tags, clusters.tags)
    for key, value in model.state_dict().items():
        assert torch.allclose(value, mating.model.state_dict()[key]), key
    assert torch.allclose(mating.probability, cluster_probability(model, clusters, SPEC))
    assert not bool(mating.ghosts.any())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.sampled_from(["plain", "residual", "grouped-convolution", "several-group-constraints", "groups-over-concat"]),
    st.integers(2, 4),
    st.floats(0.4, 0.9),
)
def test_parents_align_like_with_like(name: str, count: int, share: float) -> None:
    """Every gene of every parent is there once; cutting the others away leaves that parent's shape; the union is
    itself a network that can be drawn from and cut with proof."""
    ancestor, parents = family(name, count, share)
    weights = [1.0 + index for index in range(count)]
    mating = mate(parents, weights, SPEC, ancestor=ancestor)
    genes = union(parents, ancestor[1].n)
    assert bool(genes[mating.clusters.tags[~mating.ghosts]].all())
    assert int(genes.sum()) == int((~mating.ghosts).sum())
    assert bool((mating.probability[mating.ghosts] == 0).all())
    for parent in parents:
        part = cut(mating.model, mating.clusters, own_part(mating, parent))
        assert {k: v.shape for k, v in part.state_dict().items()} == {
            k: v.shape for k, v in parent[0].state_dict().items()
        }
    alive = draw(
        mating.clusters, mating.probability, SPEC, 1, torch.Generator().manual_seed(0), reference=mating.reference
    )
    assert not bool(alive[mating.ghosts].any())
    offspring = cut(mating.model, mating.clusters, alive)
    assert prove(mating.model, offspring, mating.clusters, alive, torch.zeros(1, 3, 8, 8)).ok
    assert set(trace_clusters(offspring, torch.zeros(0)).tags.tolist()) <= set(genes.nonzero().flatten().tolist())


def test_inherited_weights_are_the_mean_of_those_that_have_the_synapse() -> None:
    ancestor, parents = family("plain", 2)
    mating = mate(parents, [1.0, 3.0], SPEC, ancestor=ancestor)
    tags = mating.clusters.tags[mating.clusters.layer("stem").clusters].tolist()
    places = [parent[1].tags[parent[1].layer("stem").clusters].tolist() for parent in parents]
    seen = set()
    for row, tag in enumerate(tags):
        filters = [p[0].stem.weight[have.index(tag)] for p, have in zip(parents, places, strict=True) if tag in have]
        both = len(filters) == 2
        expected = 0.25 * filters[0] + 0.75 * filters[1] if both else filters[0]
        assert torch.allclose(mating.model.stem.weight[row], expected, atol=1e-6)
        seen.add(both)
    assert seen == {True, False}


def test_what_few_parents_have_is_less_likely_to_live() -> None:
    """Two equal children of one parent, one of which lost a channel: for the genome that channel is half as strong."""
    ancestor = made(CASES["plain"])
    clusters = trace_clusters(ancestor, torch.zeros(1, 3, 8, 8))
    lost = clusters.everyone()
    lost[clusters.layer("conv").clusters[3]] = False
    parents = []
    for alive in (clusters.everyone(), lost):
        child = cut(ancestor, clusters, alive)
        own = trace_clusters(child, torch.zeros(0))
        parents.append((child, own, genome_of("own", (3, 8, 8), 5).of(own, child)))
    mating = mate(parents, [1.0, 1.0], SPEC, ancestor=(ancestor, clusters))
    before, after = cluster_probability(ancestor, clusters, SPEC), mating.probability
    conv = clusters.layer("conv").clusters
    assert float(after[conv[3]]) < float(before[conv[3]])
    others = torch.cat([conv[:3], conv[4:]])
    assert torch.allclose(after[others], before[others])
    assert torch.equal(mating.model.conv.weight, ancestor.conv.weight)  # yet its weights are inherited whole


def test_taylor_strengths_and_masks_align_too() -> None:
    ancestor, parents = family("plain", 2)
    spec = SPEC.replace(strength="taylor")
    taylor = [torch.ones(clusters.n) for _, clusters, _ in parents]
    masks: list[dict[str, Tensor]] = [{}, {}]
    for table, (model, _, _) in zip(masks, parents, strict=True):
        table["conv.weight"] = torch.zeros(model.get_parameter("conv.weight").shape, dtype=torch.bool)
    masks[0]["conv.weight"][0, 0] = True
    mating = mate(parents, [1.0, 1.0], spec, ancestor=ancestor, taylor=taylor, masks=masks)
    shared = own_part(mating, parents[0]) & own_part(mating, parents[1])
    conv = mating.clusters.layer("conv").clusters
    assert bool((mating.probability[conv][shared[conv]] == 1).all())
    assert torch.allclose(mating.probability[conv][~shared[conv]], torch.exp(torch.tensor(-2.0, dtype=torch.float64)))
    assert int(mating.masks["conv.weight"].sum()) == 9
    part = cut(mating.model, mating.clusters, own_part(mating, parents[0]))
    assert part.conv.weight.shape == masks[0]["conv.weight"].shape


def test_ghosts_compute_nothing() -> None:
    """Clusters that only keep groups equal have no weights: silencing them changes nothing."""
    ancestor, parents = family("several-group-constraints", 2, 0.5)
    mating = mate(parents, [1.0, 1.0], SPEC, ancestor=ancestor)
    if not bool(mating.ghosts.any()):
        pytest.skip("these parents need no ghosts")
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    before = mating.model.eval()(images)
    silence(mating.model, mating.clusters, mating.ghosts)
    assert torch.equal(before, mating.model(images))


def test_the_reference_is_the_parents_mean() -> None:
    ancestor, parents = family("plain", 2)
    mating = mate(parents, [1.0, 3.0], SPEC, ancestor=ancestor)
    counts = [clusters.counts() for _, clusters, _ in parents]
    assert mating.reference.counts == {k: 0.25 * counts[0][k] + 0.75 * counts[1][k] for k in counts[0]}


def test_registered_ancestors_are_rebuilt_from_genomes() -> None:
    genome = genome_of("resnet20", (3, 32, 32))
    ancestor = build("resnet20", 3, (3, 32, 32))
    clusters = trace_clusters(ancestor, torch.zeros(1, 3, 32, 32))
    parents: list[Parent] = [(ancestor, clusters, genome.of(clusters, ancestor))]
    for seed in (1, 2):
        child = cut(ancestor, clusters, random_death(clusters, torch.Generator().manual_seed(seed)))
        own = trace_clusters(child, torch.zeros(0))
        parents.append((child, own, genome.of(own, child, id=f"1-{seed}")))
    for chosen in (parents, parents[1:]):
        mating = mate(chosen, [1.0] * len(chosen), RunSpec())
        assert torch.isfinite(mating.model.eval()(torch.randn(2, 3, 32, 32))).all()
    assert torch.equal(mate(parents, [1.0, 1.0, 1.0], RunSpec()).model.fc.weight, ancestor.fc.weight)


def test_strangers_and_bad_weights_are_refused() -> None:
    ancestor, parents = family("plain", 1)
    _, strangers = family("residual", 1)
    with pytest.raises(NetworkError, match="no common ancestor"):
        mate(parents + strangers, [1.0, 1.0], SPEC, ancestor=ancestor)
    for weights in ([], [0.0], [1.0, 1.0]):
        with pytest.raises(ValueError, match="positive weight"):
            mate(parents, weights, SPEC, ancestor=ancestor)
