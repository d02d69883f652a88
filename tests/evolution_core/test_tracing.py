"""What tracing says about networks: layers in order, counts, ties between groups, owners, costs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evolution_core.architectures import build
from evolution_core.genome import ClusterMap, trace_clusters
from evolution_core.genome.trials import random_death
from evolution_core.spec import NetworkError
from evolution_core.synthesis import cut
from tests.evolution_core.surgery_cases import CASES


def traced(name: str) -> ClusterMap:
    case = CASES[name]
    return trace_clusters(case.make(), torch.zeros(1, *case.shape))


def test_layers_come_in_forward_order_by_readable_names() -> None:
    clusters = trace_clusters(build("alexnet-small", 10, (3, 32, 32)), torch.zeros(1, 3, 32, 32))
    assert clusters.counts() == {
        "conv1": 96,
        "conv2": 256,
        "conv3": 384,
        "conv4": 384,
        "conv5": 256,
        "fc6": 1024,
        "fc7": 1024,
        "fc8": 10,
    }
    assert clusters.layer("fc8").protected == "it is an output of the network"
    assert [layer.protected for layer in clusters.layers[:-1]] == [""] * 7
    assert clusters.cost("parameters") == 5_726_602


def test_costs_are_the_published_ones() -> None:
    clusters = trace_clusters(build("lenet5", 10, (1, 28, 28)), torch.zeros(1, 1, 28, 28))
    assert clusters.cost("parameters") == 431_080
    assert clusters.cost("macs") == 2_293_000
    assert clusters.cost("bytes") == 4 * 431_080
    assert clusters.cost("clusters") == 570  # the ten classes cannot be cut
    with pytest.raises(ValueError, match="latency"):
        clusters.cost("latency")


def test_attention_counts_its_products() -> None:
    """Four heads of six numbers over 16 tokens: q k' and the weighted sum of v are 16 * 16 * 24 multiply-adds each."""
    clusters = traced("self-attention")
    layers = sum(
        clusters.tensors[name].shape[0] * clusters.tensors[name].shape[1] * 16
        for name in ("qkv.weight", "out.weight", "up.weight", "down.weight")
    )
    stem, head = 16 * 3 * 4 * 16, 16 * 5
    assert clusters.cost("macs") == layers + stem + head + 2 * 16 * 16 * 24


def test_a_residual_join_makes_one_layer_of_its_producers() -> None:
    clusters = traced("residual")
    assert clusters.layer("stem").producers == ("stem", "outer")
    assert clusters.layer("outer") is clusters.layer("stem")
    assert clusters.counts() == {"stem": 12, "inner": 7, "head": 5}
    with pytest.raises(NetworkError, match="no layer 'nowhere'"):
        clusters.layer("nowhere")


def test_owners_name_every_slice() -> None:
    clusters = traced("residual")
    stem = clusters.layer("stem").clusters
    for name, axis in (("stem.weight", 0), ("stem.bias", 0), ("outer.weight", 0), ("norm.running_var", 0)):
        assert torch.equal(clusters.owners[name][axis], stem)
    for name in ("inner.weight", "head.weight"):
        assert torch.equal(clusters.owners[name][1], stem)
    assert 1 not in clusters.owners["stem.weight"]  # it reads the image


def test_grouped_axes_say_what_each_group_reads() -> None:
    clusters = traced("grouped-convolution")
    stem = clusters.layer("stem").clusters
    assert torch.equal(clusters.owners["grouped.weight"][1], stem.view(2, 6))
    alive = clusters.everyone()
    alive[stem[[0, 7]]] = False  # one of each group, at different places
    mask = clusters.mask("grouped.weight", alive).expand(8, 6, 3, 3)[:, :, 0, 0]
    assert not mask[:4, 0].any()
    assert not mask[4:, 1].any()
    assert int(mask.sum()) == 8 * 5


