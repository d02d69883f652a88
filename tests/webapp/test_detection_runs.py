"""Runs on pictures with boxes: what the form offers and refuses, and mAP@.5 where others say accuracy."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evolution_core.spec import RunSpec
from tests.webapp.factories import make_base, make_box_dataset, make_detection
from webapp.datasets.models import Dataset
from webapp.runs.estimate import training_images
from webapp.runs.forms import RunForm, typed_spec
from webapp.runs.models import BaseFile, Run
from webapp.runs.presets import PRESETS
from webapp.runs.suggestions import ENOUGH, suited

pytestmark = pytest.mark.django_db


@pytest.fixture
def boxes(team: Any) -> Dataset:
    return make_box_dataset(team)


def form_of(team: Any, dataset: Dataset, **changes: Any) -> RunForm:
    spec = PRESETS["balanced"].spec_for("detection")
    return RunForm({**typed_spec(spec), "dataset": dataset.pk, **changes}, team=team)


def test_the_form_begins_with_what_suits_boxes(client_of, eve, boxes):
    answer = client_of(eve).get(f"/runs/new/?dataset={boxes.pk}")
    form = answer.context["form"]
    begun = {name: form[name].value() for name in ("architecture", "width", "epochs", "batch_size", "augmentation")}
    assert begun == {
        "architecture": "tiny-yolov2",
        "width": "0.25",
        "epochs": "280",  # 76 images to learn from: 20,000 are seen
        "batch_size": "16",
        "augmentation": "photo",
    }
    page = answer.content.decode()
    assert 'data-task="detection"' in page
    assert "multiples of 32" in page
    for preset in PRESETS.values():
        told = next(p["values"] for p in answer.context["presets"] if p["preset"] is preset)
        assert json.loads(told["detection"])["augmentation"] == "photo"
        assert json.loads(told["detection"])["optimizer"] == "adamw"
        assert json.loads(told["classification"])["augmentation"] == "none"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_spec_for_boxes(team, boxes, preset):
    form = RunForm({**typed_spec(PRESETS[preset].spec_for("detection")), "dataset": boxes.pk}, team=team)
    assert form.is_valid(), form.errors
    assert form.spec.architecture == "tiny-yolov2"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"architecture": "lenet5"}, "architecture", "is for classification; these data are for detection"),
        ({"input_size": "100"}, "input_size", "needs a multiple of 32 pixels, not 100"),
        ({"input_size": "32"}, "input_size", "at least 64 pixels"),
        ({"width": "0"}, "width", "at least 0.05"),
    ],
)
def test_what_does_not_fit_boxes_is_said_beside_its_field(team, boxes, changes, field, words):
    form = form_of(team, boxes, **changes)
    assert not form.is_valid()
    assert words in form.errors[field][0]


def test_own_networks_are_not_evolved_on_boxes(team, boxes):
    own = make_base(team)
    form = form_of(team, boxes, architecture="own", own=own.sha256)
    assert "Own networks are for classification" in form.errors["architecture"][0]


def test_a_detector_is_refused_on_images_in_folders(team, dataset):
    form = form_of(team, dataset)
    assert "is for detection; these data are for classification" in form.errors["architecture"][0]


def test_one_epoch_passes_over_images_not_boxes(boxes):
    spec = RunSpec()
    assert training_images(spec, boxes) == round(85 * 0.9)  # 15 of 100 images are carved off for the test
    boxes.report["classes"][0] |= {"train": 600, "test": 200, "validation": 0}
    boxes.save()
    assert training_images(spec, boxes) == round(80 * 0.9)


def test_photographs_held_back_by_the_data_themselves_are_not_held_back_twice(boxes):
    boxes.report["classes"][0] |= {"train": 500, "test": 200, "validation": 300}
    boxes.save()
    assert training_images(RunSpec(), boxes) == round(100 * 700 / 1200)
    assert training_images(RunSpec(limit=50), boxes) == round(50 * 0.7)


def test_many_photographs_with_boxes_keep_the_presets_epochs(boxes):
    boxes.report["images"] = 20_000
    boxes.save()
    spec = suited(PRESETS["balanced"].spec_for("detection"), boxes)
    assert (spec.epochs, spec.augmentation) == (20, "flip-shift")
    boxes.report["images"] = 300
    boxes.save()
    quick, usual = (suited(PRESETS[name].spec_for("detection"), boxes) for name in ("quick", "balanced"))
    assert usual.epochs * training_images(usual, boxes) >= ENOUGH
    assert quick.epochs < usual.epochs / 3


DARKNET = struct.pack("<iiiQ", 0, 2, 0, 0) + struct.pack("<8f", *range(8))


def test_darknet_weights_are_taken_in_and_keep_their_ending(client_of, eve, team, dispatched):
    file = SimpleUploadedFile("yolov2-tiny-voc.weights", DARKNET)
    answer = client_of(eve).post("/runs/bases/add/", {"kind": "safetensors", "file": file}, follow=True)
    assert answer.status_code == 200
    base = BaseFile.objects.get()
    assert base.is_darknet
    assert base.file.name == f"bases/{team.pk}/{hashlib.sha256(DARKNET).hexdigest()}.weights"


def test_what_only_calls_itself_darknet_is_refused(client_of, eve, dispatched):
    file = SimpleUploadedFile("evil.weights", b"PK\x03\x04 a zip in disguise")
    page = client_of(eve).post("/runs/bases/add/", {"kind": "safetensors", "file": file}, follow=True)
    assert "not a file of Darknet weights" in page.content.decode()
    assert not BaseFile.objects.exists()


# --- the pages --------------------------------------------------------------------------------


@pytest.fixture
def run(boxes: Dataset) -> Run:
    return make_detection(boxes)


def test_a_runs_page_says_map_everywhere(client_of, vic, run):
    page = client_of(vic).get(f"/runs/{run.pk}/").content.decode()
    assert ">mAP@.5" in page  # the table's heading and the lineage's switch
    assert "62.0 % mAP@.5 on images that no network had seen" in page
    assert "64.0 %</span> mAP@.5" in page  # the log: 1-1 is measured
    words = re.sub(r"<[^>]*>", " ", page.split("<main")[1])
    assert "accuracy" not in words.lower()
    chart = client_of(vic).get(f"/runs/{run.pk}/chart.json").json()
    assert chart["metric"] == "mAP@.5"


def test_the_lineage_file_names_its_figures_by_the_metric(client_of, vic, run):
    networks = {n["id"]: n for n in client_of(vic).get(f"/runs/{run.pk}/lineage.json").json()["networks"]}
    child = networks["1-1"]
    assert (child["validation_map50"], child["shock_map50"], child["test_map50"]) == (0.64, 0.41, 0.62)
    assert not [name for name in child if "accuracy" in name]


def test_a_networks_page_shows_every_measure_of_detection(client_of, vic, run):
    page = client_of(vic).get(f"/runs/{run.pk}/networks/1-1/").content.decode()
    for words in (
        "mAP@.5 on validation",
        "mAP@.5:.95",
        "Precision",
        "Recall",
        "Which classes paid for the size",
        "red",
        "white",
    ):
        assert words in page
    for figure in ("71.0 %", "87.5 %", "62.5 %", ">77<"):  # of the class red
        assert figure in page
    assert "with decoding and suppression" in page
    assert "9.00 ms" in page
