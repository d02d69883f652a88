"""Data sets of pictures with boxes: what their page says, and the yes that some of them need."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.factories import make_box_dataset
from webapp.datasets.models import Dataset
from webapp.runs.models import Run

pytestmark = pytest.mark.django_db

NOTES = [{"file": "Annotations/00338.xml", "note": "has a box of no area: (354, 158, 354, 264)"}]


@pytest.fixture
def boxes(team: Any) -> Dataset:
    return make_box_dataset(team)


@pytest.fixture
def asking(team: Any) -> Dataset:
    return make_box_dataset(team, state="asking", left_out=2, notes=NOTES)


def test_the_page_shows_boxes_by_class_and_size(client_of, vic, boxes):
    page = client_of(vic).get(f"/datasets/{boxes.pk}/").content.decode()
    for words in ("Pascal VOC", "1,200", "boxes", "Boxes of each class", "Sizes of boxes", "10 to 20 %", "22.0 %"):
        assert words in page
    assert "with their boxes" in page
    assert "left out" not in page


def test_one_that_asks_says_what_is_wrong_by_file_and_offers_no_run(client_of, eve, vic, asking):
    page = client_of(eve).get(f"/datasets/{asking.pk}/").content.decode()
    for words in ("2 boxes cannot be used", "the rest is usable if you agree", "Annotations/00338.xml", "no area"):
        assert words in page
    assert "New run with this data" not in page
    assert f'action="/datasets/{asking.pk}/accept/"' in page
    assert "Needs your yes" in client_of(eve).get("/datasets/").content.decode()
    looking = client_of(vic).get(f"/datasets/{asking.pk}/").content.decode()
    assert "/accept/" not in looking
    assert "an editor of the team can do" in looking
    assert "Needs a yes" in looking  # not hers to give


def test_no_run_begins_on_data_that_ask(client_of, eve, asking, dispatched):
    answer = client_of(eve).post("/runs/new/", {"dataset": asking.pk, "architecture": "tiny-yolov2"})
    assert answer.status_code == 422
    assert not Run.objects.exists()
    page = client_of(eve).get("/runs/new/")
    assert "First, some images" in page.content.decode()
    assert not page.context["form"].fields["dataset"].queryset.exists()


def test_a_yes_makes_it_ready_and_tells_the_runs_that_wait(
    client_of, eve, asking, dispatched, django_capture_on_commit_callbacks
):
    waiting = Run.objects.create(team=asking.team, dataset=asking, name="Waits", spec={})
    with django_capture_on_commit_callbacks(execute=True):
        client_of(eve).post(f"/datasets/{asking.pk}/accept/")
    asking.refresh_from_db()
    assert (asking.state, asking.accepted_by) == ("ready", eve)
    assert asking.accepted_at is not None
    assert dispatched == [("workers.advance", waiting.pk)]
    page = client_of(eve).get(f"/datasets/{asking.pk}/").content.decode()
    assert "New run with this data" in page
    assert "Agreed to by Eve" in page


@pytest.mark.parametrize("state", ["uploaded", "inspecting", "refused", "errored", "ready"])
def test_only_one_that_asks_is_agreed_to(client_of, eve, asking, dispatched, state):
    Dataset.objects.update(state=state)
    client_of(eve).post(f"/datasets/{asking.pk}/accept/")
    asking.refresh_from_db()
    assert (asking.state, asking.accepted_at) == (state, None)
    assert dispatched == []


def test_viewers_and_other_teams_cannot_agree(client_of, vic, olga, asking):
    assert client_of(vic).post(f"/datasets/{asking.pk}/accept/").status_code == 403
    assert client_of(olga).post(f"/datasets/{asking.pk}/accept/").status_code == 404
    asking.refresh_from_db()
    assert asking.state == "asking"


def test_the_upload_page_says_which_box_formats_are_read(client_of, eve):
    page = client_of(eve).get("/datasets/new/").content.decode()
    for words in ("Pascal VOC", "COCO", "YOLO", "data.yaml"):
        assert words in page


def test_a_class_that_is_rare_among_boxes_is_told_as_such(client_of, vic, boxes):
    boxes.report["classes"][1] = {"name": "white", "train": 3, "validation": 0, "test": 0}
    boxes.save()
    page = client_of(vic).get(f"/datasets/{boxes.pk}/").content.decode()
    assert "white only 3" in page
    assert "1,000 boxes" in page
    assert "look apart at how well it finds the rare class" in page
