"""What the charts are given: the Pareto front, the lineage's places, and the JSON that holds them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.factories import make_evolution, make_network, make_run
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls
from webapp.runs.chart import chart_data
from webapp.runs.layout import lay_out
from webapp.runs.measures import COSTS
from webapp.runs.models import Run
from webapp.runs.pareto import front
from webapp.runs.snapshot import Lineage

few = st.integers(0, 6).map(float)  # few values, so that ties happen


def dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(st.lists(st.tuples(few, few), max_size=30))
def test_the_front_is_exactly_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    expected = {i for i, point in enumerate(points) if not any(dominates(other, point) for other in points)}
    found = front(points)
    assert set(found) == expected
    assert [points[i][0] for i in found] == sorted(points[i][0] for i in found)


def test_five_thousand_networks_are_no_trouble() -> None:
    points = [(float(i), float((i * 7919) % 5000)) for i in range(5000)]
    assert len(front(points)) < 100


@pytest.fixture
def evolution(team: Any, dataset: Any) -> Any:
    return make_evolution(team, dataset, two_parents=True, files=False)


def test_the_chart_says_everything_once(evolution: Any) -> None:
    data = chart_data(evolution, RunUrls(evolution))
    names = [network["name"] for network in data["networks"]]
    assert len(names) == len(set(names)) == 16
    assert names[data["ancestor"]] == "ancestor"
    assert names[data["leading"]] == "5-2"
    assert {names[i] for i in data["path"]} >= {"ancestor", "1-2", "2-2", "3-2", "4-2", "5-2"}
    assert data["networks"][names.index("5-2")]["url"] == f"/runs/{evolution.pk}/networks/5-2/"
    assert data["threshold"] == pytest.approx(0.911)
    for child, network in enumerate(data["networks"]):
        parents = {names[p] for p, c in data["edges"] if c == child}
        assert parents == set(network["parents"])
    assert any(len(network["parents"]) == 2 for network in data["networks"])
    on_path = set(data["path"])
    assert data["path_edges"] == [i for i, (p, c) in enumerate(data["edges"]) if p in on_path and c in on_path]
    for layout in data["layouts"].values():
        assert len(layout["points"]) == 16
        assert all(layout["low"] <= y <= layout["high"] for _, y in layout["points"])
    for cost in COSTS:
        chosen = [data["networks"][i] for i in data["fronts"][cost]]
        for network in data["networks"]:
            if network["accuracy"] is not None and network not in chosen:
                assert any(dominates((c[cost], c["accuracy"]), (network[cost], network["accuracy"])) for c in chosen), (
                    network["name"]
                )


def test_means_of_generations_leave_out_what_is_not_measured(evolution: Any) -> None:
    rows = chart_data(evolution, RunUrls(evolution))["generations"]
    assert [row["generation"] for row in rows] == [1, 2, 3, 4, 5]
    last = [n for n in Lineage.of(evolution).offspring if n.generation == 5]
    assert len(last) == 2
    assert rows[-1]["accuracy"] == pytest.approx(sum(n.validation_accuracy or 0 for n in last) / 2)


def test_a_path_follows_every_parent(team: Any, dataset: Any) -> None:
    run = make_run(team, dataset)
    for name, parents in [
        ("ancestor", ()),
        ("1-1", ("ancestor",)),
        ("1-2", ("ancestor",)),
        ("1-3", ("ancestor",)),
        ("2-1", ("1-1", "1-3")),
    ]:
        make_network(run, name, parents)
    lineage = Lineage.of(run)
    assert lineage.path("2-1") == {"2-1", "1-1", "1-3", "ancestor"}
    assert lineage.path("nobody") == set()
    assert lineage.path(None) == set()


def test_an_open_network_stands_where_its_parents_do(evolution: Any) -> None:
    lineage = Lineage.of(evolution)
    layout = lay_out(lineage, "accuracy")
    places = {n.name: place for n, place in zip(lineage.networks, layout.positions, strict=True)}
    parents = lineage.by_name["5-3"].parents
    assert places["5-3"][1] == pytest.approx(sum(places[p][1] for p in parents) / len(parents))


def test_siblings_of_one_height_stand_apart_and_stay_in_their_generation(team: Any, dataset: Any) -> None:
    run = make_run(team, dataset)
    measured = {"state": Network.State.MEASURED, "validation_accuracy": 0.9, "parameters": 1000}
    make_network(run, "ancestor", **measured)
    for i in range(1, 33):
        make_network(run, f"1-{i}", ("ancestor",), **measured)
    for by in ("accuracy", "size"):
        layout = lay_out(Lineage.of(run), by)
        xs = sorted(x for x, _ in layout.positions[1:])
        assert all(b - a > 0.01 for a, b in pairwise(xs))
        assert 0.5 < xs[0] < xs[-1] < 1.5
        assert layout.high > layout.low


def test_a_run_without_networks_has_an_empty_chart(run: Any) -> None:
    data = chart_data(run, RunUrls(run))
    assert data["networks"] == data["edges"] == data["path"] == []
    assert data["ancestor"] is data["leading"] is data["threshold"] is None


def test_the_endpoint_takes_the_allowed_drop_and_keeps_strangers_out(
    client_of: Any, ada: Any, olga: Any, evolution: Any
) -> None:
    address = f"/runs/{evolution.pk}/chart.json"
    assert client_of(ada).get(address, {"drop": "3"}).json()["threshold"] == pytest.approx(0.891)
    assert client_of(ada).get(address, {"drop": "rubbish"}).json()["max_drop"] == 1.0
    assert client_of(olga).get(address).status_code == 404


def test_the_chart_costs_the_same_for_many_networks(evolution: Any, django_assert_num_queries: Any) -> None:
    run = Run.objects.select_related("dataset").get(pk=evolution.pk)
    with django_assert_num_queries(2):  # networks, and who descends from whom
        chart_data(run, RunUrls(run))


def test_the_scripts_know_every_kind_of_event() -> None:
    """A kind that the page does not listen for would never refresh it."""
    from pathlib import Path

    from evolution_core.events import KINDS
    from webapp.runs.sentences import _TELLERS

    script = (Path(__file__).parents[2] / "webapp/static/js/live.js").read_text()
    for kind in {*KINDS, *_TELLERS}:
        assert f'"{kind}"' in script, kind
    assert set(KINDS) <= set(_TELLERS)