def test_a_mask_of_numbers_is_their_product() -> None:
    clusters = traced("plain")
    gain = torch.rand(clusters.n, generator=torch.Generator().manual_seed(0))
    rows, columns = clusters.owners["conv.weight"][0], clusters.owners["conv.weight"][1]
    expected = gain[rows][:, None] * gain[columns][None, :]
    assert torch.equal(clusters.mask("conv.weight", gain)[:, :, 0, 0], expected)


def test_blocks_keep_every_group_equal() -> None:
    """Halves, thirds and quarters of 24 channels: cells of equal treatment, all keeping the same share."""
    clusters = traced("several-group-constraints")
    block = next(b for b in clusters.blocks if clusters.layers[b.layers[0]].name == "stem")
    assert sorted(len(cell) for cell in block.cells) == [4, 4, 8, 8]
    assert block.steps == 4
    over = traced("groups-over-concat")
    tied = next(b for b in over.blocks if len(b.layers) > 1)
    assert {over.layers[i].name for i in tied.layers} == {"stem", "a"}


def test_reasons_are_sentences_that_name_the_cause() -> None:
    assert "_fft" in str(traced("unknown-operation").layer("stem").protected)
    assert "softmax" in str(traced("softmax-over-channels").layer("stem").protected)
    assert "normalisation" in str(traced("layer-normalised").layer("stem").protected)
    assert traced("spatial-mask").layer("mask").protected


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if x.sum() > 0 else x


def test_what_cannot_be_followed_or_run_is_refused_in_a_sentence() -> None:
    with pytest.raises(NetworkError, match=r"torch.fx cannot follow this network"):
        trace_clusters(Branching(), torch.zeros(1, 3, 8, 8))
    with pytest.raises(NetworkError, match="does not run on inputs of 5x8x8"):
        trace_clusters(CASES["plain"].make(), torch.zeros(1, 5, 8, 8))


def test_tracing_leaves_the_model_alone() -> None:
    model = CASES["batch-norm-and-flatten"].make().train()
    model.norm.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace_clusters(model, torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert not model.norm.training


def test_tracing_twice_gives_the_same_map() -> None:
    for name in ("several-group-constraints", "shuffle-unit", "self-attention"):
        first, second = traced(name), traced(name)
        assert first.ancestry == second.ancestry
        for parameter, axes in first.owners.items():
            assert all(torch.equal(ids, second.owners[parameter][axis]) for axis, ids in axes.items())


@pytest.mark.parametrize("name", ["several-group-constraints", "channel-shuffle-view", "dense-concat", "shuffle-unit"])
def test_gene_tags_compose_over_generations(name: str) -> None:
    case = CASES[name]
    ancestor = case.make()
    origin = clusters = trace_clusters(ancestor, torch.zeros(1, *case.shape))
    model: nn.Module = ancestor
    everyone = torch.arange(origin.n)
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        alive = random_death(clusters, generator, 0.75)
        everyone = everyone[alive]
        model = cut(model, clusters, alive)
        clusters = trace_clusters(model, torch.zeros(1, *case.shape))
        assert torch.equal(clusters.tags, everyone)
    for layer, genes in clusters.genes().items():
        before = origin.layer(layer).clusters
        assert torch.equal(before[torch.tensor(genes)], clusters.tags[clusters.layer(layer).clusters])
    one = torch.zeros(origin.n, dtype=torch.bool)
    one[clusters.tags] = True
    direct = cut(ancestor, origin, one)  # in one cut instead of three
    for parameter, value in model.state_dict().items():
        assert torch.equal(value, direct.state_dict()[parameter])


def test_training_needs_no_new_trace() -> None:
    """A map stays true of a model whose numbers have changed."""
    model = CASES["residual"].make()
    clusters = trace_clusters(model, torch.zeros(1, 3, 8, 8))
    with torch.no_grad():
        model.stem.weight.mul_(3.0)
    offspring = cut(model, clusters, random_death(clusters, torch.Generator().manual_seed(0)))
    kept = torch.tensor(trace_clusters(offspring, torch.zeros(0)).genes()["stem"])
    assert torch.equal(offspring.get_parameter("stem.weight"), model.stem.weight[kept])
