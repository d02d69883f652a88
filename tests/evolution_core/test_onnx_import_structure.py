"""Own networks on paper: structure and back, heads, what pixels they expect, and surgery on them."""

from __future__ import annotations

import json

import pytest
import torch
from torch import fx, nn

from evolution_core.architectures.onnx_import import (
    best_normalisation,
    candidate_normalisations,
    fitted,
    from_structure,
    load_onnx,
    to_structure,
)
from evolution_core.data import Data, Split
from evolution_core.genome import trace_clusters
from evolution_core.spec import NetworkError
from evolution_core.synthesis.proof import prove
from evolution_core.synthesis.surgery import cut
from tests.evolution_core.own_networks import CLASSES, DESIGNS, SIDE, exported_design, numbers, small_classifier

IMAGES = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def half(module: fx.GraphModule) -> tuple[fx.GraphModule, torch.Tensor, object]:
    """The network with every second cluster of each layer that is free to lose it."""
    found = trace_clusters(module, IMAGES[:2])
    alive = found.everyone()
    for block in found.blocks:
        cells = [cell for cell in block.cells if not bool(found.protected[cell].any())]
        if len(cells) == len(block.cells) and block.steps > 1:
            for cell in cells:
                count = cell.shape[0] // block.steps * (block.steps // 2)
                alive[cell[torch.arange(count) * cell.shape[0] // count]] = False
    return cut(module, found, alive), alive, found


@pytest.mark.parametrize("name", DESIGNS)
def test_own_networks_are_cut_with_proof(name: str) -> None:
    module = load_onnx(exported_design(name, "opset17")).module
    offspring, alive, found = half(module)
    assert bool((~alive).any())
    proof = prove(module, offspring, found, alive, IMAGES)
    assert proof.ok, proof.reason
    assert sum(p.numel() for p in offspring.parameters()) < sum(p.numel() for p in module.parameters())
    text = to_structure(offspring)  # offspring can be written down too
    again = from_structure(text)
    again.load_state_dict(offspring.state_dict())
    with torch.no_grad():
        assert torch.equal(again(IMAGES), offspring.eval()(IMAGES))


@pytest.mark.parametrize("name", DESIGNS)
def test_a_structure_rebuilds_the_network_without_its_numbers(name: str) -> None:
    module = load_onnx(exported_design(name, "opset17")).module
    text = to_structure(module)
    again = from_structure(text)
    assert not any(bool(tensor.any()) for tensor in again.parameters())
    again.load_state_dict(module.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(again(IMAGES), module(IMAGES))
    assert to_structure(again) == text
    assert len(text) < 12_000
    assert trace_clusters(again, IMAGES).counts() == trace_clusters(module, IMAGES).counts()


def test_places_travel_inside_the_structure() -> None:
    from onnx import helper

    order = torch.tensor([7, 0, 1, 2, 6, 5, 4, 3]).numpy()
    step = helper.make_node("Gather", ["relu", "order"], ["features"], axis=1)
    module = load_onnx(small_classifier(step, constants={"order": order})).module
    again = from_structure(to_structure(module))
    places = [buffer for buffer in again.buffers() if buffer.dtype == torch.int64 and buffer.numel() == 8]
    assert [list(buffer) for buffer in places] == [order.tolist()]


def _text() -> dict:
    return json.loads(to_structure(load_onnx(small_classifier()).module))


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value.update(version=99),
        lambda value: value.pop("nodes"),
        lambda value: value["nodes"].append(["x", "call_function", "os.system", {"tuple": ["true"]}, {"dict": {}}]),
        lambda value: value["nodes"].append(["x", "call_method", "__reduce__", {"tuple": []}, {"dict": {}}]),
        lambda value: value["nodes"].append(["x", "get_attr", "__class__", {"tuple": []}, {"dict": {}}]),
        lambda value: value["nodes"].insert(
            1, ["x = 1; import os; y", "placeholder", "z", {"tuple": []}, {"dict": {}}]
        ),
        lambda value: value["nodes"].append(["x", "call_module", 'a")]; import os #', {"tuple": []}, {"dict": {}}]),
        lambda value: value["modules"].update({'b"]); import os #': ["ReLU", {}]}),
        lambda value: value["modules"].update(evil=["Sequential", {}]),
        lambda value: value["modules"].update(evil=["Linear", {"in_features": 2**40, "out_features": 2**40}]),
        lambda value: value["modules"].update(evil=["Linear", {"in_features": 2, "out_features": 2, "device": "cuda"}]),
        lambda value: value["tensors"].update(t={"kind": "buffer", "shape": [2**50], "dtype": "float32"}),
        lambda value: value["tensors"].update(t={"kind": "buffer", "shape": [2], "dtype": "object"}),
        lambda value: value["nodes"][1].__setitem__(3, {"tuple": [{"node": "nowhere"}]}),
        lambda value: value["nodes"][1].__setitem__(3, {"tuple": [{"python": "1"}]}),
    ],
)
def test_a_damaged_structure_is_refused(damage) -> None:
    value = _text()
    damage(value)
    with pytest.raises(NetworkError, match=r"structure|layer|method|tensor|step|unknown|name"):
        from_structure(json.dumps(value))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"version": 1}', "[" * 100_000])
def test_a_structure_that_is_none(text: str) -> None:
    with pytest.raises(NetworkError, match="structure"):
        from_structure(text)


