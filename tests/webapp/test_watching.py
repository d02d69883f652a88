"""What is under way, shown: learning curves, waiting and retried networks, and the log to keep."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from tests.webapp.factories import add_events, make_evolution, make_network, make_run, make_spec
from webapp.networks.models import Network
from webapp.runs.curves import SHOWN
from webapp.runs.log_file import BATCH
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def evolution(team: Any) -> Run:
    return make_evolution(team, files=False)


def epochs(run: Run, name: str, *points: tuple[str, float, float, float]) -> None:
    network = Network.objects.get(run=run, name=name)
    told = [("epoch", {"phase": p, "epoch": e, "loss": loss, "accuracy": a}) for p, e, loss, a in points]
    add_events(run, network, told, run.created_at, run.created_at)


def test_a_network_in_training_shows_its_curve_with_the_cut_between(client_of: Any, ada: Any, evolution: Run) -> None:
    twice = ("growth", 1.0, 0.30, 0.90)  # told by two attempts
    epochs(evolution, "5-3", ("gestation", 0.2, 0.8, 0.88), ("gestation", 0.4, 0.7, 0.89), twice, twice)
    response = client_of(ada).get(f"/runs/{evolution.pk}/")
    (curve,) = response.context["curves"]
    assert (curve["network"].name, curve["doing"]) == ("5-3", "growing")
    assert [round(point.epoch, 3) for point in curve["points"]] == [0.2, 0.4, 1.4]  # 0.4 of 2 epochs are gestation
    assert float(curve["cut"]) == pytest.approx(20)
    assert float(curve["end"]["x"]) == pytest.approx(70)
    assert len(curve["accuracy"]) == 1  # one point of growth is no line yet
    assert curve["parent"]["accuracy"] > 0.9
    assert 0 <= float(curve["shock"]["y"]) <= 100
    page = response.content.decode()
    assert "As a table" in page
    assert "90.00 %" in page


def test_the_selected_network_is_drawn_too_and_alone_for_scripts(client_of: Any, ada: Any, evolution: Run) -> None:
    epochs(evolution, "5-3", ("gestation", 0.5, 0.8, 0.88))
    epochs(evolution, "3-1", ("gestation", 0.5, 0.8, 0.91), ("growth", 1.0, 0.2, 0.92))
    response = client_of(ada).get(f"/runs/{evolution.pk}/curves", {"network": "3-1"})
    assert [curve["network"].name for curve in response.context["curves"]] == ["5-3", "3-1"]
    assert b'data-shown="3-1"' in response.content
    assert b"full-grown" in response.content


def test_before_there_is_an_offspring_the_ancestors_curve_is_shown(client_of: Any, ada: Any, team: Any) -> None:
    run = make_run(team, spec=make_spec(), state=Run.State.PAUSED)
    make_network(run, "ancestor", state=Network.State.MEASURED, validation_accuracy=0.9)
    epochs(run, "ancestor", ("training", 1.0, 0.8, 0.88), ("training", 1.999, 20_000.0, 0.9))
    response = client_of(ada).get(f"/runs/{run.pk}/")
    assert [curve["network"].name for curve in response.context["curves"]] == ["ancestor"]
    page = response.content.decode()
    assert "full-grown after 2 epochs" in page
    assert "2.0 × 10⁴" in page
    assert "shock, right after the cut" not in page  # an ancestor has none, and no parent


def test_an_ended_run_shows_its_answers_curve(client_of: Any, ada: Any, team: Any) -> None:
    run = make_evolution(team, files=False, finished=True)
    page = client_of(ada).get(f"/runs/{run.pk}/").content.decode()
    assert "No network was trained to the end of an epoch." in page
    epochs(run, "5-2", ("growth", 1.0, 0.2, 0.92))
    page = client_of(ada).get(f"/runs/{run.pk}/").content.decode()
    epochs(run, "ancestor", ("ancestor", 2.0, 0.2, 0.92))
    response = client_of(ada).get(f"/runs/{run.pk}/")
    assert [curve["network"].name for curve in response.context["curves"]] == ["ancestor", "5-2"]  # its line
    assert "5-2: 92.0 % accuracy, loss 0.2000 after 1.4 epochs" in page


def test_curves_stand_first_until_there_is_an_answer(client_of: Any, ada: Any, team: Any, evolution: Run) -> None:
    """In the document, not only to the eye: screen readers and the tab key follow it."""
    young = make_run(team, evolution.dataset)
    for run, first in ((young, "run-curves"), (evolution, "run-answer")):
        page = client_of(ada).get(f"/runs/{run.pk}/").content.decode()
        assert page.count('id="run-curves"') == 1
        ids = re.findall(r'id="(run-curves|run-answer)"', page)
        assert ids[0] == first, ids


def test_curves_cost_the_same_for_many_networks(client_of: Any, ada: Any, team: Any, count_queries: Any) -> None:
    run = make_run(team, state="running", generation=1, spec=make_spec(offspring=12))
    make_network(run, "ancestor", state="measured", validation_accuracy=0.9, parameters=1000)
    costs = []
    for batch in (range(1, 3), range(3, 11)):
        for number in batch:
            make_network(run, f"1-{number}", ("ancestor",), state="living", progress=0.2)
            epochs(run, f"1-{number}", ("gestation", 0.5, 0.8, 0.88), ("gestation", 0.7, 0.6, 0.89))
        costs.append(count_queries(lambda: client_of(ada).get(f"/runs/{run.pk}/curves")))
    assert costs[0] == costs[1]
    response = client_of(ada).get(f"/runs/{run.pk}/curves")
    assert (len(response.context["curves"]), response.context["more_curves"]) == (SHOWN, 10 - SHOWN)


@pytest.fixture
def count_queries() -> Any:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count(call: Any) -> int:
        with CaptureQueriesContext(connection) as found:
            assert call().status_code == 200
        return len(found)

    return count


def test_waiting_lost_and_retried_networks_say_why(client_of: Any, ada: Any, evolution: Run) -> None:
    alive = Network.objects.get(run=evolution, name="5-3")
    add_events(evolution, alive, [("lost", {"attempts": 1})], evolution.created_at, evolution.created_at)
    back = make_network(evolution, "5-4", ("4-2",), state="waiting", progress=0.25, attempts=2)
    add_events(evolution, back, [("lost", {}), ("lost", {})], evolution.created_at, evolution.created_at)
    for number in range(5, 13):
        make_network(evolution, f"5-{number}", ("4-2",), state="waiting")
    page = client_of(ada).get(f"/runs/{evolution.pk}/").content.decode()
    assert "taken up again at its checkpoint: its worker was lost once" in page
    assert "put back at 25 %: its worker was lost 2 times" in page
    assert "waits for a worker" in page
    assert "and 3 more" in page


def test_the_page_tells_scripts_how_far_it_is(client_of: Any, ada: Any, evolution: Run) -> None:
    page = client_of(ada).get(f"/runs/{evolution.pk}/").content.decode()
    assert 'data-share="0.979"' in page  # five generations and the ancestor, 0.38 of a third left
    assert 'data-said="Growing generation 5"' in page


# --- the log to keep -------------------------------------------------------------------------------------------


def read(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_the_log_can_be_kept_as_text_and_json(client_of: Any, ada: Any, evolution: Run) -> None:
    epochs(evolution, "5-3", ("gestation", 0.5, 0.8, 0.88))
    text = client_of(ada).get(f"/runs/{evolution.pk}/log.txt")
    assert text["Content-Disposition"] == f'attachment; filename="log-{evolution.pk}.txt"'
    lines = read(text).splitlines()
    assert len(lines) == evolution.events.count()  # the small ones too
    assert lines[0].split(None, 3)[0] == "1"
    assert "The run begins." in lines[0]
    rows = json.loads(read(client_of(ada).get(f"/runs/{evolution.pk}/log.json")))
    assert [row["number"] for row in rows] == list(range(1, len(lines) + 1))
    assert rows[-1] | {"at": ""} == {
        "number": len(lines),
        "kind": "epoch",
        "network": "5-3",
        "at": "",
        "sentence": "5-3: epoch 0.5 of gestation done, 88.0 %.",
        "data": {"phase": "gestation", "epoch": 0.5, "loss": 0.8, "accuracy": 0.88},
    }


def test_a_log_of_nothing_is_an_empty_list(client_of: Any, ada: Any, team: Any) -> None:
    run = make_run(team)
    assert json.loads(read(client_of(ada).get(f"/runs/{run.pk}/log.json"))) == []
    assert read(client_of(ada).get(f"/runs/{run.pk}/log.txt")) == ""


def test_a_long_log_is_read_in_pieces(
    client_of: Any, ada: Any, evolution: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.runs.log_file.BATCH", 7)
    assert BATCH > 7
    rows = json.loads(read(client_of(ada).get(f"/runs/{evolution.pk}/log.json")))
    assert [row["number"] for row in rows] == list(range(1, evolution.last_event + 1))


def test_behind_a_share_link_the_log_can_be_kept_too(client: Any, ada: Any, evolution: Run) -> None:
    link = ShareLink.objects.create(run=evolution, created_by=ada)
    assert "The run begins." in read(client.get(f"/s/{link.token}/log.txt"))
    assert json.loads(read(client.get(f"/s/{link.token}/log.json")))
    link.revoke()
    assert client.get(f"/s/{link.token}/log.json").status_code == 410


@pytest.mark.django_db(transaction=True)
def test_under_asgi_it_comes_in_pieces_as_well(ada: Any, team: Any, client_of: Any) -> None:
    run = make_evolution(team, files=False)
    cookie = client_of(ada).cookies["eustress_session"].value

    async def ask() -> bytes:
        client = AsyncClient()
        client.cookies["eustress_session"] = cookie
        response = await client.get(f"/runs/{run.pk}/log.json")
        return b"".join([piece async for piece in response.streaming_content])

    assert len(json.loads(async_to_sync(ask)())) == run.last_event
