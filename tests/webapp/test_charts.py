"""What the charts are given: the Pareto front, the lineage's places, and the JSON that holds them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.factories import make_evolution, make_network, make_run
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls
from webapp.runs.chart import chart_data
from webapp.runs.measures import COSTS
from webapp.runs.models import Run
from webapp.runs.pareto import front, hypervolume, progress
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


def rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns as one object a network."""
    columns = data["columns"]
    return [{key: values[i] for key, values in columns.items()} for i in range(len(columns["name"]))]


def test_the_chart_says_everything_once(evolution: Any) -> None:
    data = chart_data(evolution, RunUrls(evolution))
    networks = rows(data)
    names = [network["name"] for network in networks]
    assert len(names) == len(set(names)) == data["count"] == 16
    assert data["rows"] == list(range(16))
    assert names[data["ancestor"]] == "ancestor"
    assert names[data["leading"]] == "5-2"
    assert {names[i] for i in data["path"]} >= {"ancestor", "1-2", "2-2", "3-2", "4-2", "5-2"}
    assert data["network_url"] == f"/runs/{evolution.pk}/networks/NAME/"
    assert data["threshold"] == pytest.approx(0.911)
    lineage = Lineage.of(evolution)
    for network in networks:
        assert tuple(names[i] for i in network["parents"]) == lineage.by_name[network["name"]].parents
        assert data["states"][network["state"]] == lineage.by_name[network["name"]].state
    assert any(len(network["parents"]) == 2 for network in networks)
    for cost in COSTS:
        chosen = [networks[i] for i in data["fronts"][cost]]
        for network in networks:
            if network["accuracy"] is not None and network not in chosen:
                assert any(dominates((c[cost], c["accuracy"]), (network[cost], network["accuracy"])) for c in chosen), (
                    network["name"]
                )


def test_later_answers_hold_what_changed_and_what_is_open(evolution: Any) -> None:
    last = Run.objects.get(pk=evolution.pk).last_event
    evolution.record("tested", network=Network.objects.get(run=evolution, name="2-1"), accuracy=0.9)
    evolution.refresh_from_db()
    data = chart_data(evolution, RunUrls(evolution), after=last)
    assert data["columns"]["name"] == ["2-1", "5-3"]  # one was named by an event, the other is in training
    assert data["count"] == 16
    assert data["last"] == last + 1


@given(st.lists(st.lists(st.tuples(st.integers(1, 9).map(float), few), max_size=6), max_size=6))
def test_the_front_grows_generation_by_generation_to_the_front_of_all(born: list[list[tuple[float, float]]]) -> None:
    numbered = [[(100 * g + i, point) for i, point in enumerate(points)] for g, points in enumerate(born)]
    flat = [pair for points in numbered for pair in points]
    places = [[(cost, -quality, i) for i, (cost, quality) in points] for points in numbered]
    found, volumes = progress(places, (10.0, 0.0))
    assert set(found) == {flat[i][0] for i in front([point for _, point in flat])}
    assert volumes == sorted(volumes)
    best = [point for i, point in flat if i in set(found)]
    whole = hypervolume([best[i] for i in front(best)], (10.0, 0.0))
    assert (volumes[-1] if volumes else 0.0) == pytest.approx(whole)


def test_the_hypervolume_is_an_area_up_to_chance_and_the_dense_cost() -> None:
    reference = (1000.0, 0.1)
    assert hypervolume([(1000.0, 0.9)], reference) == 0.0  # the ancestor itself
    assert hypervolume([(100.0, 0.6)], reference) == pytest.approx(0.5)  # a tenth of the cost, 50 points above chance
    assert hypervolume([(10.0, 0.3), (100.0, 0.6)], reference) == pytest.approx(0.2 + 0.5)
    assert hypervolume([(10.0, 0.05)], reference) == 0.0
    assert hypervolume([(5000.0, 0.9)], reference) == 0.0
    assert hypervolume([(100.0, 0.6), (5000.0, 0.9)], reference) == pytest.approx(0.5)
    assert math.isclose(hypervolume([], reference), 0.0)


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


def test_a_run_without_networks_has_an_empty_chart(run: Any) -> None:
    data = chart_data(run, RunUrls(run))
    assert data["columns"]["name"] == data["rows"] == data["path"] == []
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
    with django_assert_num_queries(3):  # networks, who descends from whom, and what chance reaches
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
