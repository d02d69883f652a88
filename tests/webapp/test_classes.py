"""Which classes paid for the size, what is taken for what, and the images on which network and ancestor disagree."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.storage import default_storage

from tests.webapp import answers
from tests.webapp.factories import make_evolution
from webapp.networks import classes
from webapp.networks.inside_files import index_name
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(team: Any) -> Run:
    made = make_evolution(team, finished=True)
    answers.write_all(made)
    return made


def context(run: Run, name: str = "5-2", **query: str) -> dict[str, Any]:
    network = Network.objects.get(run=run, name=name)
    ancestor = Network.objects.get(run=run, name="ancestor")
    found = classes.classes_context(network, ancestor, RunUrls(run), query)
    assert found is not None
    return found


def page(client: Any, run: Run, name: str = "5-2", query: str = "") -> str:
    return client.get(f"/runs/{run.pk}/networks/{name}/{query}").content.decode()


def test_who_paid_most_comes_first(run: Run) -> None:
    rows = context(run)["rows"]
    assert [(row["name"], row["own"], row["ancestor"], row["points"]) for row in rows] == [
        ("open", 0.5, 1.0, -50.0),
        ("closed", 0.5, 1.0, -50.0),
        ("point", 0.5, 0.0, 50.0),
    ]
    assert rows[0]["bar"] == {"x": 0.0, "width": 50.0, "lost": True}
    assert rows[2]["bar"] == {"x": 50.0, "width": 50.0, "lost": False}


def test_the_matrix_counts_every_image_once(run: Run) -> None:
    matrix = context(run)["matrix"]
    counts = [[cell["count"] for cell in row["cells"]] for row in matrix]
    assert counts == [[1, 0, 1], [1, 1, 0], [0, 1, 1]]
    assert [cell["shade"] for cell in matrix[0]["cells"]] == [5, 0, 10]  # half its images; the worst mistake


def test_many_classes_are_a_list_of_the_most_frequent_mistakes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MATRIX", 2)
    found = context(run)
    assert found["matrix"] is None
    assert [(row["true"], row["said"], row["count"], row["ancestor"]) for row in found["mixed"]] == [
        ("open", "point", 1, 0),
        ("closed", "open", 1, 0),
        ("point", "closed", 1, 1),
    ]


def test_what_was_lost_comes_first_and_the_surest_mistakes_of_it(run: Run) -> None:
    shown = context(run)["disagreements"]
    assert [(one["number"], one["kind"]) for one in shown["pictures"]] == [
        (1, "lost"),
        (3, "lost"),
        (4, "other"),
        (5, "won"),
    ]
    first = shown["pictures"][0]
    assert first["label"] == "open"
    assert first["answers"] == [
        {"name": "5-2", "said": "point", "sure": 0.95, "right": False},
        {"name": "ancestor", "said": "open", "sure": 0.8, "right": True},
    ]
    assert [(one["label"], one["count"]) for one in shown["switch"]] == [
        ("all", 4),
        ("only the ancestor was right", 2),
        ("only this one is right", 1),
        ("both are wrong", 1),
    ]


def test_an_ancestor_shows_its_own_mistakes(run: Run) -> None:
    found = context(run, "ancestor")
    assert found["has_ancestor"] is False
    assert [one["number"] for one in found["disagreements"]["pictures"]] == [4, 5]
    assert all(row["points"] is None for row in found["rows"])


def test_images_are_paged_and_the_address_keeps_the_choice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "EACH", 1)
    shown = context(run, only="lost", images="2")["disagreements"]
    assert (shown["page"], shown["pages"], shown["count"], shown["total"]) == (2, 2, 2, 4)
    assert [one["number"] for one in shown["pictures"]] == [3]
    assert (shown["previous"], shown["next"]) == ("?only=lost#disagreements", "")
    assert context(run, images="99")["disagreements"]["page"] == 4


@pytest.mark.parametrize("query", ["images=-1", "images=²", "images=x", "only=all", "images=" + "9" * 5000])
def test_nonsense_in_the_address_is_the_default(client_of: Any, vic: Any, run: Run, query: str) -> None:
    assert page(client_of(vic), run, query=f"?{query}").count('alt="Validation image') == 4


def test_the_page_says_it_in_words_too(client_of: Any, vic: Any, run: Run) -> None:
    text = page(client_of(vic), run)
    assert "Which classes paid for the size" in text
    assert "share recognised of 6 of 60 validation images" in text
    assert 'title="open taken for point: 1"' in text
    assert f'<img src="/runs/{run.pk}/validation/1" alt="Validation image 1, open"' in text
    assert "✗ point" in re.sub(r"\s+", " ", text)
    assert " style=" not in text


@pytest.mark.parametrize("missing", ["index", "answers", "other length"])
def test_a_page_opens_where_files_are_gone(client_of: Any, vic: Any, run: Run, missing: str) -> None:
    if missing == "index":
        default_storage.delete(index_name(run.pk))
    elif missing == "answers":
        default_storage.delete(str(Network.objects.get(run=run, name="5-2").answers))
    else:
        answers.write_questions(run, labels=[0, 1])
    response = client_of(vic).get(f"/runs/{run.pk}/networks/5-2/")
    assert response.status_code == 200
    assert response.context["classes"] is None


def test_the_page_costs_the_same_however_many_images(
    client_of: Any, vic: Any, run: Run, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = client_of(vic)
    page(client, run)
    with CaptureQueriesContext(connection) as few:
        page(client, run)
    many = 5000
    answers.write_questions(run, labels=[number % 3 for number in range(many)])
    for name in ("ancestor", "5-2"):
        said = [number % 2 for number in range(many)], [500] * many
        answers.write_answers(Network.objects.get(run=run, name=name), said)
    with django_assert_num_queries(len(few)):
        page(client, run)


def test_pictures_are_images_and_nothing_else(client_of: Any, vic: Any, run: Run) -> None:
    client = client_of(vic)
    response = client.get(f"/runs/{run.pk}/validation/5")
    assert response.content == answers.png(5)
    assert (response["Content-Type"], response["X-Content-Type-Options"]) == ("image/png", "nosniff")
    for number in (6, 10**9):
        assert client.get(f"/runs/{run.pk}/validation/{number}").status_code == 404


def test_strangers_and_other_teams_see_no_picture(client: Any, client_of: Any, olga: Any, run: Run) -> None:
    for address in ("validation/0", "networks/5-2/filters.png", "networks/5-2/card"):
        assert client.get(f"/runs/{run.pk}/{address}").status_code == 302
        assert client_of(olga).get(f"/runs/{run.pk}/{address}").status_code == 404


def test_a_share_link_shows_its_own_run_alone(client: Any, ada: Any, run: Run, team: Any) -> None:
    link = ShareLink.objects.create(run=run, created_by=ada)
    plain = client.get(f"/s/{link.token}/networks/5-2/").content.decode()
    assert 'id="disagreements"' not in plain
    assert "share recognised of" in plain
    for address in ("validation/1", "networks/5-2/tables/disagreements.csv"):
        assert client.get(f"/s/{link.token}/{address}").status_code == 404  # unless whoever made it allowed it
    ShareLink.objects.update(shows_images=True)
    assert client.get(f"/s/{link.token}/networks/5-2/tables/disagreements.csv").status_code == 200
    text = page_of_link = client.get(f"/s/{link.token}/networks/5-2/").content.decode()
    assert f'src="/s/{link.token}/validation/1"' in page_of_link
    assert f'href="/s/{link.token}/networks/5-2/filters.png"' in text
    assert client.get(f"/s/{link.token}/validation/1").content == answers.png(1)
    assert client.get(f"/s/{link.token}/networks/5-2/filters.png").status_code == 200
    assert client.get(f"/s/{link.token}/networks/5-2/card").status_code == 200
    link.revoke()
    for address in ("validation/1", "networks/5-2/filters.png", "networks/5-2/card"):
        assert client.get(f"/s/{link.token}/{address}").status_code == 410
