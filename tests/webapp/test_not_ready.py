"""The run form, asked for a data set on which no run can begin: it says so, why, and where to go."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from tests.conftest import make_dataset
from webapp.datasets.models import Dataset

NEW = "/runs/new/"


def page(client: Any, query: str = "") -> str:
    answer = client.get(f"{NEW}{query}")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


@pytest.mark.parametrize(
    ("state", "message", "words", "way_out"),
    [
        ("receiving", "", "is still being received or inspected", "See how far it is"),
        ("inspecting", "", "is still being received or inspected", "See how far it is"),
        ("asking", "", "needs somebody's yes", "See what is left out, and agree"),
        (
            "refused",
            "a.jpg: is cut short (2 more below)",
            "was refused: a.jpg: is cut short (2 more).",
            "what to correct",
        ),
        ("errored", "the worker died", "could not be inspected: the worker died.", "Inspect it again"),
    ],
)
def test_a_data_set_that_is_not_ready_is_not_silently_another(
    client_of: Any, eve: Any, team: Any, dataset: Any, state: str, message: str, words: str, way_out: str
) -> None:
    wanted = make_dataset(team, name="Shells", state=state, message=message)
    shown = page(client_of(eve), f"?dataset={wanted.pk}")
    assert f"“Shells” {words}" in shown
    assert f'<a href="/datasets/{wanted.pk}/">' in shown
    assert way_out in shown
    assert "Below, Hand signs is chosen instead." in shown
    assert f'<option value="{dataset.pk}" selected' in shown


def test_one_that_is_not_the_teams_is_called_neither_by_name_nor_otherwise(
    client_of: Any, eve: Any, dataset: Any, other_dataset: Any
) -> None:
    for key in (other_dataset.pk, 10**6, "nonsense"):
        shown = page(client_of(eve), f"?dataset={key}")
        assert "not among your team's" in shown
        assert "Hand signs is chosen instead" in shown
        assert "Stones" not in shown


def test_nothing_is_said_where_nothing_is_amiss(client_of: Any, eve: Any, team: Any, dataset: Any) -> None:
    make_dataset(team, name="Shells", state="refused")
    for query in ("", f"?dataset={dataset.pk}", "?preset=paper"):
        assert "chosen instead" not in page(client_of(eve), query)


def test_where_none_is_ready_the_latest_says_what_it_waits_for(client_of: Any, eve: Any, team: Any) -> None:
    shown = page(client_of(eve))
    assert "First, some images" in shown
    assert "None is ready yet" in shown
    assert "A run needs a data set that is ready." in shown
    wanted = make_dataset(team, name="Shells", state="inspecting")
    shown = page(client_of(eve))
    assert "“Shells” is still being received or inspected" in shown
    assert "chosen instead" not in shown
    assert f'<a href="/datasets/{wanted.pk}/">' in shown


GONE = "signs.zip is gone from the server's storage (datasets/1/upload/0.zip): it has to be brought back."


def test_a_data_set_whose_file_is_gone_offers_to_be_inspected_again(
    client_of: Any, eve: Any, vic: Any, dataset: Any
) -> None:
    dataset.state, dataset.message, dataset.report = "refused", GONE, {}
    dataset.save()
    shown = page_of(client_of(eve), dataset)
    assert GONE in shown
    assert "Inspect again" in shown
    assert "Once that is put right, inspect it again" in shown
    assert "listed below" not in shown  # nothing is
    watched = page_of(client_of(vic), dataset)
    assert "Inspect again" not in watched
    assert "an editor of the team can have it inspected again" in watched
    assert "/datasets/new/" not in watched


def page_of(client: Any, dataset: Dataset) -> str:
    return unescape(client.get(f"/datasets/{dataset.pk}/").content.decode())


def test_the_list_begins_with_the_newest(client_of: Any, eve: Any, team: Any, dataset: Any) -> None:
    older = make_dataset(team, name="Shells")
    Dataset.objects.filter(pk=older.pk).update(created_at=timezone.now() - timedelta(days=1))
    newer = make_dataset(team, name="Leaves")
    shown = client_of(eve).get("/datasets/").content.decode()
    assert sorted((newer, dataset, older), key=lambda one: shown.index(f">{one.name}<")) == [newer, dataset, older]