def test_layers_outside_the_table_cannot_be_stored() -> None:
    module = fx.symbolic_trace(nn.Sequential(nn.Conv3d(1, 1, 1)))
    with pytest.raises(NetworkError, match="Conv3d"):
        to_structure(module)


# --- pixels ------------------------------------------------------------------------------------------------------


def bright_or_dark(mean: torch.Tensor, std: torch.Tensor) -> Data:
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(60) % CLASSES
    images = torch.randint(0, 40, (60, 3, 16, 16), generator=generator) + (targets * 50)[:, None, None, None]
    split = Split(images.to(torch.uint8), targets)
    names = tuple(f"class {index}" for index in range(CLASSES))
    return Data("classification", names, (3, 16, 16), split, split, split, mean, std, "0" * 64)


def trained_on(mean: float, std: float):
    """A network that only tells brightness right when pixels come as (pixel / 255 - mean) / std."""
    network = load_onnx(small_classifier())
    convs = [module for module in network.module.modules() if isinstance(module, nn.Conv2d)]
    head = next(module for module in network.module.modules() if isinstance(module, nn.Linear))
    levels = (torch.arange(CLASSES) * 50 + 20.0) / 255.0
    with torch.no_grad():
        for conv in convs:
            conv.weight.zero_()
            conv.bias.zero_()
        convs[0].weight[0, 0, 1, 1] = 1.0
        convs[1].weight[0, 0, 1, 1] = 1.0
        convs[1].bias[0] = 100.0  # far above zero, so that the rectifier passes it on
        seen = (levels - mean) / std + 100.0
        head.weight.zero_()
        head.weight[:, 0] = 2 * seen
        head.bias.copy_(-(seen**2))
    return network


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [(0.0, 1.0, "0 to 1"), (0.5, 0.5, "-1 to 1"), (0.0, 1 / 255, "0 to 255"), (0.2, 0.05, "the data's own")],
)
def test_the_normalisation_that_a_network_knows_most_with_is_found(mean: float, std: float, expected: str) -> None:
    data = bright_or_dark(torch.full((3,), 0.2), torch.full((3,), 0.05))
    found = best_normalisation(trained_on(mean, std), data)
    assert found.name.startswith(expected)


def test_a_normalisation_that_the_file_tells_is_believed() -> None:
    data = bright_or_dark(torch.full((3,), 0.2), torch.full((3,), 0.05))
    told = {"mean": "[0.1, 0.2, 0.3]", "std": "0.5"}
    network = load_onnx(small_classifier(metadata=told))
    assert best_normalisation(network, data).mean == (0.1, 0.2, 0.3)
    assert best_normalisation(network, data).std == (0.5, 0.5, 0.5)
    pixels = load_onnx(small_classifier(metadata={"mean": "127.5", "std": "127.5"})).normalisation
    assert pixels is not None
    assert pixels.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("mean", "std"), [("x", "1"), ("[1,2]", "1"), ("0", "0"), ("nan", "1")])
def test_a_normalisation_that_makes_no_sense_is_not(mean: str, std: str) -> None:
    assert load_onnx(small_classifier(metadata={"mean": mean, "std": std})).normalisation is None


def test_candidates_fit_the_channels() -> None:
    gray = candidate_normalisations(1, torch.tensor([0.3]), torch.tensor([0.2]))
    assert all(len(candidate.mean) == len(candidate.std) == 1 for candidate in gray)
    assert len({candidate.name for candidate in gray}) == 5


# --- heads -------------------------------------------------------------------------------------------------------


def test_other_classes_get_a_new_last_layer() -> None:
    network = load_onnx(exported_design("resnet", "opset17"))
    new = fitted(network, ("a", "b", "c"), seed=7)
    assert (new.outputs, new.module(IMAGES).shape) == (3, (4, 3))
    assert network.module(IMAGES).shape == (4, CLASSES)
    assert torch.equal(fitted(network, ("a", "b", "c"), seed=7).module.fc.weight, new.module.fc.weight)
    assert not torch.equal(fitted(network, ("a", "b", "c"), seed=8).module.fc.weight, new.module.fc.weight)
    assert torch.equal(new.module.stem.weight, network.module.stem.weight)
    assert "new" in new.notes[-1]


def test_as_many_outputs_as_classes_stay() -> None:
    network = load_onnx(exported_design("resnet", "opset17"))
    assert fitted(network, tuple("abcde"), seed=0) is network


def test_outputs_are_put_in_the_order_of_the_datas_classes() -> None:
    network = load_onnx(small_classifier(metadata={"classes": '["e", "d", "c", "b", "a"]'}))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    ordered = fitted(network, tuple("abcde"), seed=0)
    assert torch.equal(ordered.module(images), network.module(images).flip(1))
    assert ordered.classes == tuple("abcde")


def test_outputs_without_a_last_layer_cannot_be_fitted() -> None:
    from onnx import helper

    weight = {"w3": numbers(CLASSES, 8, 1, 1)}
    steps = [helper.make_node("Identity", ["relu"], ["features"])]
    content = small_classifier(*steps, constants=weight)
    network = load_onnx(content)
    graph = network.module.graph
    output = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(output):
        output.args = (graph.call_function(torch.exp, (output.args[0],)),)
    network.module.recompile()
    with pytest.raises(NetworkError, match="one last layer"):
        fitted(network, ("a", "b"), seed=0)
