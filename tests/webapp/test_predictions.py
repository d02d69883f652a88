"""What a detector finds in pictures, on its page and under a share link; who sees the pictures, and who does not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.webapp.factories import JPEG, make_box_dataset, make_detection
from webapp.networks.models import Network
from webapp.networks.predictions import Choice, index_name, picture_name
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(team: Any) -> Run:
    return make_detection(make_box_dataset(team))


def page(client: Any, run: Run, name: str = "1-1", query: str = "") -> str:
    return client.get(f"/runs/{run.pk}/networks/{name}/{query}").content.decode()


def files(text: str) -> list[str]:
    return re.findall(r'<h3 class="mono">cells/(\d+)\.jpg</h3>', text)


def test_ancestor_and_offspring_stand_side_by_side(client_of, vic, run):
    text = page(client_of(vic), run)
    assert files(text) == ["000", "001", "002", "003", "004", "005"]
    assert text.count('aria-label="Boxes of ancestor') == 6
    assert text.count('aria-label="Boxes of 1-1') == 6
    assert "finds 1 of 1, 1 wrong" in text  # picture 5 of the offspring
    assert f'href="/runs/{run.pk}/pictures/5.jpg"' in text
    assert "red 90 %" in text
    assert '<rect class="truth" x="40.0" y="60.0" width="80.0" height="90.0"/>' in text
    alone = page(client_of(vic), run, "ancestor")
    assert 'aria-label="Boxes of 1-1' not in alone
    assert alone.count('aria-label="Boxes of ancestor') == 6


def test_boxes_are_a_list_too_and_need_no_inline_style(client_of, vic, run):
    text = page(client_of(vic), run)
    assert "at 40, 60; 80 × 90 pixels" in text
    assert " style=" not in text
    assert "<script>" not in text


def test_the_threshold_hides_what_is_less_sure(client_of, vic, run):
    client = client_of(vic)
    faint = '<g class="box c0 below" data-score="0.1000">'
    assert faint in page(client, run)
    assert faint not in page(client, run, query="?threshold=0.05")
    high = page(client, run, query="?threshold=0.95")
    assert 'class="box c0 below" data-score="0.9000"' in high
    assert "95 %</output>" in high


def test_the_worst_come_first_on_request_and_pages_keep_the_choice(client_of, vic, run):
    client = client_of(vic)
    text = page(client, run, query="?order=worst&threshold=0.3")
    assert files(text) == ["007", "005", "000", "001", "002", "003"]
    assert "finds 0 of 1" in text
    assert 'href="?shown=2&amp;order=worst&amp;threshold=0.3#predictions"' in text
    assert files(page(client, run, query="?shown=2&order=worst")) == ["004", "006"]
    assert files(page(client, run, query="?shown=2")) == ["006", "007"]
    assert files(page(client, run, query="?shown=99")) == ["006", "007"]


@pytest.mark.parametrize(
    "query", ["shown=-1", "shown=x", "shown=9" * 9, "threshold=nan", "threshold=7", "order=--", "shown=²"]
)
def test_nonsense_in_the_address_is_the_default(client_of, vic, run, query):
    text = page(client_of(vic), run, query=f"?{query}")
    assert len(files(text)) in (2, 6)
    assert "25 %</output>" in text


def test_addresses_hold_only_what_differs_from_the_default():
    assert Choice().query() == "?#predictions"
    assert (
        Choice.read({"shown": "2", "threshold": "0.5"}).query(worst=True)
        == "?shown=2&order=worst&threshold=0.5#predictions"
    )


def test_a_share_link_shows_the_same_read_only(client, run, ada):
    link = ShareLink.objects.create(run=run, created_by=ada)
    assert 'id="predictions"' not in client.get(f"/s/{link.token}/networks/1-1/").content.decode()
    assert client.get(f"/s/{link.token}/pictures/0.jpg").status_code == 404  # unless whoever made it allowed it
    ShareLink.objects.update(shows_images=True)
    text = client.get(f"/s/{link.token}/networks/1-1/").content.decode()
    assert files(text)[:1] == ["000"]
    assert f'href="/s/{link.token}/pictures/0.jpg"' in text
    assert f"/runs/{run.pk}/" not in text
    answer = client.get(f"/s/{link.token}/pictures/0.jpg")
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, JPEG, "image/jpeg")
    assert "noindex" in answer["X-Robots-Tag"]
    assert client.get(f"/s/{link.token}/pictures/99.jpg").status_code == 404
    ShareLink.objects.update(revoked_at=run.created_at)
    assert client.get(f"/s/{link.token}/pictures/0.jpg").status_code == 410
    assert client.get("/s/nothing-like-it/pictures/0.jpg").status_code == 404


def test_pictures_are_the_teams_alone(client, client_of, vic, olga, run):
    address = f"/runs/{run.pk}/pictures/0.jpg"
    answer = client_of(vic).get(address)
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, JPEG, "image/jpeg")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert client_of(vic).get(f"/runs/{run.pk}/pictures/8.jpg").status_code == 404
    assert client_of(olga).get(address).status_code == 404
    assert client.get(address).status_code == 302


def test_stored_words_are_only_words(client_of, vic, run):
    name = index_name(run.pk)
    with default_storage.open(name) as file:
        hostile = file.read().replace(b"cells/000.jpg", b"<script>alert(1)</script>")
    default_storage.delete(name)
    default_storage.save(name, ContentFile(hostile))
    text = page(client_of(vic), run)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.parametrize("lost", ["index", "own", "damaged"])
def test_a_page_opens_without_its_predictions(client_of, vic, run, lost):
    network = run.networks.get(name="1-1")
    if lost == "index":
        default_storage.delete(index_name(run.pk))
    else:
        default_storage.delete(network.predictions.name)
    if lost == "damaged":
        default_storage.save(network.predictions.name, ContentFile(b'{"images": '))
    text = page(client_of(vic), run)
    assert 'id="predictions"' not in text
    assert "mAP@.5" in text


def test_a_classifiers_page_has_none(client_of, vic, team, dataset):
    from tests.webapp.factories import make_evolution

    plain = make_evolution(team, dataset, finished=True)
    assert 'id="predictions"' not in page(client_of(vic), plain, "5-2")


def test_the_form_with_boxes_is_offered_once_it_is_made(client_of, vic, olga, run):
    network = run.networks.get(name="1-1")
    assert "ONNX with boxes" in page(client_of(vic), run)
    address = f"/runs/{run.pk}/networks/1-1/onnx-nms"
    assert client_of(vic).get(address).status_code == 404
    stored = default_storage.save("runs/x.nms.onnx", ContentFile(b"\x08\x08boxes"))
    Network.objects.filter(pk=network.pk).update(
        onnx=stored, onnx_nms=stored, onnx_nms_sha256="cd" * 32, onnx_state="ready"
    )
    assert f'href="{address}"' in page(client_of(vic), run)
    answer = client_of(vic).get(address)
    assert b"".join(answer.streaming_content) == b"\x08\x08boxes"
    assert answer["ETag"] == f'"{"cd" * 32}"'
    assert 'filename="cells-smaller-1-1.nms.onnx"' in answer["Content-Disposition"]
    assert client_of(olga).get(address).status_code == 404


def test_the_snippets_are_those_of_a_detector(client_of, vic, run):
    text = page(client_of(vic), run)
    assert "score_threshold" in text
    assert "region_of" in text
    for name in ("torch", "onnx"):
        assert f'id="snippet-{name}"' in text


def test_pictures_lie_below_their_run():
    assert picture_name(7, 3) == "runs/7/pictures/3.jpg"


def test_words_give_way_to_those_of_surer_boxes_and_stay_in_the_picture(client_of, vic, run):
    name = run.networks.get(name="1-1").predictions.name
    with default_storage.open(name) as file:
        stored = json.load(file)
    stored["images"][0]["found"] = [
        [0, 0.50, 0.50, 0.80, 0.80, 0.60],
        [1, 0.52, 0.51, 0.90, 0.90, 0.90],  # surer, and its words would be where the first one's are
        [0, 0.97, 0.10, 1.00, 0.20, 0.50],  # at the edge
        [0, 0.10, 0.52, 0.20, 0.80, 0.30],
    ]
    default_storage.delete(name)
    default_storage.save(name, ContentFile(json.dumps(stored).encode()))
    text = page(client_of(vic), run).split('aria-label="Boxes of 1-1')[1].split("</svg>")[0]
    words = re.findall(r'<text class="([^"]*)" data-score="([^"]*)" x="([^"]*)" y="[^"]*"([^>]*)>', text)
    assert words == [
        ("c0 hushed hushed-small", "0.6000", "200.0", ""),
        ("c1", "0.9000", "208.0", ""),
        ("c0", "0.5000", "400.0", ' text-anchor="end"'),
        ("c0", "0.3000", "40.0", ""),
    ]
    assert text.index("<rect") < text.rindex("<rect") < text.index("<text")  # no box is drawn over words
