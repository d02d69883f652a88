"""YOLOv2 and Tiny YOLOv2: published sizes, surgery across the passthrough, Darknet's weights, evolution end to end."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evolution_core.architectures import build, names, region_of
from evolution_core.architectures.darknet_weights import load_darknet_weights
from evolution_core.architectures.yolo import space_to_depth
from evolution_core.export import export_onnx
from evolution_core.genome import trace_clusters
from evolution_core.measurement.counts import count_parameters, walk
from evolution_core.spec import NetworkError
from evolution_core.spec.base_networks import ARCHITECTURES
from evolution_core.synthesis.proof import prove
from evolution_core.synthesis.surgery import cut
from tests.evolution_core.darknet import written

DETECTORS = ("yolov2", "tiny-yolov2")


def small(name: str, classes: int = 3, size: int = 64, seed: int = 0) -> nn.Module:
    """A narrow detector with statistics of its own."""
    model = build(name, classes, (3, size, size), width=0.1, seed=seed)
    luck = torch.Generator().manual_seed(seed + 1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1, generator=luck)
            module.running_var.uniform_(0.5, 1.5, generator=luck)
    return model.eval()


def test_every_detector_of_the_catalogue_is_registered() -> None:
    assert set(DETECTORS) == {card.name for card in ARCHITECTURES.values() if card.task == "detection"}
    assert set(DETECTORS) <= set(names())


@pytest.mark.parametrize("name", DETECTORS)
def test_published_sizes(name: str) -> None:
    card = ARCHITECTURES[name]
    model = build(name, card.reference_classes, card.reference_input)
    assert count_parameters(model) == card.parameters
    assert walk(model, card.reference_input).macs == card.macs
    assert card.parameters == {"yolov2": 50_655_389, "tiny-yolov2": 15_861_773}[name]


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(("size", "cells"), [(64, 2), (96, 3), (160, 5)])
def test_a_map_of_cells(name: str, size: int, cells: int) -> None:
    outputs = small(name, classes=4, size=size)(torch.zeros(2, 3, size, size))
    assert outputs.shape == (2, 5 * (5 + 4), cells, cells)


def test_sizes_are_multiples_of_32() -> None:
    with pytest.raises(NetworkError, match="multiples of 32"):
        build("yolov2", 3, (3, 100, 100))


def test_space_to_depth_in_the_order_of_the_reference() -> None:
    x = torch.arange(2 * 3 * 4 * 6).float().view(2, 3, 4, 6)
    reference = x.view(2, 3, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 12, 2, 3)
    assert torch.equal(space_to_depth(x), reference)


def test_tiny_yolos_sixth_pooling_is_darknets() -> None:
    """Darknet pads with less than anything; repeating the edge has the same maximum."""
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    ours = nn.functional.max_pool2d(nn.functional.pad(x, (0, 1, 0, 1), mode="replicate"), 2, 1)
    darknets = nn.functional.max_pool2d(nn.functional.pad(x, (0, 1, 0, 1), value=-float("inf")), 2, 1)
    assert torch.equal(ours, darknets)


@pytest.mark.parametrize("name", DETECTORS)
def test_surgery_is_proven_and_the_outputs_keep_their_shape(name: str) -> None:
    model = small(name)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = trace_clusters(model, images)
    alive = found.everyone()
    luck = torch.Generator().manual_seed(3)
    for layer in found.layers:
        if not layer.protected:
            alive[layer.clusters[torch.randperm(len(layer), generator=luck)[: len(layer) // 2]]] = False
    protected = [layer.name for layer in found.layers if layer.protected]
    assert protected == ["conv23" if name == "yolov2" else "conv9"]
    offspring = cut(model, found, alive)
    proof = prove(model, offspring, found, alive, images)
    assert proof.ok, proof.reason
    assert offspring(images).shape == model(images).shape
    assert torch.equal(region_of(offspring).anchors, region_of(model).anchors)
    assert count_parameters(offspring) < 0.4 * count_parameters(model)


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_are_exported(name: str) -> None:
    import onnxruntime

    model = small(name)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(export_onnx(model, (3, 64, 64)), providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"image": images.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(outputs), model(images), atol=1e-4)


# --- Darknet's weights -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DETECTORS)
def test_darknets_weights_are_read(name: str, tmp_path: Path) -> None:
    source, target = small(name, seed=1), small(name, seed=2)
    found = load_darknet_weights(target, written(tmp_path / "net.weights", source))
    assert (found.seen, found.fresh_head) == (32013312, False)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(source(images), target(images))


def test_weights_for_other_classes_keep_the_backbone(tmp_path: Path) -> None:
    source, target = small("yolov2", classes=7, seed=1), small("yolov2", classes=3, seed=2)
    before = target.conv23.weight.clone()
    found = load_darknet_weights(target, written(tmp_path / "net.weights", source))
    assert found.fresh_head
    assert "conv23" in found.message
    assert torch.equal(target.conv22.weight, source.conv22.weight)
    assert torch.equal(target.conv23.weight, before)


def test_the_weights_of_a_backbone_alone(tmp_path: Path) -> None:
    source, target = small("yolov2", seed=1), small("yolov2", seed=2)
    path = written(tmp_path / "net.weights", source)
    layers = [source.get_submodule(f"{stem}{n}") for n in range(1, 19) for stem in ("conv", "bn")]
    count = sum(t.numel() for layer in layers for t in layer.state_dict().values() if t.is_floating_point())
    path.write_bytes(path.read_bytes()[: 20 + 4 * count])
    found = load_darknet_weights(target, path)
    assert found.fresh_head
    assert "before conv19" in found.message
    assert torch.equal(target.conv18.weight, source.conv18.weight)
    assert not torch.equal(target.conv19.weight, source.conv19.weight)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:10], "shorter than a header"),
        (lambda content: content[:-3], "cut off"),
        (lambda content: content[: len(content) // 2 // 4 * 4], "numbers too early"),
        (lambda content: content + b"\0" * 4, "1 numbers more"),
        (lambda content: b"\xff\xff\xff\x7f" + content[4:], "version"),
        (lambda content: content[:400] + np.float32("nan").tobytes() + content[404:], "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, words: str, tmp_path: Path) -> None:
    source, target = small("tiny-yolov2", seed=1), small("tiny-yolov2", seed=2)
    path = written(tmp_path / "net.weights", source)
    path.write_bytes(change(path.read_bytes()))
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(NetworkError, match=words):
        load_darknet_weights(target, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def test_older_headers_are_shorter(tmp_path: Path) -> None:
    source, target = small("tiny-yolov2", seed=1), small("tiny-yolov2", seed=2)
    path = written(tmp_path / "net.weights", source)
    path.write_bytes(struct.pack("<iiiI", 0, 1, 0, 77) + path.read_bytes()[20:])
    assert load_darknet_weights(target, path).seen == 77
    assert torch.equal(target.conv9.weight, source.conv9.weight)


def test_classifiers_with_full_layers_take_none(tmp_path: Path) -> None:
    path = written(tmp_path / "net.weights", small("tiny-yolov2"))
    with pytest.raises(NetworkError, match="full layer"):
        load_darknet_weights(build("lenet5", 10, (1, 28, 28)), path)
