"""What an exported file is worth, measured in ONNX Runtime beside the network that it was made of."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch

from evolution_core.architectures import build
from evolution_core.architectures.region import region_of
from evolution_core.data import Data, Split
from evolution_core.data.splits import spread_over
from evolution_core.export import export_detector, export_onnx
from evolution_core.measurement.exported import measure_exported
from evolution_core.spec import NetworkError
from evolution_core.tasks import task_for
from evolution_core.tasks.detection.task import detections
from tests.evolution_core.tiny import tiny_data


def genome_of(data: Data) -> SimpleNamespace:
    return SimpleNamespace(
        shape=data.shape, classes=data.classes, mean=tuple(data.mean.tolist()), std=tuple(data.std.tolist())
    )


@pytest.fixture(scope="module")
def data() -> Data:
    return tiny_data(size=28, others=90)


def lenet(seed: int) -> torch.nn.Module:
    return build("lenet5", 3, (1, 28, 28), width=0.25, seed=seed).eval()


@pytest.mark.parametrize("pixels", [True, False])
def test_a_file_is_as_good_as_its_network_and_says_how_far_outputs_differ(data: Data, pixels: bool) -> None:
    model, task = lenet(1), task_for("classification")
    found = measure_exported(
        export_onnx(model, genome_of(data), pixels=pixels), model, task, data.validation, data, most=1000
    )
    own = task.evaluate(model, data.validation, data)["accuracy"]
    assert (found.metric, found.images, found.of, found.torch, found.boxes) == ("accuracy", 90, 90, own, None)
    assert found.onnx == pytest.approx(own, abs=1 / 90)
    assert 0 < found.difference < 1e-4 * max(1.0, found.largest)
    assert found.to_json()["onnx"] == found.onnx


def test_the_file_is_measured_and_not_the_network_again(data: Data) -> None:
    task, other = task_for("classification"), lenet(2)
    found = measure_exported(export_onnx(other, genome_of(data)), lenet(1), task, data.validation, data)
    assert found.onnx == pytest.approx(task.evaluate(other, data.validation, data)["accuracy"], abs=1 / 90)
    assert found.difference > 0.01


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_agrees_with_nothing(data: Data, value: float) -> None:
    file = onnx.load_from_string(export_onnx(lenet(1), genome_of(data)))
    for weights in file.graph.initializer:
        array = onnx.numpy_helper.to_array(weights)
        if array.dtype == np.float32:
            weights.CopyFrom(onnx.numpy_helper.from_array(np.full_like(array, value), weights.name))
    content = file.SerializeToString()
    with pytest.raises(NetworkError, match="not finite"):
        measure_exported(content, lenet(1), task_for("classification"), data.validation, data)


def test_no_more_images_than_are_allowed_and_the_same_for_both(data: Data) -> None:
    model, task = lenet(1), task_for("classification")
    found = measure_exported(export_onnx(model, genome_of(data)), model, task, data.validation, data, most=40)
    assert (found.images, found.of) == (40, 90)
    assert found.torch == task.evaluate(model, spread_over(data.validation, 40), data)["accuracy"]


def test_who_stops_stops_it_between_its_parts(data: Data) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    model = lenet(1)
    content = export_onnx(model, genome_of(data))
    with pytest.raises(Stopped):
        measure_exported(content, model, task_for("classification"), data.validation, data, check=stop)
    with pytest.raises(NetworkError):
        measure_exported(b"no file", model, task_for("classification"), data.validation, data)


def test_both_files_of_a_detector_find_what_it_finds() -> None:
    shape, classes = (3, 64, 96), ("disc", "square")
    model = build("tiny-yolov2", len(classes), shape, width=0.05, seed=3).eval()
    with torch.no_grad():  # so that scores differ and boxes overlap
        model.get_submodule("conv9").weight.mul_(8)
        region_of(model).anchors.copy_(torch.tensor([[0.2, 0.3], [0.3, 0.2], [0.4, 0.5], [0.5, 0.4], [0.7, 0.8]]))
    images = torch.randint(0, 256, (6, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    empty = Split(images, [torch.zeros(0, 5)] * 6)
    data = Data("detection", classes, shape, empty, empty, empty, mean, std, "noise")
    truths = []
    for found in detections(model, images, data, threshold=0.3):
        corners = found.corners[::2]  # every other: the rest are inventions, so that no figure is 0 or 1
        centres, sizes = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        truths.append(torch.cat([found.classes[::2, None].float(), centres, sizes], 1))
    data = dataclasses.replace(data, validation=Split(images, truths))
    files = export_onnx(model, genome_of(data)), export_detector(model, genome_of(data))
    measured = measure_exported(files[0], model, task_for("detection"), data.validation, data, boxes=files[1])
    assert measured.metric == "map50"
    assert 0.2 < measured.torch < 1
    assert measured.onnx == pytest.approx(measured.torch, abs=0.03)  # noise: boxes of nearly equal scores change places
    assert measured.boxes == pytest.approx(measured.torch, abs=0.03)
    with pytest.raises(NetworkError, match="all that a device computes"):
        task_for("classification").evaluate_deployed(files[1], data.validation, data)
