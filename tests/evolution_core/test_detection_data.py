"""Pictures with boxes: three formats, one canonical form, and everything that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evolution_core.data import Inspection, inspect, load
from evolution_core.data.detection import annotations
from evolution_core.data.detection.annotations import part_of, part_of_document
from evolution_core.data.detection.yolo import yaml_names
from evolution_core.spec import DataError, RunSpec
from tests.evolution_core.boxes import (
    CLASSES,
    FORMATS,
    HEIGHT,
    WIDTH,
    Scene,
    coco,
    coco_json,
    picture,
    scenes,
    voc,
    voc_xml,
    yolo,
    yolo_text,
    zipped,
)

SPEC = RunSpec(architecture="tiny-yolov2", input_size=64, seed=3)


def found(path: Path, entries: dict[str, bytes | str]) -> Inspection:
    return inspect(zipped(path / "boxes.zip", entries))


def notes(inspection: Inspection) -> str:
    assert not inspection.problems
    return "\n".join(f"{file}: {sentence}" for file, sentence in inspection.notes)


def problems(inspection: Inspection) -> str:
    assert inspection.fatal
    return "\n".join(f"{file}: {sentence}" for file, sentence in inspection.problems)


@pytest.mark.parametrize("name", FORMATS)
def test_three_formats_give_one_form(name: str, tmp_path: Path) -> None:
    listed = scenes(12)
    source = zipped(tmp_path / "boxes.zip", FORMATS[name](listed))
    inspection = inspect(source)
    assert not inspection.problems
    assert inspection.task == "detection"
    assert inspection.images == 12
    assert [count.name for count in inspection.classes] == list(CLASSES)
    assert sum(count.images for count in inspection.classes) == sum(len(scene) for scene in listed)
    data = load(source, spec=SPEC, inspection=inspection)
    assert data.shape == (3, 64, 64)
    everything = [*data.train.targets, *data.validation.targets, *data.test.targets]
    assert len(everything) == 12
    assert min(len(data.train), len(data.validation), len(data.test)) > 0
    wanted = torch.tensor(
        sorted(
            [label, (a + c) / 2 / WIDTH, (b + d) / 2 / HEIGHT, (c - a) / WIDTH, (d - b) / HEIGHT]
            for scene in listed
            for label, a, b, c, d in scene
        )
    )
    assert torch.allclose(torch.tensor(sorted(torch.cat(everything).tolist())), wanted, atol=1e-5)
    for boxes in everything:
        assert boxes.dtype == torch.float32
        assert boxes.shape[1] == 5


def test_boxes_lie_on_what_they_name(tmp_path: Path) -> None:
    """The pictures are squashed to a square; the colours under the boxes' middles tell the class."""
    source = zipped(tmp_path / "boxes.zip", voc(scenes(10)))
    data = load(source, spec=SPEC)
    for image, boxes in zip(data.train.images, data.train.targets, strict=True):
        for label, x, y, *_ in boxes.tolist():
            red, _, blue = image[:, int(y * 64), int(x * 64)].tolist()
            assert (red > blue) == (label == 0)


def test_the_same_source_and_seed_give_the_same_parts(tmp_path: Path) -> None:
    source = zipped(tmp_path / "boxes.zip", coco(scenes(20)))
    first, second = (load(source, spec=SPEC, cache=tmp_path / f"cache{k}") for k in range(2))
    again = load(source, spec=SPEC, cache=tmp_path / "cache0")
    other = load(source, spec=RunSpec(architecture="tiny-yolov2", input_size=64, seed=4))
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.train.images, again.train.images)
    assert not torch.equal(first.train.images, other.train.images)
    assert all(torch.equal(a, b) for a, b in zip(first.test.targets, again.test.targets, strict=True))


def test_image_sets_tell_the_parts(tmp_path: Path) -> None:
    lists = {"train": [0, 1, 2, 3, 4, 5], "val": [6, 7], "test": [8, 9], "trainval": [0, 6]}
    source = zipped(tmp_path / "boxes.zip", voc(scenes(10), lists))
    data = load(source, spec=SPEC)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 2)


