"""Exploring a run: the view in the address, the selection in table and files, rules that land on one network, the card
of a network with its edges, and views that a team keeps."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from tests.webapp.factories import make_evolution, make_network, make_run, make_spec
from webapp.networks.models import Network
from webapp.runs.choice import Rule
from webapp.runs.models import Run, SavedView
from webapp.runs.snapshot import Lineage
from webapp.runs.table import selected
from webapp.runs.trial import NOWHERE, landing
from webapp.runs.view import SHOWN, View

FULL = (
    "height=shock&hscale=log&cost=macs&xscale=linear&yscale=log&network=3-1&against=2-2&by=latency:0.5&q=3-&sort=-latency&drop=2"
    "&accuracy=90..92.5&parameters=..200000&page=2&columns=generation,accuracy&fold=1,2&look=0,5,0.8,1"
    "&zoom=100,200,0.5,0.6&lines=1"
)


@pytest.fixture
def finished(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, finished=True, two_parents=True, files=False)


def names(response: Any) -> list[str]:
    return [row["name"] for row in response.context["table"]["rows"]]


# --- the address -----------------------------------------------------------------------------------------


def test_a_view_is_written_as_it_is_read() -> None:
    view = View.read(QueryDict(FULL).dict())
    assert QueryDict(view.query().removeprefix("?")).dict() == QueryDict(FULL).dict()
    assert View.read({}).query() == "?"


@pytest.mark.parametrize("name", [part.split("=")[0] for part in FULL.split("&")])
def test_what_cannot_be_read_is_as_if_it_were_not_there(name: str) -> None:
    if name in ("network", "against", "q"):  # any text may be a name
        return
    for rubbish in ("", "rubbish", "<script>", "..", "nan..inf", "1e999..", ",", "-", "a,b,c,d"):
        view = View.read({name: rubbish})
        assert view.query() in ("?", "?columns=none"), (name, rubbish)


def test_a_plain_form_asks_with_two_fields_for_a_range() -> None:
    view = View.read({"latency.from": "0.1", "latency.to": "", "bytes.to": "400"})
    assert view.query() == "?bytes=..400&latency=0.1.."
    assert view.bounds("bytes") == (None, 400_000.0)
    assert view.bounds("latency") == (0.1, None)


# --- the selection ----------------------------------------------------------------------------------------


def test_ranges_and_a_name_narrow_the_table(client_of: Any, ada: Any, finished: Run) -> None:
    client, address = client_of(ada), f"/runs/{finished.pk}/"
    everything = client.get(address)
    assert everything.context["table"]["total"] == len(names(everything)) == 16
    lineage = Lineage.of(finished)
    response = client.get(address, {"accuracy": "91..92"})
    expected = [n.name for n in lineage.networks if 0.91 <= (n.validation_accuracy or 0) <= 0.92]
    assert 0 < len(expected) < 16
    assert sorted(names(response)) == sorted(expected)
    assert f"{len(expected)} of 16 selected" in response.content.decode()
    assert names(client.get(address, {"generation": "2..3", "sort": "name"})) == [
        "2-1",
        "2-2",
        "2-3",
        "3-1",
        "3-2",
        "3-3",
    ]
    assert names(client.get(address, {"q": "4-", "accuracy": "..91.5", "sort": "name"})) == [
        n.name for n in lineage.generations[4] if (n.validation_accuracy or 0) <= 0.915
    ]
    nothing = client.get(address, {"parameters": "..1"})
    assert "No network is within this selection" in nothing.content.decode()


def test_what_is_not_measured_is_in_no_range(team: Any, dataset: Any) -> None:
    run = make_evolution(team, dataset, files=False)
    found = selected(Lineage.of(run), View.read({"accuracy": "0..100"}))
    assert "5-3" not in {network.name for network in found}
    assert "5-3" in {network.name for network in selected(Lineage.of(run), View.read({"shock": "0..100"}))}


def test_the_table_is_ordered_paged_and_shows_the_columns_that_are_asked_for(
    client_of: Any, ada: Any, run: Run
) -> None:
    make_network(run, "ancestor", state="measured", parameters=5)
    Network.objects.bulk_create(
        Network(run=run, name=f"1-{i}", generation=1, state="measured", parameters=1000 - i) for i in range(1, 120)
    )
    client, address = client_of(ada), f"/runs/{run.pk}/explore"
    first = client.get(address, {"sort": "parameters", "columns": "memory,parameters"})
    assert names(first)[:3] == ["ancestor", "1-119", "1-118"]
    assert len(names(first)) == 50
    assert [column["key"] for column in first.context["table"]["columns"]] == ["name", "parameters", "memory"]
    last = client.get(address, {"sort": "parameters", "page": "3"})
    assert len(names(last)) == 20
    assert names(client.get(address, {"sort": "parameters", "page": "99"})) == names(last)
    assert last.context["table"]["older"] == ""
    assert "page=2" in last.context["table"]["newer"]
    assert client.get(address).context["view"].columns == SHOWN
    usual, asked = (client.get(address, query).content.decode() for query in ({}, {"columns": "memory,macs"}))
    assert 'class="num wide"' in usual  # on a phone these columns step back ...
    assert 'class="num wide"' not in asked  # ... but not for somebody who asked for them


def test_headings_sort_downwards_first_where_more_is_better(client_of: Any, ada: Any, finished: Run) -> None:
    client, address = client_of(ada), f"/runs/{finished.pk}/"
    columns = {column["key"]: column for column in client.get(address, {"cost": "macs"}).context["table"]["columns"]}
    assert columns["accuracy"]["query"] == "?cost=macs&sort=-accuracy"
    assert columns["latency"]["query"] == "?cost=macs&sort=latency"
    assert columns["parents"]["query"] == ""
    response = client.get(address, {"sort": "latency"})
    latencies = [Lineage.of(finished).by_name[name].latency_ms for name in names(response)]
    assert latencies == sorted(latencies)  # type: ignore[type-var]
    assert 'aria-sort="ascending"' in response.content.decode()


def test_open_networks_stand_first_whatever_the_order(client_of: Any, ada: Any, team: Any, dataset: Any) -> None:
    run = make_evolution(team, dataset, files=False)
    for sort in ("parameters", "-accuracy"):
        assert names(client_of(ada).get(f"/runs/{run.pk}/", {"sort": sort}))[0] == "5-3"


def test_the_selection_can_be_kept_as_csv_and_json(client_of: Any, ada: Any, finished: Run) -> None:
    client = client_of(ada)
    query = {"generation": "4..5", "sort": "parameters"}
    response = client.get(f"/runs/{finished.pk}/tables/networks.csv", query)
    assert response["Content-Disposition"] == f'attachment; filename="networks-{finished.pk}.csv"'
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    plain = client.get(f"/runs/{finished.pk}/tables/networks.json", query).json()
    assert [row["name"] for row in rows] == [row["name"] for row in plain]
    assert len(rows) == 6
    assert float(rows[0]["accuracy"]) == plain[0]["accuracy"]
    assert plain[0]["parents"] == rows[0]["parents"].split()
    assert all(isinstance(row["peak_activation_bytes"], int) for row in plain)
    assert client.get(f"/runs/{finished.pk}/tables/networks.xls").status_code == 404


def test_the_generations_can_be_kept(client_of: Any, ada: Any, finished: Run) -> None:
    rows = client_of(ada).get(f"/runs/{finished.pk}/tables/generations.json").json()
    assert [row["generation"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert rows[0]["hypervolume_parameters"] == 0
    volumes = [row["hypervolume_macs"] for row in rows]
    assert volumes == sorted(volumes)
    assert volumes[-1] > 1
    assert client_of(ada).get(f"/runs/{finished.pk}/tables/generations.csv").content.decode().count("\n") == 7


def test_the_generations_stand_on_the_page_without_scripts(client_of: Any, ada: Any, finished: Run) -> None:
    response = client_of(ada).get(f"/runs/{finished.pk}/", {"cost": "macs"})
    plain = client_of(ada).get(f"/runs/{finished.pk}/tables/generations.json").json()
    shown = response.context["generations"]
    assert [row["hypervolume"] for row in shown] == [row["hypervolume_macs"] for row in plain]
    assert f'data-label="Hypervolume">{plain[-1]["hypervolume_macs"]:.3f}</td>' in response.content.decode()


# --- rules that land on one network ----------------------------------------------------------------------------


def test_a_button_lands_on_the_network_that_the_answers_rule_would_choose(finished: Run) -> None:
    lineage = Lineage.of(finished)
    for rule in (Rule("within", 1.0), Rule("latency", 0.3), Rule("size", 600.0)):
        found, why = landing(finished, lineage, rule)
        choice = rule.choose(lineage)
        assert found is not None
        assert choice is not None
        assert found == choice.network
        assert why.startswith(f"{found.name} is {choice.rule.words('the most accurate offspring', choice.met)}: ")
    assert landing(finished, lineage, Rule("within", 1.0))[1].startswith(
        "5-2 is the smallest within 1 point: 43.1× smaller, "
    )


def test_a_rule_that_nothing_meets_lands_on_the_nearest_and_says_so(finished: Run, run: Run) -> None:
    assert landing(run, Lineage.of(run), Rule("within", 1.0)) == (None, NOWHERE)
    for rule, words in (
        (Rule("latency", 0.0001), "the fastest; none is under 0.0001 ms"),
        (Rule("size", 0.001), "the smallest file; none is under 0.001 kB"),
    ):
        found, why = landing(finished, Lineage.of(finished), rule)
        assert found is not None
        assert words in why
    Network.objects.filter(run=finished).exclude(name="ancestor").update(validation_accuracy=0.5)
    _, why = landing(finished, Lineage.of(finished), Rule("within", 0.5))
    assert "none is within 0.5 points" in why
    assert "50.0 % accuracy on validation" in why


def test_a_rule_answers_scripts_and_plain_forms(client_of: Any, ada: Any, finished: Run) -> None:
    client, address = client_of(ada), f"/runs/{finished.pk}/pick"
    answer = client.get(address, {"rule": "within", "value": "1"}, headers={"accept": "application/json"}).json()
    assert answer["network"] == "5-2"
    plain = client.get(address, {"rule": "within", "value": "1", "cost": "macs", "network": "1-1"})
    assert plain.url == f"/runs/{finished.pk}/?cost=macs&network=5-2#run-card"
    for rule, value, problem in (
        ("within", "x", "Value: Enter a number."),
        ("within", "nan", "Value: Enter a number."),
        ("within", "-1", "Value: Ensure this value is greater than or equal to 0."),
        ("within", "101", "At most 100 points."),
        ("latency", "", "Say how many ms."),
        ("other", "1", "Kind: Select a valid choice. other is not one of the available choices."),
        ("", "1", "Say by which rule."),
    ):
        answer = client.get(address, {"rule": rule, "value": value}, headers={"accept": "application/json"}).json()
        assert answer == {"network": None, "sentence": problem}


# --- the card and its edges ---------------------------------------------------------------------------------------


def test_the_card_is_the_selected_networks_or_the_leading_ones(client_of: Any, ada: Any, finished: Run) -> None:
    client, address = client_of(ada), f"/runs/{finished.pk}/"
    assert client.get(address).context["card"]["selected"].name == "5-2"
    assert client.get(address, {"network": "nobody"}).context["card"]["selected"].name == "5-2"
    card = client.get(address, {"network": "3-1"}).context["card"]
    assert card["selected"].name == "3-1"
    figures = {row["label"]: row for row in card["figures"]}
    assert set(figures) >= {"Accuracy", "Shock", "Parameters", "Multiply-adds", "Size", "Memory", "Latency"}
    assert figures["Parameters"]["note"].endswith("× fewer")
    first = card["layers"][0]
    assert (first["layer"], first["of"]) == ("conv1", 96)
    assert 0 < first["left"] < 96


def test_an_edge_is_the_difference_from_that_parent_layer_by_layer(client_of: Any, ada: Any, finished: Run) -> None:
    lineage = Lineage.of(finished)
    child = next(n for n in lineage.networks if len(n.parents) == 2)
    parent = lineage.by_name[child.parents[1]]
    response = client_of(ada).get(f"/runs/{finished.pk}/explore", {"network": child.name, "against": parent.name})
    card = response.context["card"]
    assert card["against"].name == parent.name
    assert [edge["name"] for edge in card["edges"]] == [*child.parents, "ancestor"]
    for row in card["layers"]:
        assert (row["of"], row["left"]) == (parent.clusters[row["layer"]], child.clusters[row["layer"]])
        assert row["before"] >= row["parameters"] > 0
    stranger = client_of(ada).get(f"/runs/{finished.pk}/", {"network": child.name, "against": "5-1"})
    assert stranger.context["card"]["against"].name == "ancestor"


def test_the_ancestor_and_an_empty_run_have_a_card_too(client_of: Any, ada: Any, finished: Run, run: Run) -> None:
    card = client_of(ada).get(f"/runs/{finished.pk}/", {"network": "ancestor"}).context["card"]
    assert card["against"] is None
    assert {row["note"] for row in card["figures"]} == {""}
    assert client_of(ada).get(f"/runs/{run.pk}/").context["card"]["selected"] is None


def test_exploring_costs_the_same_for_many_networks(client_of: Any, ada: Any, team: Any, dataset: Any) -> None:
    def queries(run: Run, part: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            query = {"network": "1-1", "accuracy": "10..100", "rule": "within", "value": "1"}
            response = client.get(f"/runs/{run.pk}/{part}", query, headers={"accept": "application/json"})
            assert response.status_code == 200
        return len(captured)

    client = client_of(ada)
    small = make_evolution(team, dataset, spec=make_spec(generations=1, offspring=1), finished=True, files=False)
    large = make_evolution(team, dataset, finished=True, two_parents=True, files=False)
    for part in ("", "explore", "chart.json", "pick", "tables/networks.csv", "tables/generations.json"):
        queries(small, part)
        assert queries(large, part) == queries(small, part) <= 15, part


# --- views that are kept ---------------------------------------------------------------------------------------------


def test_an_editor_keeps_a_view_and_a_viewer_opens_it(client_of: Any, eve: Any, vic: Any, finished: Run) -> None:
    address = f"/runs/{finished.pk}/"
    client_of(eve).post(f"{address}views/", {"name": " Small  and fast ", "query": f"?{FULL}&next=//evil.example"})
    view = SavedView.objects.get()
    assert (view.name, view.created_by) == ("Small and fast", eve)
    assert QueryDict(view.query.removeprefix("?")).dict() == QueryDict(FULL).dict()
    page = client_of(vic).get(address).content.decode()
    assert "Small and fast" in page
    assert f"/views/{view.pk}/delete/" not in page
    assert client_of(vic).post(f"{address}views/", {"name": "Mine"}).status_code == 403
    assert client_of(vic).post(f"{address}views/{view.pk}/delete/").status_code == 403


def test_the_same_name_changes_the_view_and_another_run_has_its_own(client_of: Any, ada: Any, finished: Run) -> None:
    client = client_of(ada)
    for query in ("?cost=macs", "?cost=bytes"):
        client.post(f"/runs/{finished.pk}/views/", {"name": "One", "query": query})
    assert [view.query for view in SavedView.objects.all()] == ["?cost=bytes"]
    other = make_run(finished.team, finished.dataset)
    view = SavedView.objects.get()
    assert client.post(f"/runs/{other.pk}/views/{view.pk}/delete/").status_code == 404
    client.post(f"/runs/{finished.pk}/views/{view.pk}/delete/")
    assert SavedView.objects.count() == 0


def test_a_view_needs_a_name_and_there_is_an_end(client_of: Any, ada: Any, finished: Run) -> None:
    client = client_of(ada)
    client.post(f"/runs/{finished.pk}/views/", {"name": "  ", "query": "?cost=macs"})
    assert SavedView.objects.count() == 0
    SavedView.objects.bulk_create(SavedView(run=finished, name=f"View {i}") for i in range(50))
    client.post(f"/runs/{finished.pk}/views/", {"name": "One too many"})
    client.post(f"/runs/{finished.pk}/views/", {"name": "View 7", "query": "?cost=macs"})
    assert SavedView.objects.count() == 50
    assert SavedView.objects.get(name="View 7").query == "?cost=macs"


def test_strangers_and_shared_pages_know_nothing_of_views(
    client: Any, client_of: Any, olga: Any, finished: Run
) -> None:
    from webapp.sharing.models import ShareLink

    view = SavedView.objects.create(run=finished, name="Between us", query="?cost=macs")
    assert client_of(olga).post(f"/runs/{finished.pk}/views/", {"name": "x"}).status_code == 404
    assert client_of(olga).post(f"/runs/{finished.pk}/views/{view.pk}/delete/").status_code == 404
    link = ShareLink.objects.create(run=finished)
    page = client.get(f"/s/{link.token}/").content.decode()
    assert "Between us" not in page
    assert "/views/" not in page
