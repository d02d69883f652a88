"""The list of runs: its order in the address, runs ticked to be compared, and what of it is kept."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.webapp.factories import make_dataset, make_evolution, make_network, make_run, make_spec
from webapp.networks.models import Network
from webapp.runs.list_view import COLUMNS, ListView
from webapp.runs.measures import MOST_COMPARED
from webapp.runs.models import Run, RunGroup

pytestmark = pytest.mark.django_db


def small_run(team: Any, dataset: Any, name: str, parameters: int, accuracy: float, **fields: Any) -> Run:
    """A finished run of two networks, the ancestor with 8,000 parameters at 90 %."""
    run = make_run(team, dataset, name=name, state=Run.State.FINISHED, **fields)
    measured = {"state": Network.State.MEASURED}
    make_network(run, "ancestor", parameters=8000, validation_accuracy=0.9, **measured)
    own = {"parameters": parameters, "validation_accuracy": accuracy}
    Run.objects.filter(pk=run.pk).update(chosen=make_network(run, "1-1", ("ancestor",), **own, **measured))
    return run


@pytest.fixture
def runs(team: Any) -> list[Run]:
    """b is smallest, a best; c has nothing yet."""
    hands, cells = make_dataset(team, "Hands"), make_dataset(team, "cells")
    b = small_run(team, hands, "b", 1000, 0.85)
    a = small_run(team, cells, "a", 4000, 0.91)
    return [b, a, make_run(team, hands, name="C", state=Run.State.RUNNING)]


def names(response: Any) -> list[str]:
    return [row["run"].name for row in response.context["rows"]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["C", "a", "b"]),  # newest first
        ("started", ["b", "a", "C"]),
        ("name", ["a", "b", "C"]),
        ("-name", ["C", "b", "a"]),
        ("data", ["a", "C", "b"]),  # of equals the newest first
        ("state", ["C", "a", "b"]),
        ("smaller", ["a", "b", "C"]),  # what is not known comes last, whatever the order
        ("-smaller", ["b", "a", "C"]),
        ("-points", ["a", "b", "C"]),
        ("points", ["b", "a", "C"]),
        ("networks", ["C", "a", "b"]),
        ("beauty", ["C", "a", "b"]),
        ("-", ["C", "a", "b"]),
    ],
)
def test_the_order_is_the_addresses(client_of: Any, vic: Any, runs: list[Run], sort: str, expected: list[str]) -> None:
    assert names(client_of(vic).get("/runs/", {"sort": sort})) == expected


def test_headings_are_links_that_turn(client_of: Any, vic: Any, runs: list[Run]) -> None:
    page = client_of(vic).get("/runs/?sort=-smaller&q=a&compare=3").content.decode()
    assert re.search(r'aria-sort="descending"><a href="\?q=a&amp;sort=smaller&amp;compare=3"', page)
    assert 'href="?q=a&amp;sort=-points&amp;compare=3"' in page  # the best first
    assert 'href="?q=a&amp;sort=name&amp;compare=3"' in page
    assert '<option value="-smaller" selected>' in page


def test_figures_are_as_they_were_measured(client_of: Any, vic: Any, runs: list[Run]) -> None:
    row = client_of(vic).get("/runs/", {"sort": "-smaller"}).context["rows"][0]
    assert row["run"].smaller == pytest.approx(8.0)
    assert row["run"].points == pytest.approx(-5.0)
    page = client_of(vic).get("/runs/").content.decode()
    assert "8.0×" in page
    assert "−5.0" in page


def test_a_sweeps_runs_stand_for_themselves_where_figures_order_them(client_of: Any, vic: Any, team: Any) -> None:
    dataset = make_dataset(team)
    group = RunGroup.objects.create(team=team, name="Trials", axes=["seed"])
    for seed, parameters in enumerate((4000, 1000, 2000)):
        small_run(team, dataset, f"seed {seed}", parameters, 0.9, group=group, spec=make_spec(seed=seed))
    client = client_of(vic)
    assert len(names(client.get("/runs/"))) == len(names(client.get("/runs/?sort=name"))) == 1
    assert names(client.get("/runs/?sort=-smaller")) == ["seed 1", "seed 2", "seed 0"]
    kept = list(csv.DictReader(io.StringIO(client.get("/runs/list.csv").content.decode("utf-8-sig"))))
    assert [(row["name"], row["sweep"]) for row in kept] == [(f"seed {seed}", "Trials") for seed in (2, 1, 0)]


@pytest.mark.parametrize("sort", ["-started", "-smaller", "networks", "state"])
def test_five_hundred_runs_cost_as_many_queries_as_five(client_of: Any, vic: Any, team: Any, sort: str) -> None:
    dataset = make_dataset(team)
    client = client_of(vic)

    def queries(path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    first = [small_run(team, dataset, f"{i}", 1000 + i, 0.9) for i in range(5)]
    list_path = f"/runs/?sort={sort}&compare={first[0].pk}"
    table_path = f"/runs/list.csv?sort={sort}"
    few, few_kept = queries(list_path), queries(table_path)
    Run.objects.bulk_create(
        Run(team=team, dataset=dataset, name=f"many {i}", spec=first[0].spec, chosen_id=first[i % 5].chosen_id)
        for i in range(495)
    )
    assert queries(list_path) == few <= 10
    assert queries(table_path) == few_kept <= 5
    assert len(client.get(table_path).content.decode().splitlines()) == 501


# --- ticks ----------------------------------------------------------------------------------


def test_ticked_runs_stay_ticked_from_page_to_page(client_of: Any, vic: Any, team: Any) -> None:
    dataset = make_dataset(team)
    made = [make_run(team, dataset, name=f"Run {i}") for i in range(30)]
    newest, oldest = made[-1].pk, made[0].pk
    client = client_of(vic)
    page = client.get(f"/runs/?compare={newest},{oldest}").content.decode()
    assert f'value="{newest}" checked aria-label="Compare Run 29"' in page
    assert f'<input type="hidden" name="run" value="{oldest}">Run 0' in page  # goes along with the form
    assert "2 ticked" in page
    assert f'rel="next" href="?page=2&amp;compare={newest},{oldest}"' in page
    assert f'value="{oldest}" checked' in client.get(f"/runs/?page=2&compare={newest},{oldest}").content.decode()


def test_nobody_elses_runs_are_ticked_and_no_more_than_can_be_told_apart(
    client_of: Any, vic: Any, other_run: Run, runs: list[Run]
) -> None:
    page = client_of(vic).get(f"/runs/?compare={other_run.pk},x,{'9' * 30},{runs[0].pk}").content.decode()
    assert "1 ticked" in page
    assert "Stones" not in page
    view = ListView.read({"compare": ",".join(map(str, range(1, 40)))})
    assert view.compare == tuple(range(1, MOST_COMPARED + 1))


def test_an_address_is_read_and_written_alike() -> None:
    query = {"q": "a b", "state": "finished", "sort": "-points", "page": "3", "compare": "5,3"}
    view = ListView.read(query)
    assert view.query(page=view.page) == "?q=a%20b&state=finished&sort=-points&page=3&compare=5,3"
    assert view.query(sort="name") == "?q=a%20b&state=finished&sort=name&compare=5,3"  # begins at its first page
    assert ListView.read({}).query() == "?"
    assert ListView.read({"page": "-1", "state": "odd", "sort": "-"}) == ListView()
    assert set(COLUMNS) == {"name", "state", "data", "smaller", "points", "networks", "started"}


def test_the_networks_of_a_run_can_be_ticked_too(client_of: Any, vic: Any, team: Any) -> None:
    run = make_evolution(team, files=False)
    client = client_of(vic)
    page = client.get(f"/runs/{run.pk}/?compare=2-1,ancestor,9-9&q=2-").content.decode()
    assert f'name="network" value="{run.pk}:2-1" data-ticks="2-1" data-same="tick-2-1" checked' in page
    assert f'<input type="hidden" name="network" value="{run.pk}:ancestor">' in page  # not within the selection
    assert "2 ticked" in page
    assert "sort=latency&amp;compare=2-1,ancestor,9-9" in page
    assert f'value="{run.pk}:5-3"' not in client.get(f"/runs/{run.pk}/").content.decode()  # still lives
    many = ",".join(network.name for network in run.networks.all())
    assert f"{MOST_COMPARED} ticked" in client.get(f"/runs/{run.pk}/explore?compare={many}").content.decode()


def test_shared_pages_tick_nothing(client: Any, team: Any) -> None:
    from webapp.sharing.models import ShareLink

    link = ShareLink.objects.create(run=make_evolution(team, files=False))
    page = client.get(f"/s/{link.token}/?compare=2-1").content.decode()
    assert 'type="checkbox" form' not in page
    assert "/compare/" not in page


# --- what a state is called -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("ancestor", "offspring", "told"),
    [
        (None, (), "Ancestor"),
        ("waiting", (), "Waiting for a worker"),
        ("living", (), "Ancestor"),
        ("measured", (), "Generation 1"),  # its offspring are being made
        ("measured", ("waiting", "waiting"), "Waiting for a worker"),
        ("measured", ("measured", "waiting"), "Waiting for a worker"),
        ("measured", ("waiting", "living"), "Generation 1"),
    ],
)
def test_a_run_that_no_worker_has_says_that_it_waits(
    client_of: Any, vic: Any, team: Any, ancestor: str | None, offspring: tuple[str, ...], told: str
) -> None:
    begun = 1 if ancestor == "measured" else 0
    run = make_run(team, make_dataset(team), state=Run.State.RUNNING, generation=begun)
    if ancestor:
        make_network(run, "ancestor", state=ancestor)
    for number, state in enumerate(offspring, 1):
        make_network(run, f"1-{number}", ("ancestor",), state=state)
    row = client_of(vic).get("/runs/").context["rows"][0]
    assert (row["state"], row["tone"]) == (told, "waiting" if told.startswith("Waiting") else "good")
    Run.objects.update(pause_requested_at=run.created_at)
    assert client_of(vic).get("/runs/").context["rows"][0]["state"] == "Pausing"


def test_figures_of_a_run_that_learnt_nothing_are_muted_and_say_why(client_of: Any, vic: Any, runs: list[Run]) -> None:
    Network.objects.filter(run=runs[0], name="ancestor").update(record={"chance": 0.9})
    page = client_of(vic).get("/runs/?sort=-smaller").content.decode()
    assert page.count("The ancestor hardly beats guessing") == 1
    assert "<b>8.0×</b>" not in page
    assert 'class="num muted">8.0×' in page
    assert "<b>2.0×</b>" in page
