"""A rule that is tried stands in the address: everybody who sees the run may look by it, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from django.urls import reverse

from tests.webapp.factories import make_evolution
from webapp.runs.choice import Rule
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage
from webapp.runs.view import View
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def finished(team: Any) -> Run:
    return make_evolution(team, finished=True, files=False)


@pytest.fixture
def shared(finished: Run, ada: Any) -> str:
    return f"/s/{ShareLink.objects.create(run=finished, created_by=ada).token}/"


@pytest.mark.parametrize(
    "rule", [Rule("within", 2.5), Rule("accurate"), Rule("size", 400.0), Rule("picked", network="2-1")]
)
def test_a_rule_is_read_from_the_address_as_it_was_written(rule: Rule) -> None:
    query = View(by=rule.text).query()
    assert View.read(QueryDict(query.removeprefix("?")).dict()).by == rule.text


def test_a_plain_form_asks_with_a_field_for_each() -> None:
    filled = {"by.value": "0.5", "by.network": "2-1"}  # all are sent, whichever is chosen
    found = [View.read({"by": kind, **filled}).by for kind in ("latency", "picked", "accurate", "luck", "")]
    assert found == ["latency:0.5", "picked:2-1", "accurate", "", ""]


def test_viewers_look_by_another_rule(client_of: Any, vic: Any, finished: Run) -> None:
    client = client_of(vic)
    plain = client.get(f"/runs/{finished.pk}/")
    assert "Try another rule" in plain.content.decode()
    assert plain.context["answer"]["tried"] is None
    response = client.get(f"/runs/{finished.pk}/?by=accurate&cost=macs")
    best = max(Lineage.of(finished).offspring, key=lambda n: n.validation_accuracy or 0)
    answer, page = response.context["answer"], response.content.decode()
    assert answer["network"].name == best.name != "5-2"
    assert answer["why"] == "the most accurate offspring"
    assert "a rule tried" in page
    assert "the smallest within 1 point" in page  # what the run itself keeps to
    assert 'href="?cost=macs"' in page  # back to it, with the rest of the view
    assert response.context["card"]["selected"].name == best.name
    assert response.context["card"]["leads_as"] == "by the rule tried"
    assert "choose/" not in page
    finished.refresh_from_db()
    assert (finished.rule, finished.chosen.name) == ({}, "5-2")  # type: ignore[union-attr]


def test_behind_a_share_link_one_may_look_too(client: Any, shared: str, finished: Run) -> None:
    page = client.get(shared).content.decode()
    assert f'<form method="get" action="{shared}" data-tries>' in page
    assert "csrfmiddlewaretoken" not in page
    response = client.get(f"{shared}?by=picked&by.network=3-1&by.value=1")
    assert response.context["answer"]["network"].name == "3-1"
    assert "picked by hand" in response.content.decode().lower()
    assert f'href="{shared}networks/3-1/"' in response.content.decode()


def test_charts_and_fragments_follow_the_rule(client: Any, shared: str, finished: Run) -> None:
    names = [network.name for network in Lineage.of(finished).networks]
    plain, tried = (client.get(f"{shared}chart.json{query}").json() for query in ("", "?by=picked:3-1"))
    assert names[plain["leading"]] == "5-2"
    assert names[tried["leading"]] == "3-1"
    assert [names[i] for i in tried["path"]] == ["ancestor", "1-2", "2-2", "3-1"]
    assert client.get(f"{shared}chart.json?by=within:7").json()["max_drop"] == 7
    for part in ("live", "explore"):
        assert client.get(f"{shared}{part}?by=picked:3-1").context["card"]["selected"].name == "3-1"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("by=latency", "Say how many ms."),
        ("by=within:101", "At most 100 points."),
        ("by=within:many", "Value: "),
        ("by=picked:9-9", "No measured offspring fits that rule."),
        ("by=picked:ancestor", "No measured offspring fits that rule."),
    ],
)
def test_what_cannot_be_tried_is_told_and_the_runs_own_rule_stays(
    client_of: Any, vic: Any, finished: Run, query: str, problem: str
) -> None:
    response = client_of(vic).get(f"/runs/{finished.pk}/?{query}")
    answer = response.context["answer"]
    assert (answer["network"].name, answer["tried"]) == ("5-2", None)
    assert problem in answer["problem"]
    assert "cannot be tried" in response.content.decode()


def test_editors_may_look_before_they_choose(client_of: Any, eve: Any, finished: Run, dispatched: Any) -> None:
    client, choose = client_of(eve), reverse("runs:choose", args=[finished.pk])
    given = {"kind": "latency", "value": "0.2", "network": "5-2", "query": "?cost=macs&by=accurate", "try": "1"}
    response = client.post(choose, given)
    assert response.url == f"/runs/{finished.pk}/?cost=macs&by=latency:0.2"
    finished.refresh_from_db()
    assert (finished.rule, dispatched) == ({}, [])
    page = client.get(response.url)
    assert 'name="kind" value="latency"' in page.content.decode()
    tried = page.context["answer"]["network"].name
    client.post(choose, {"kind": "latency", "value": "0.2"})
    finished.refresh_from_db()
    assert finished.chosen.name == tried  # type: ignore[union-attr]
    refused = client.post(choose, {**given, "value": ""}, follow=True)
    assert "Say how many ms." in refused.content.decode()


def test_a_tried_rule_costs_no_further_queries(client: Any, shared: str, count_queries: Any) -> None:
    client.get(shared)
    assert count_queries(f"{shared}?by=accurate") == count_queries(shared)


@pytest.fixture
def count_queries(client: Any) -> Any:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    return count