def test_folders_and_documents_tell_the_parts(tmp_path: Path) -> None:
    listed = scenes(12)
    entries: dict[str, bytes | str] = {}
    for part, start, stop in (("train", 0, 8), ("valid", 8, 10), ("test", 10, 12)):
        entries[f"{part}/_annotations.coco.json"] = json.dumps(coco_json(listed[start:stop], start))
        entries |= {f"{part}/p{k}.png": picture(listed[k]) for k in range(start, stop)}
    source = zipped(tmp_path / "boxes.zip", entries)
    data = load(source, spec=SPEC)
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 2, 2)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("train/images/a.png", 0),
        ("images/val2017/a.png", 1),
        ("photos/a.png", None),
        ("training-data/a.png", 0),
        ("test/images/train_0.jpg", 2),
        ("images/crash-test-dummy.jpg", None),
        ("validation.png", None),
    ],
)
def test_folders_tell_parts_and_names_of_pictures_do_not(path: str, part: int | None) -> None:
    assert part_of(path) == part


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("annotations/instances_val2017.json", 1),
        ("test/_annotations.coco.json", 2),
        ("train/instances_test.json", 2),
        ("annotations/instances.json", None),
    ],
)
def test_the_names_of_documents_tell_parts(path: str, part: int | None) -> None:
    assert part_of_document(path) == part


@pytest.mark.parametrize("name", ["voc", "yolo", "coco"])
def test_no_test_picture_trains_because_of_its_name(name: str, tmp_path: Path) -> None:
    """Three test pictures that are called train_0 to train_2."""
    entries: dict[str, bytes | str] = {"data.yaml": "names: [disc, square]\n"} if name == "yolo" else {}
    listed = scenes(24)
    described = coco_json(listed)
    for index, scene in enumerate(listed):
        part = ("train", "valid", "test")[index // 8]
        own = f"train_{index}" if index >= 21 else f"p{index}"
        entries[f"{part}/images/{own}.png"] = picture(scene)
        described["images"][index]["file_name"] = f"{part}/images/{own}.png"
        if name == "voc":
            entries[f"{part}/labels/{own}.xml"] = voc_xml(f"{own}.png", scene)
        elif name == "yolo":
            entries[f"{part}/labels/{own}.txt"] = yolo_text(scene)
    if name == "coco":
        entries["annotations.json"] = json.dumps(described)
    data = load(zipped(tmp_path / "boxes.zip", entries), spec=SPEC)
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 8, 8)


