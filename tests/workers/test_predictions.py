"""After its measurement a detector gets both ONNX forms, and what it finds in validation pictures is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from tests.evolution_core import boxes
from webapp.datasets.models import Dataset, DatasetFile
from webapp.networks.models import Network
from webapp.networks.predictions import index_name, picture_name, predictions_context
from webapp.runs.addresses import RunUrls
from webapp.runs.models import Run
from workers import exports, inspections, materials, predictions

pytestmark = pytest.mark.django_db(transaction=True)

SPEC = {
    "architecture": "tiny-yolov2",
    "width": 0.05,
    "input_size": 64,
    "generations": 1,
    "offspring": 1,
    "validation_share": 0.4,
}


@pytest.fixture
def detection_run(team: Any, dispatched: list, tmp_path: Path) -> Run:
    """A run on twenty inspected pictures with boxes."""
    from evolution_core.spec import RunSpec

    content = boxes.zipped(tmp_path / "set.zip", boxes.voc(boxes.scenes(20))).read_bytes()
    dataset = Dataset.objects.create(team=team, name="Boxes")
    file = DatasetFile(dataset=dataset, original_name="set.zip", size=len(content))
    file.file.save("set.zip", ContentFile(content))
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == Dataset.State.READY, dataset.message
    return Run.objects.create(team=team, dataset=dataset, name="Boxes", spec=RunSpec.from_json(SPEC).to_json())


@pytest.fixture
def network(detection_run: Run, tmp_path: Path) -> Network:
    """A measured, hardly trained detector of the run, whose ONNX form was asked for."""
    import torch

    from evolution_core.architectures import build
    from evolution_core.genome import Genome, save_network, trace_clusters
    from evolution_core.tasks import task_for

    data = materials.data_for(detection_run, None, lambda: None)
    model = build("tiny-yolov2", 2, data.shape, width=0.05)
    task_for("detection").prepare(model, data, 0)
    clusters = trace_clusters(model, torch.zeros(2, *data.shape))
    mean, std = tuple(data.mean.tolist()), tuple(data.std.tolist())
    genome = Genome("tiny-yolov2", data.classes, "detection", data.shape, mean, std, width=0.05).of(clusters, model)
    save_network(tmp_path / "ancestor.safetensors", model, genome)
    made = Network.objects.create(
        run=detection_run,
        name="ancestor",
        generation=0,
        state=Network.State.MEASURED,
        onnx_state=Network.OnnxState.REQUESTED,
    )
    made.file.save("ancestor.safetensors", ContentFile((tmp_path / "ancestor.safetensors").read_bytes()))
    return made


def read(name: str) -> Any:
    with default_storage.open(name) as file:
        return json.load(file)


def test_both_forms_and_the_predictions_are_made_together(network: Network) -> None:
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_state, network.onnx_message) == (Network.OnnxState.READY, "")
    assert network.onnx_nms.name == f"runs/{network.run_id}/ancestor.nms.onnx"
    assert network.onnx_nms_sha256 == materials.sha256(Path(network.onnx_nms.path))
    session = onnxruntime.InferenceSession(network.onnx_nms.path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["boxes", "scores", "classes"]
    session.run(None, {"image": np.zeros((1, 3, 64, 64), np.float32)})
    assert network.predictions.name == f"runs/{network.run_id}/ancestor.predictions.json"


def test_what_is_kept_is_what_the_network_finds(network: Network) -> None:
    import torch

    from evolution_core.genome import load_network
    from evolution_core.tasks.detection import detections

    exports.export_onnx(network.pk)
    network.refresh_from_db()
    index, kept = read(index_name(network.run_id)), read(network.predictions.name)
    data = materials.data_for(network.run, None, lambda: None)
    assert index["classes"] == ["disc", "square"]
    assert len(index["pictures"]) == len(kept["images"]) == len(data.validation)
    loaded = load_network(network.file.path)
    found = detections(loaded.model, data.validation.images, data, threshold=0.05)
    assert sum(len(part) for part in found) > 0
    for part, image in zip(found, kept["images"], strict=True):
        assert [row[0] for row in image["found"]] == part.classes.tolist()
        np.testing.assert_allclose([row[5] for row in image["found"]], part.scores.numpy(), atol=1e-4)
        assert 0 <= image["loss"] <= 1
        assert image["hits"] <= image["sure"]
    for about, truth in zip(index["pictures"], data.validation.targets, strict=True):
        assert len(about["truths"]) == len(truth)
        left, right = about["truths"][0][1], about["truths"][0][3]
        assert right - left == pytest.approx(float(truth[0, 3]), abs=1e-3)
    assert torch.is_tensor(data.validation.images)


def test_the_pictures_are_the_ones_that_were_judged(network: Network) -> None:
    """Each stored picture, squashed to the input size, is the validation image of the same number."""
    exports.export_onnx(network.pk)
    data = materials.data_for(network.run, None, lambda: None)
    for number, about in enumerate(read(index_name(network.run_id))["pictures"]):
        with default_storage.open(picture_name(network.run_id, number)) as file:
            picture = Image.open(io.BytesIO(file.read()))
        assert (picture.format, picture.size) == ("JPEG", (boxes.WIDTH, boxes.HEIGHT))
        assert picture.size == (about["width"], about["height"])
        small = np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC), np.float32)
        judged = data.validation.images[number].permute(1, 2, 0).numpy().astype(np.float32)
        assert np.abs(small - judged).mean() < 6


def test_a_page_can_show_them(network: Network) -> None:
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    shown = predictions_context(network, RunUrls(network.run), {})
    assert shown is not None
    assert shown["pictures"][0]["sides"][0]["name"] == "ancestor"
    assert shown["pictures"][0]["file"].endswith(".png")


def test_the_pictures_are_stored_once_a_run(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    exports.export_onnx(network.pk)
    monkeypatch.setattr(materials, "source", lambda _dataset: pytest.fail("the pictures are there already"))
    predictions.keep_pictures(network.run)


def test_files_come_even_where_pictures_cannot(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "keep_pictures", lambda _run: 1 / 0)
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_state, bool(network.predictions)) == (Network.OnnxState.READY, False)
    assert network.onnx_nms


def test_both_forms_are_measured(network: Network) -> None:
    from evolution_core.genome import load_network
    from evolution_core.tasks import task_for
    from workers import exported

    exports.export_onnx(network.pk)
    exported.measure_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_figures_state, network.onnx_figures_message) == (Network.Made.READY, "")
    found = network.onnx_figures["validation"]
    data = materials.data_for(network.run, None, lambda: None)
    own = task_for("detection").evaluate(load_network(network.file.path).model, data.validation, data)["map50"]
    assert (found["metric"], found["images"], found["torch"]) == ("map50", len(data.validation), own)
    assert found["onnx"] == pytest.approx(own, abs=0.05)
    assert found["boxes"] == pytest.approx(own, abs=0.05)


def test_sixty_pictures_are_enough() -> None:
    from evolution_core.data.detection.showing import shown_rows

    assert shown_rows(5) == [0, 1, 2, 3, 4]
    many = shown_rows(1000)
    assert (len(many), many[0], many[-1]) == (60, 0, 999)
    assert sorted(set(many)) == many
