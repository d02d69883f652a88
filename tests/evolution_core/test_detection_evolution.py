"""Detectors through the same life as classifiers: bred, cut across the passthrough, saved, reloaded, measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from evolution_core.architectures.region import channels_for, region_of
from evolution_core.cli import main
from evolution_core.data import Data, load
from evolution_core.evolution import evolve
from evolution_core.genome import load_network
from evolution_core.spec import NetworkError, RunSpec
from tests.evolution_core import boxes as drawn

pytestmark = pytest.mark.usefixtures("quick_latency")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four pictures with boxes as Pascal VOC."""
    return drawn.zipped(tmp_path_factory.mktemp("boxes") / "boxes.zip", drawn.voc(drawn.scenes(24)))


def detection_spec(**fields: Any) -> RunSpec:
    values = {
        "architecture": "tiny-yolov2",
        "width": 0.05,
        "input_size": 64,
        "generations": 1,
        "offspring": 1,
        "epochs": 1,
        "batch_size": 8,
        "validation_share": 0.3,
        "repair_images": 16,
        "width_multiple": 1,
        "minimum_clusters": 2,
    }
    return RunSpec.from_json({**values, **fields})


def networks(out: Path) -> dict[str, dict[str, Any]]:
    return {network["id"]: network for network in json.loads((out / "lineage.json").read_text())["networks"]}


def bred(spec: RunSpec, archive: Path, out: Path) -> dict[str, dict[str, Any]]:
    data: Data = load(archive, spec=spec)
    for _ in evolve(spec, data, out):
        pass
    return networks(out)


def test_the_command_breeds_a_detector_from_a_voc_zip(archive, tmp_path, capsys):
    out = tmp_path / "out"
    options = "--architecture tiny-yolov2 --width 0.05 --input 64 --generations 1 --offspring 1 --epochs 1 --limit 20"
    assert main(["evolve", "--data", str(archive), "--out", str(out), "--threads", "1", *options.split()]) == 0
    assert "mAP@.5" in capsys.readouterr().out
    found = networks(out)
    assert set(found) == {"ancestor", "1-1"}
    for network in found.values():
        assert network["metric"] == "map50"
        assert 0 <= network["validation_map50"] <= 1
        assert 0 <= network["test_map50"] <= 1
        assert set(network["metrics"]) >= {"map50", "map", "precision", "recall"}
        assert not {"validation_accuracy", "shock_accuracy", "test_accuracy"} & set(network)
    assert found["ancestor"]["shock_map50"] is None
    assert 0 <= found["1-1"]["shock_map50"] <= 1


@pytest.mark.parametrize("architecture", ["yolov2", "tiny-yolov2"])
def test_a_cut_is_proven_and_the_output_keeps_its_shape(architecture, archive, tmp_path):
    found = bred(detection_spec(architecture=architecture, epochs=0.5), archive, tmp_path)
    child = found["1-1"]
    assert child["proof"]["ok"] is True
    assert child["parameters"] < found["ancestor"]["parameters"]
    assert child["clusters"]["conv6"] < found["ancestor"]["clusters"]["conv6"]
    loaded = load_network(tmp_path / child["file"])
    with torch.inference_mode():
        outputs = loaded.model(torch.zeros(1, 3, 64, 64))
    assert tuple(outputs.shape) == (1, channels_for(2), 2, 2)
    if architecture == "yolov2":  # both sides of the joint shrink: the passthrough and the deep path
        assert child["clusters"]["conv21"] < found["ancestor"]["clusters"]["conv21"]
        assert child["clusters"]["conv20"] < found["ancestor"]["clusters"]["conv20"]


def test_the_anchors_are_the_datas_own_and_travel_with_every_file(archive, tmp_path):
    bred(detection_spec(epochs=0.5), archive, tmp_path)
    anchors = []
    for name in ("ancestor", "1-1"):
        with safe_open(tmp_path / f"{name}.safetensors", framework="pt") as file:
            anchors.append(file.get_tensor("buffer:region.anchors"))
        reloaded = region_of(load_network(tmp_path / f"{name}.safetensors").model).anchors
        assert torch.equal(reloaded, anchors[-1])
    assert torch.equal(*anchors)
    published = torch.tensor(region_of(load_network(tmp_path / "1-1.safetensors").model).usual)
    assert not torch.allclose(anchors[0], published)
    assert ((anchors[0] > 0.1) & (anchors[0] < 0.6)).all()  # boxes of 14 to 26 pixels in 80x60


def test_a_detector_measures_and_exports_from_its_file(archive, tmp_path, capsys):
    bred(detection_spec(epochs=0.5), archive, tmp_path)
    file = str(tmp_path / "1-1.safetensors")
    assert main(["measure", file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["task"] == "detection"
    assert told["classes"] == ["disc", "square"]
    assert main(["export", file, "--format", "onnx", "--out", str(tmp_path / "net.onnx")]) == 0
    assert (tmp_path / "net.onnx").stat().st_size > 1000


@pytest.mark.parametrize(
    "fields",
    [
        {"parents": 2, "survivors": 2, "offspring": 2, "generations": 2},  # mating
        {"repair": True},
        {"candidates": 2},
        {"distillation": 0.5},
        {"strength": "taylor"},
        {"encoding": "both"},
        {"augmentation": "photo", "stress": ["rehearsal"], "resource": "parameters"},
        {"environment": "5x", "inheritance": "newborn"},
        {"multi_scale": 0.5, "distillation": 0.2},
    ],
    ids=lambda fields: "-".join(fields)[:40],
)
def test_what_a_spec_can_ask_for_works_on_detectors_too(fields, archive, tmp_path):
    found = bred(detection_spec(epochs=0.34, **fields), archive, tmp_path)
    last = found[f"{fields.get('generations', 1)}-1"]
    assert last["status"] == "measured", last["message"]
    assert last["proof"]["ok"]
    assert 0 <= last["validation_map50"] <= 1


def test_the_same_seed_breeds_the_same_detector(archive, tmp_path):
    digests = [bred(detection_spec(seed=3), archive, tmp_path / name)["1-1"]["sha256"] for name in ("one", "two")]
    assert digests[0] == digests[1]


def test_a_classifier_is_refused_on_boxes(archive, tmp_path):
    spec = RunSpec.from_json({"architecture": "lenet5", "input_size": 32, "generations": 1, "offspring": 1})
    with pytest.raises(NetworkError, match="made for classification, the data are for detection"):
        bred(spec, archive, tmp_path)