def test_a_store_of_another_reading_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that has learnt better orders the pictures anew; each box must lie on its own picture all the same."""
    source, cache = zipped(tmp_path / "boxes.zip", voc(scenes(10))), tmp_path / "cache"
    with monkeypatch.context() as earlier:
        earlier.setattr(annotations, "natural", lambda name: [-ord(letter) for letter in name])
        load(source, spec=SPEC, cache=cache)
    again, fresh = load(source, spec=SPEC, cache=cache), load(source, spec=SPEC)
    assert torch.equal(again.train.images, fresh.train.images)
    assert torch.equal(again.test.images, fresh.test.images)


def test_previews_have_boxes_drawn(tmp_path: Path) -> None:
    import io

    inspection = found(tmp_path, voc(scenes(8)))
    assert 4 <= len(inspection.samples) <= 8
    for sample in inspection.samples:
        assert sample.class_name in CLASSES
        shown = np.asarray(Image.open(io.BytesIO(sample.png)).convert("RGB")).reshape(-1, 3)
        assert any((shown == colour).all(1).any() for colour in ([0xE4, 0x57, 0x2E], [0x17, 0xBE, 0xBB]))


def test_statistics_of_boxes(tmp_path: Path) -> None:
    inspection = found(tmp_path, yolo(scenes(10)))
    assert inspection.boxes is not None
    assert inspection.boxes["count"] == 15
    assert inspection.boxes["most_in_an_image"] == 2
    assert sum(inspection.boxes["sides"]) == 15
    assert 0.2 < inspection.boxes["median_side"] < 0.4
    assert set(inspection.boxes["classes"]) == set(CLASSES)
    assert Inspection.from_json(json.loads(json.dumps(inspection.to_json()))).boxes == inspection.boxes


# --- what cannot be used, file by file ---------------------------------------------------------------------------

GOOD: Scene = [(0, 10, 10, 30, 30)]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 20, 20, 20, 20), "no area"),
        ((0, 30, 10, 20, 40), "no area"),
        ((0, 100, 10, 140, 40), "outside the image"),
        ((0, -50, -50, -10, -10), "outside the image"),
        ((0, float("nan"), 1, 20, 20), "numbers that are none"),
        ((0, float("inf"), 1, 20, 20), "numbers that are none"),
    ],
)
def test_a_box_that_cannot_be_used_is_left_out_by_file(box, words: str, tmp_path: Path) -> None:
    listed = scenes(10)
    listed[4] = [*GOOD, box]
    inspection = found(tmp_path, voc(listed))
    assert "Set/Annotations/p4.xml: has a box" in notes(inspection)
    assert words in notes(inspection)
    assert inspection.boxes is not None
    assert inspection.boxes["left_out"] == 1
    data = load(tmp_path / "boxes.zip", spec=SPEC, inspection=inspection)
    assert sum(len(boxes) for part in (data.train, data.validation, data.test) for boxes in part.targets) == 15


def test_a_box_that_sticks_out_is_cut_off(tmp_path: Path) -> None:
    listed = scenes(10)
    listed[0] = [(0, -20, 10, 20, 40)]
    inspection = found(tmp_path, voc(listed))
    assert "p0.xml: has a box that sticks out" in notes(inspection)
    data = load(tmp_path / "boxes.zip", spec=SPEC, inspection=inspection)
    everything = torch.cat([*data.train.targets, *data.validation.targets, *data.test.targets])
    assert (everything[:, 1] - everything[:, 3] / 2 >= -1e-6).all()
    assert any(torch.allclose(row, torch.tensor([0, 0.125, 25 / 60, 0.25, 0.5])) for row in everything)


def test_rounding_over_the_edge_is_no_news(tmp_path: Path) -> None:
    listed = scenes(10)
    listed[0] = [(0, 10, 10, WIDTH + 0.5, HEIGHT)]
    assert notes(found(tmp_path, voc(listed))) == ""


def test_an_unknown_class_and_a_missing_picture(tmp_path: Path) -> None:
    entries = coco(scenes(10))
    document = json.loads(entries["annotations/instances.json"])
    document["annotations"].append({"id": 99, "image_id": 0, "category_id": 77, "bbox": [1, 1, 9, 9]})
    document["images"].append({"id": 50, "file_name": "gone.png", "width": 80, "height": 60})
    document["annotations"].append({"id": 98, "image_id": 50, "category_id": 3, "bbox": [1, 1, 9, 9]})
    document["annotations"].append({"id": 97, "image_id": 1234, "category_id": 3, "bbox": [1, 1, 9, 9]})
    document["annotations"].append({"id": 96, "image_id": 1, "category_id": 3, "bbox": [1, 1, 9, 9], "iscrowd": 1})
    entries["annotations/instances.json"] = json.dumps(document)
    inspection = found(tmp_path, entries)
    text = notes(inspection)
    assert "unknown class '77'" in text
    assert "'gone.png', which is not there" in text
    assert "1 boxes of pictures that it does not list" in text
    assert "1 crowd regions" in text
    assert "'never'" in text
    assert sum(count.images for count in inspection.classes) == 15


def test_yolo_numbers_beyond_the_list(tmp_path: Path) -> None:
    entries = yolo(scenes(10))
    entries["labels/train/p3.txt"] = yolo_text(GOOD) + "7 0.5 0.5 0.1 0.1\n"
    assert "labels/train/p3.txt: has a box of the unknown class '7'" in notes(found(tmp_path, entries))


def test_yolo_without_names_calls_classes_by_number(tmp_path: Path) -> None:
    entries = yolo(scenes(10))
    del entries["data.yaml"]
    inspection = found(tmp_path, entries)
    assert [count.name for count in inspection.classes] == ["0", "1"]
    assert "called by number" in notes(inspection)


def test_a_picture_without_objects_is_an_example_too(tmp_path: Path) -> None:
    entries = yolo(scenes(10))
    entries["images/train/empty.png"] = picture([])
    inspection = found(tmp_path, entries)
    assert inspection.images == 11
    assert inspection.boxes is not None
    assert inspection.boxes["images_without"] == 1


def test_outlines_become_boxes(tmp_path: Path) -> None:
    entries = yolo(scenes(10))
    entries["labels/train/p0.txt"] = "0 0.1 0.2 0.5 0.2 0.3 0.6\n"
    source = zipped(tmp_path / "boxes.zip", entries)
    data = load(source, spec=SPEC)
    everything = torch.cat([*data.train.targets, *data.validation.targets, *data.test.targets])
    assert any(torch.allclose(row, torch.tensor([0, 0.3, 0.4, 0.4, 0.4])) for row in everything)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<annotation><object></annot", "no readable XML"),
        ("<html></html>", "no annotation of Pascal VOC"),
        ("<annotation><object><name>disc</name></object></annotation>", "without a box"),
        (voc_xml("p3.png", GOOD).replace("<size><width>80</width><height>60</height></size>", ""), "picture's size"),
        ('<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>', "entities"),
    ],
)
def test_a_broken_xml_file_is_refused_by_name(content: str, words: str, tmp_path: Path) -> None:
    entries = voc(scenes(10))
    entries["Set/Annotations/p3.xml"] = content
    text = problems(found(tmp_path, entries))
    assert "Set/Annotations/p3.xml: " in text
    assert words in text
    with pytest.raises(DataError, match=r"p3\.xml"):
        load(tmp_path / "boxes.zip", spec=SPEC)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: json.dumps(value)[:-200], "no readable JSON"),
        (lambda value: json.dumps(value | {"annotations": {}}), "no list 'annotations'"),
        (lambda value: json.dumps(value | {"images": ["p0.png"]}), "other things than objects"),
        (lambda value: json.dumps(value | {"images": value["images"] * 2}), "two images of the number 0"),
        (lambda value: json.dumps(value | {"categories": [{"id": 3}]}), "without number or name"),
        (
            lambda value: json.dumps(value | {"annotations": [{"image_id": 0, "category_id": 3, "bbox": [1, 2]}]}),
            "four numbers",
        ),
        (lambda value: '{"annotations": ' + "[" * 100_000, "no readable JSON"),
    ],
)
def test_a_broken_json_file_is_refused_by_name(change, words: str, tmp_path: Path) -> None:
    entries = coco(scenes(10))
    entries["annotations/instances.json"] = change(coco_json(scenes(10)))
    text = problems(found(tmp_path, entries))
    assert "annotations/instances.json: " in text
    assert words in text


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5 0.1",
        "disc 0.5 0.5 0.1 0.1",
        "-1 0.5 0.5 0.1 0.1",
        "0.5 0.5 0.5 0.1 0.1",
        "inf 0.5 0.5 0.1 0.1",
        "-inf 0.5 0.5 0.1 0.1",
    ],
)
def test_a_broken_text_file_is_refused_by_name_and_line(line: str, tmp_path: Path) -> None:
    entries = yolo(scenes(10))
    entries["labels/train/p3.txt"] = f"0 0.5 0.5 0.1 0.1\n{line}\n"
    assert "labels/train/p3.txt: line 2" in problems(found(tmp_path, entries))


def test_a_broken_picture_is_refused_by_name(tmp_path: Path) -> None:
    entries = voc(scenes(10))
    entries["Set/JPEGImages/p2.png"] = entries["Set/JPEGImages/p2.png"][:50]
    assert "Set/JPEGImages/p2.png: " in problems(found(tmp_path, entries))


def test_no_usable_box_at_all(tmp_path: Path) -> None:
    assert "no box that can be used" in problems(found(tmp_path, voc([[(0, 5, 5, 5, 5)]] * 10)))


def test_a_class_that_is_never_trained(tmp_path: Path) -> None:
    listed: list[Scene] = [GOOD] * 9 + [[(1, 10, 10, 30, 30)]]
    lists = {"train": list(range(8)), "val": [8], "test": [9]}
    assert "'square' has no boxes in the training part" in problems(found(tmp_path, voc(listed, lists)))


def test_two_annotations_of_one_picture(tmp_path: Path) -> None:
    entries = voc(scenes(10))
    entries["Set/Annotations/copy.xml"] = voc_xml("p3.png", GOOD)
    assert "speaks of the same picture" in problems(found(tmp_path, entries))


def test_class_folders_are_still_class_folders(tmp_path: Path) -> None:
    entries: dict[str, bytes | str] = {"readme.txt": "pictures", "classes.txt": "a\nb\n"}
    for name in "ab":
        entries |= {f"{name}/{k}.png": picture(GOOD) for k in range(5)}
    inspection = inspect(zipped(tmp_path / "folders.zip", entries))
    assert inspection.task == "classification"
    assert not inspection.problems


def test_hostile_archives_meet_the_same_rules(tmp_path: Path) -> None:
    entries = voc(scenes(10)) | {"../evil.xml": "<annotation/>"}
    assert "leads out of the archive" in problems(found(tmp_path, entries))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [a, 'b c', \"d\"]", ["a", "b c", "d"]),
        ("nc: 2\nnames:\n- a\n- b  # second\nother: 1", ["a", "b"]),
        ("names:\n  0: a\n  1: 'b'\n", ["a", "b"]),
        ("names: {0: a, 1: b}", ["a", "b"]),
        ("names: ['a',\n  'b']", ["a", "b"]),
        ("nc: 2", None),
        ("names: [a", None),
        ("names:\n  x: a\n", None),
    ],
)
def test_names_in_a_yaml_file(text: str, names: list[str] | None) -> None:
    found = yaml_names(text)
    assert found == (None if names is None else {str(index): name for index, name in enumerate(names)})
