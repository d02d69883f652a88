"""A detector's two ONNX forms against PyTorch: the map, and boxes with decoding and suppression inside the file."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from evolution_core.architectures import build
from evolution_core.architectures.region import region_of
from evolution_core.cli import main
from evolution_core.export import detector, export_detector, export_onnx
from evolution_core.genome import Genome, save_network, trace_clusters
from evolution_core.measurement import latency_ms
from evolution_core.spec import NetworkError
from evolution_core.tasks import pixels, task_for
from evolution_core.tasks.detection import detect

SHAPE = (3, 64, 96)  # height and width differ, so that a swap would show
CLASSES = ("disc", "square", "ring")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    made = build("tiny-yolov2", len(CLASSES), SHAPE, width=0.05, seed=3)
    with torch.no_grad():  # so that scores differ and boxes overlap
        made.get_submodule("conv9").weight.mul_(8)
        region_of(made).anchors.copy_(torch.tensor([[0.2, 0.3], [0.3, 0.2], [0.4, 0.5], [0.5, 0.4], [0.7, 0.8]]))
    return made.eval()


@pytest.fixture(scope="module")
def genome() -> Any:
    return SimpleNamespace(shape=SHAPE, classes=CLASSES, mean=MEAN, std=STD)


def session(content: bytes) -> Any:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def picture(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (1, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def ours(model: torch.nn.Module, image: torch.Tensor, **limits: float) -> Any:
    with torch.inference_mode():
        outputs = model(pixels.normalise(image, torch.tensor(MEAN), torch.tensor(STD)))
    return detect(outputs, region_of(model).anchors, candidates=10**6, **limits)[0]


@pytest.mark.parametrize(("threshold", "overlap"), [(0.25, 0.45), (0.05, 0.45), (0.05, 0.1), (0.01, 0.9)])
def test_the_files_boxes_are_pytorchs(model, genome, threshold, overlap):
    runner = session(export_detector(model, genome, threshold=threshold, overlap=overlap))
    for seed in range(3):
        wanted = ours(model, picture(seed), threshold=threshold, overlap=overlap)
        boxes, scores, classes = runner.run(["boxes", "scores", "classes"], {"image": picture(seed).float().numpy()})
        assert len(wanted) > 0
        assert classes.dtype == np.int64
        np.testing.assert_array_equal(classes, wanted.classes.numpy())
        np.testing.assert_allclose(scores, wanted.scores.numpy(), atol=1e-5)
        np.testing.assert_allclose(boxes, wanted.corners.numpy() * [96, 64, 96, 64], atol=1e-2)
        assert (np.diff(scores) <= 0).all()


def test_thresholds_can_be_given_to_the_file(model, genome):
    runner = session(export_detector(model, genome))
    assert [source.name for source in runner.get_inputs()] == ["image"]
    image = picture().float().numpy()
    for threshold, overlap in ((0.02, 0.3), (0.6, 0.45)):
        wanted = ours(model, picture(), threshold=threshold, overlap=overlap)
        limits = {
            "score_threshold": np.array([threshold], np.float32),
            "overlap_threshold": np.array([overlap], np.float32),
        }
        assert len(runner.run(["boxes"], {"image": image, **limits})[0]) == len(wanted)
    nothing = runner.run(None, {"image": image, "score_threshold": np.array([1.1], np.float32)})
    assert [part.shape for part in nothing] == [(0, 4), (0,), (0,)]


def test_at_most_so_many_boxes_come_out(model, genome):
    runner = session(export_detector(model, genome, threshold=0.001, overlap=0.95, maximum=7))
    boxes, scores, _ = runner.run(None, {"image": picture().float().numpy()})
    assert len(boxes) == 7
    best = ours(model, picture(), threshold=0.001, overlap=0.95, maximum=7)
    np.testing.assert_allclose(scores, best.scores.numpy(), atol=1e-5)


def test_each_file_says_which_form_it_is(model, genome):
    told = {}
    for name, content in (("map", export_onnx(model, genome)), ("boxes", export_detector(model, genome))):
        told[name] = json.loads(session(content).get_modelmeta().custom_metadata_map["eustress"])
        assert told[name]["classes"] == list(CLASSES)
        assert told[name]["detection"]["form"] == name
        np.testing.assert_allclose(told[name]["detection"]["anchors"], region_of(model).anchors.numpy())
    assert told["boxes"]["detection"]["score_threshold"] == 0.25
    assert told["boxes"]["detection"]["overlap_threshold"] == 0.45
    assert told["boxes"]["detection"]["maximum"] == 100


def test_the_map_without_decoding_is_pytorchs_too(model, genome):
    runner = session(export_onnx(model, genome))
    batch = torch.cat([picture(0), picture(1)])
    with torch.inference_mode():
        wanted = model(pixels.normalise(batch, torch.tensor(MEAN), torch.tensor(STD)))
    np.testing.assert_allclose(runner.run(None, {"image": batch.float().numpy()})[0], wanted.numpy(), atol=1e-3)


def test_a_file_whose_boxes_differ_is_not_written(model, genome, tmp_path, monkeypatch):
    monkeypatch.setattr(detector, "BOX", 5)
    monkeypatch.setattr(detector, "LARGEST_GROWTH", -3.0)  # sizes that PyTorch's decoding does not have
    with pytest.raises(NetworkError, match="boxes differ from PyTorch's"):
        export_detector(model, genome, tmp_path / "wrong.onnx")
    assert not (tmp_path / "wrong.onnx").exists()


def test_a_classifier_has_no_such_form():
    with pytest.raises(NetworkError, match="no detector"):
        export_detector(build("lenet5", 10, (1, 28, 28)).eval(), (1, 28, 28))


def test_the_task_knows_what_follows_the_network(model, genome):
    whole = task_for("detection").deployed(model, genome)
    assert [output.name for output in onnx.load_from_string(whole).graph.output] == ["boxes", "scores", "classes"]
    assert task_for("classification").deployed(model, genome) is None
    image = picture().float().numpy()
    times = latency_ms({"a": whole}, rounds=5, seconds=0.01, warm_up=0.001, image=image)
    assert times["a"] > 0


@pytest.fixture
def file(model, tmp_path) -> str:
    clusters = trace_clusters(model, torch.zeros(2, *SHAPE))
    genome = Genome("tiny-yolov2", CLASSES, "detection", SHAPE, MEAN, STD, width=0.05).of(clusters, model)
    save_network(tmp_path / "net.safetensors", model, genome)
    return str(tmp_path / "net.safetensors")


def test_the_command_writes_and_measures_it(file, model, tmp_path, capsys):
    out = tmp_path / "net.onnx"
    assert main(["export", file, "--format", "onnx-nms", "--out", str(out)]) == 0
    boxes = session(out.read_bytes()).run(["boxes"], {"image": picture().float().numpy()})[0]
    assert len(boxes) == len(ours(model, picture(), threshold=0.25, overlap=0.45))
    capsys.readouterr()
    assert main(["measure", file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["whole_latency_ms"] > 0
