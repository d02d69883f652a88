"""Uploads are looked into by the real engine: accepted with counts and samples, or refused by file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.evolution_core import boxes
from tests.workers.pictures import CLASSES, picture_zip
from webapp.datasets.models import Dataset, DatasetFile
from webapp.runs.models import BaseFile
from workers import inspections, once, orchestrator
from workers.stopping import stopping

pytestmark = pytest.mark.django_db(transaction=True)

Messages = list[tuple[Any, ...]]
State = Dataset.State


def upload(team: Any, content: bytes, name: str = "shapes.zip") -> Dataset:
    dataset = Dataset.objects.create(team=team, name="Shapes")
    file = DatasetFile(dataset=dataset, original_name=name, size=len(content))
    file.file.save(name, ContentFile(content))
    return dataset


def test_pictures_in_class_folders_are_accepted(team: Any, dispatched: Messages) -> None:
    dataset = upload(team, picture_zip(each=6))
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.message, dataset.claimed_by, dataset.attempts) == (State.READY, "", "", 0)
    assert [found["name"] for found in dataset.report["classes"]] == list(CLASSES)
    assert dataset.report["images"] == 18
    samples = dataset.report["samples"]
    assert {sample["class"] for sample in samples} == set(CLASSES)
    assert default_storage.open(samples[0]["file"]).read(8) == b"\x89PNG\r\n\x1a\n"


def test_a_broken_picture_is_refused_by_name(team: Any, dispatched: Messages) -> None:
    content = picture_zip(each=6, **{"shapes/circles/broken.jpg": b"this is no picture"})
    dataset = upload(team, content)
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == State.REFUSED
    assert "broken.jpg" in dataset.message
    assert any("broken.jpg" in problem["file"] for problem in dataset.report["problems"])


def test_what_is_no_zip_at_all_is_refused(team: Any, dispatched: Messages) -> None:
    dataset = upload(team, b"MZ\x90\x00" * 100)
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == State.REFUSED
    assert dataset.message


@pytest.mark.parametrize(("form", "said"), [("voc", "Pascal VOC"), ("coco", "COCO"), ("yolo", "YOLO")])
def test_zips_of_pictures_with_boxes_are_accepted(
    form: str, said: str, team: Any, dispatched: Messages, tmp_path: Path
) -> None:
    entries = boxes.FORMATS[form](boxes.scenes(12))
    dataset = upload(team, boxes.zipped(tmp_path / "set.zip", entries).read_bytes())
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.task, dataset.message) == (State.READY, "detection", "")
    assert [found["name"] for found in dataset.report["classes"]] == ["disc", "square"]
    about = dataset.report["boxes"]
    assert (about["format"], about["count"], about["left_out"]) == (said, 18, 0)
    assert sum(about["sides"]) == 18
    sample = dataset.report["samples"][0]
    assert sample["name"].endswith("p0.png")
    assert default_storage.open(sample["file"]).read(8) == b"\x89PNG\r\n\x1a\n"


def test_boxes_that_cannot_be_used_are_asked_about(team: Any, dispatched: Messages, run: Any, tmp_path: Path) -> None:
    scenes = boxes.scenes(12)
    scenes[3].append((0, 20.0, 10.0, 20.0, 30.0))  # no width
    dataset = upload(team, boxes.zipped(tmp_path / "set.zip", boxes.voc(scenes)).read_bytes())
    type(run).objects.update(dataset=dataset)
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.accepted_at) == (State.ASKING, None)
    assert dataset.report["boxes"]["left_out"] == 1
    assert any("p3.xml" in row["file"] and "no area" in row["note"] for row in dataset.report["notes"])
    orchestrator.advance(run.pk)
    run.refresh_from_db()
    assert run.state == "queued"
    assert not run.networks.exists()
    assert dataset.accept(None)
    orchestrator.advance(run.pk)
    assert run.networks.get().name == "ancestor"


HOSTILE = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><annotation><filename>&b;</filename></annotation>"


@pytest.mark.parametrize("content", [HOSTILE, "<annotation><object>", "not XML at all"])
def test_a_broken_annotation_is_refused_by_name(content: str, team: Any, dispatched: Messages, tmp_path: Path) -> None:
    entries = {**boxes.voc(boxes.scenes(8)), "Set/Annotations/p5.xml": content}
    dataset = upload(team, boxes.zipped(tmp_path / "set.zip", entries).read_bytes())
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == State.REFUSED
    assert "p5.xml" in dataset.message
    assert "root:" not in str(dataset.report)


def test_runs_that_waited_for_the_data_are_advanced(team: Any, dispatched: Messages, run: Any) -> None:
    dataset = upload(team, picture_zip(each=4))
    type(run).objects.update(dataset=dataset)
    inspections.inspect_dataset(dataset.pk)
    assert dispatched == [("workers.advance", run.pk)]


def test_an_inspection_happens_once(team: Any, dispatched: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = upload(team, picture_zip(each=4))
    Dataset.objects.update(state=State.INSPECTING, claimed_by="another")
    monkeypatch.setattr(inspections, "_inspect", lambda *_: pytest.fail("it must not be inspected twice"))
    inspections.inspect_dataset(dataset.pk)


def test_a_stopping_worker_hands_the_inspection_back(team: Any, dispatched: Messages) -> None:
    dataset = upload(team, picture_zip(each=4))
    stopping.set()
    try:
        inspections.inspect_dataset(dataset.pk)
    finally:
        stopping.clear()
    dataset.refresh_from_db()
    assert (dataset.state, dataset.claimed_by, dataset.attempts) == (State.UPLOADED, "", 0)


def test_a_file_that_is_gone_from_storage_is_named(team: Any, dispatched: Messages) -> None:
    dataset = upload(team, picture_zip(each=6))
    stored = dataset.files.get().file
    stored.storage.delete(stored.name)
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == State.REFUSED  # and can be inspected again, once it is back
    assert dataset.message.startswith(f"shapes.zip is gone from the server's storage ({stored.name})")


def test_data_that_are_deleted_meanwhile_are_no_error(
    team: Any, dispatched: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset.objects.create(team=team, name="Short")

    def read(*_: Any) -> None:
        Dataset.objects.all().delete()
        raise OSError("its files are gone")

    monkeypatch.setattr(inspections, "_inspect", read)
    inspections.inspect_dataset(dataset.pk)
    assert not Dataset.objects.exists()


def test_a_bug_is_ours_and_can_be_retried(team: Any, dispatched: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = upload(team, picture_zip(each=4))
    monkeypatch.setattr(inspections, "_inspect", lambda *_: 1 / 0)
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.message) == (State.ERRORED, once.BUG)


def bring(team: Any, kind: str, content: bytes) -> BaseFile:
    brought = BaseFile(team=team, kind=kind, original_name=f"mine.{kind}", sha256="a" * 64, size=len(content))
    brought.file.save("mine", ContentFile(content))
    return brought


def test_own_weights_are_counted(team: Any, dispatched: Messages) -> None:
    import numpy as np
    from safetensors.numpy import save

    content = save({"conv1.weight": np.zeros((4, 1, 3, 3), np.float32), "conv1.bias": np.zeros(4, np.float32)})
    brought = bring(team, BaseFile.Kind.WEIGHTS, content)
    inspections.inspect_base(brought.pk)
    brought.refresh_from_db()
    assert brought.state == BaseFile.State.READY
    assert brought.summary == {"parameters": 40, "tensors": 2}


def test_an_own_network_is_traced(team: Any, dispatched: Messages, tmp_path: Path) -> None:
    from evolution_core.architectures import build
    from evolution_core.export import export_onnx

    model = build("lenet5", 10, (1, 28, 28))
    content = export_onnx(model.eval(), (1, 28, 28), tmp_path / "mine.onnx")
    brought = bring(team, BaseFile.Kind.ONNX, content)
    inspections.inspect_base(brought.pk)
    brought.refresh_from_db()
    assert (brought.state, brought.message) == (BaseFile.State.READY, "")
    assert brought.summary == {"inputs": [1, 28, 28], "outputs": 10, "parameters": 431_080, "layers": 4}


def darknet(tmp_path: Path) -> bytes:
    from evolution_core.architectures import build
    from tests.evolution_core.darknet import written

    return written(tmp_path / "net.weights", build("tiny-yolov2", 2, (3, 64, 64), width=0.05)).read_bytes()


def bring_darknet(team: Any, content: bytes) -> BaseFile:
    brought = BaseFile(team=team, kind=BaseFile.Kind.WEIGHTS, original_name="v2.weights", sha256="b" * 64)
    brought.file.save("v2.weights", ContentFile(content))
    return brought


def test_darknets_own_weights_are_counted(team: Any, dispatched: Messages, tmp_path: Path) -> None:
    content = darknet(tmp_path)
    brought = bring_darknet(team, content)
    inspections.inspect_base(brought.pk)
    brought.refresh_from_db()
    assert (brought.state, brought.message) == (BaseFile.State.READY, "")
    assert brought.summary == {"parameters": (len(content) - 20) // 4}


def test_darknet_weights_that_are_cut_off_are_refused(team: Any, dispatched: Messages, tmp_path: Path) -> None:
    brought = bring_darknet(team, darknet(tmp_path)[:-3])
    inspections.inspect_base(brought.pk)
    brought.refresh_from_db()
    assert brought.state == BaseFile.State.REFUSED
    assert "cut off" in brought.message


@pytest.mark.parametrize("kind", [BaseFile.Kind.ONNX, BaseFile.Kind.WEIGHTS])
def test_a_file_of_another_kind_is_refused(team: Any, dispatched: Messages, kind: str) -> None:
    brought = bring(team, kind, b"nothing of the kind" * 10)
    inspections.inspect_base(brought.pk)
    brought.refresh_from_db()
    assert brought.state == BaseFile.State.REFUSED
    assert brought.message
