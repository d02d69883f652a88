"""Runs and networks side by side: the address, the tables, the charts' data, and who may see whose."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from tests.webapp import answers
from tests.webapp.factories import make_box_dataset, make_dataset, make_detection, make_evolution, make_run, make_spec
from webapp.compare.asked import MOST, Asked
from webapp.compare.curves import curve, mean_curve
from webapp.compare.entries import Details, entries_of
from webapp.networks.models import Network
from webapp.runs.models import Run

pytestmark = pytest.mark.django_db

PLAIN = {"parents": 1, "survivors": 2, "generations": 3}


@pytest.fixture
def dataset(team: Any) -> Any:
    return make_dataset(team)


@pytest.fixture
def runs(team: Any, dataset: Any) -> list[Run]:
    """Three seeds of one spec, and a run that differs in more."""
    made = [
        make_evolution(
            team, dataset, finished=True, files=False, name=f"Seed {seed}", spec=make_spec(seed=seed, **PLAIN)
        )
        for seed in range(3)
    ]
    other = make_spec(seed=0, epochs=4, **PLAIN)
    return [*made, make_evolution(team, dataset, finished=True, files=False, name="Longer", spec=other)]


def address(*runs: Run, networks: tuple[tuple[Run, str], ...] = (), more: str = "") -> str:
    parts = [f"run={run.pk}" for run in runs] + [f"network={run.pk}:{name}" for run, name in networks]
    return "/compare/?" + "&".join(parts) + more


def with_history(run: Run, shift: float = 0.0) -> None:
    for network in run.networks.all():
        phases = ["ancestor"] if not network.generation else ["gestation", "growth"]
        history = [
            {"phase": phase, "epoch": epoch, "loss": 0.1, "accuracy": 0.5 + 0.1 * epoch + shift}
            for phase in phases
            for epoch in (1.0, 1.5)
        ]
        seconds = dict.fromkeys(phases, 30.0)
        network.record = {**network.record, "history": history, "seconds": seconds}
        network.save()


# --- the address --------------------------------------------------------------------------


def test_an_address_is_read_and_written_alike() -> None:
    text = "run=3&run=5&network=3%3A4-1&align=time&cost=macs&all=1"
    asked = Asked.read(QueryDict(text))
    assert asked.things == ((3, ""), (5, ""), (3, "4-1"))
    assert asked.query() == f"?{text}"
    assert asked.query(align="epoch", cost="parameters", all=False) == "?run=3&run=5&network=3%3A4-1"
    assert asked.without((5, "")) == "?run=3&network=3%3A4-1&align=time&cost=macs&all=1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "run=&network=",
        "run=x&run=-1&run=²",
        "network=4-1",
        "network=x:y&network=3:",
        "align=up&cost=beauty&all=yes",
    ],
)
def test_nonsense_is_left_out(text: str) -> None:
    assert Asked.read(QueryDict(text)) == Asked()


def test_no_more_than_can_be_told_apart() -> None:
    asked = Asked.read(QueryDict("&".join(f"run={number}" for number in (1, 1, *range(2, 13)))))
    assert [run for run, _ in asked.things] == list(range(1, MOST + 1))
    assert asked.too_many == 4


# --- the page -----------------------------------------------------------------------------


def test_a_run_stands_by_its_chosen_network(client_of: Any, vic: Any, runs: list[Run]) -> None:
    response = client_of(vic).get(address(runs[0], networks=((runs[0], "2-1"),)))
    entries = [row["entry"] for row in response.context["entries"]]
    assert runs[0].chosen is not None
    assert [(one["letter"], one["name"], one["network"].name) for one in entries] == [
        ("A", "", runs[0].chosen.name),
        ("B", "2-1", "2-1"),
    ]
    text = response.content.decode()
    assert "2-1 of Seed 0" in text
    assert f'href="?run={runs[0].pk}" aria-label="Leave out 2-1 of Seed 0"' in text
    assert " style=" not in text


def test_its_tables_stay_tables_where_they_are_laid_out_as_lines(client_of: Any, vic: Any, runs: list[Run]) -> None:
    """On narrow screens rows are grids: browsers then forget the roles that the template does not say."""
    page = client_of(vic).get(f"/compare/?run={runs[0].pk}&run={runs[1].pk}").content.decode()
    (table,) = re.findall(r"<table[^>]*>\s*<caption.*?</table>", page, re.S)
    for tag, roles in {"table": "table", "tr": "row", "td": "cell", "th": "columnheader|rowheader"}.items():
        found = re.findall(rf"<{tag}[ >][^>]*", table)
        assert found
        assert all(re.search(rf'role="({roles})"', one) for one in found), tag
    assert table.count('data-label="Network"') == 2


def test_seeds_get_a_mean_and_a_spread(client_of: Any, vic: Any, runs: list[Run]) -> None:
    for shift, run in zip((0.0, 0.01, 0.02), runs, strict=False):
        network = run.chosen
        assert network is not None
        network.validation_accuracy = 0.9 + shift
        network.save()
    response = client_of(vic).get(address(*runs))
    (group,) = response.context["groups"]
    assert (group["letters"], group["seeds"]) == ("ABC", [0, 1, 2])
    accuracy = group["cells"][0]
    assert accuracy["mean"] == pytest.approx(0.91)
    assert accuracy["deviation"] == pytest.approx(0.01)  # of a sample: n - 1
    text = response.content.decode()
    assert "Mean of 3 seeds" in text
    assert "± 1.00 %" in text


def test_runs_on_other_data_are_no_seeds_of_each_other(client_of: Any, vic: Any, team: Any, runs: list[Run]) -> None:
    other = make_evolution(team, finished=True, files=False, spec=make_spec(seed=9, **PLAIN))
    response = client_of(vic).get(address(runs[0], other))
    assert response.context["groups"] == []


def test_only_what_differs_is_shown_unless_all_is_asked_for(client_of: Any, vic: Any, runs: list[Run]) -> None:
    client = client_of(vic)
    some = client.get(address(runs[0], runs[3])).context["settings"]
    assert [(row["label"], row["values"]) for row in some["rows"]] == [("Epochs", ["2", "4"])]
    every = client.get(address(runs[0], runs[3], more="&all=1")).context["settings"]
    assert len(every["rows"]) == some["same"] + some["differing"] > 20
    assert [row["label"] for row in every["rows"] if row["differs"]] == ["Epochs"]
    alike = client.get(address(runs[0], networks=((runs[0], "1-1"),)))
    assert "What was asked for" not in alike.content.decode()


def test_layers_stand_side_by_side(client_of: Any, vic: Any, runs: list[Run]) -> None:
    rows = client_of(vic).get(address(runs[0], networks=((runs[0], "ancestor"),))).context["layers"]
    chosen = runs[0].chosen
    assert chosen is not None
    assert rows[0] == {
        "layer": "conv1",
        "cells": [{"left": chosen.clusters["conv1"], "of": 96}, {"left": 96, "of": 96}],
    }


def test_classes_stand_side_by_side_where_both_have_answers(client_of: Any, vic: Any, runs: list[Run]) -> None:
    run = runs[0]
    answers.write_all(run, "3-2")
    rows = client_of(vic).get(address(networks=((run, "3-2"), (run, "ancestor"), (run, "1-1")))).context["classes"]
    assert [(row["name"], row["values"]) for row in rows] == [
        ("open", [0.5, 1.0, None]),
        ("closed", [0.5, 1.0, None]),
        ("point", [0.5, 0.0, None]),
    ]
    alone = client_of(vic).get(address(networks=((run, "3-2"), (run, "1-1"))))
    assert alone.context["classes"] == []


def test_detectors_are_compared_by_their_average_precision(client_of: Any, vic: Any, team: Any) -> None:
    run = make_detection(make_box_dataset(team), files=False)
    response = client_of(vic).get(address(run, networks=((run, "ancestor"),)))
    rows = {row["name"]: row["values"] for row in response.context["classes"]}
    assert rows["red"] == [pytest.approx(0.71), pytest.approx(0.77)]
    assert response.context["metric"] == "mAP@.5"


def test_what_is_not_there_is_said(client_of: Any, vic: Any, runs: list[Run]) -> None:
    text = client_of(vic).get(address(runs[0], networks=((runs[0], "9-9"),), more="&run=999999")).content.decode()
    assert "2 of what this address asks for are not in this team" in text
    nothing = client_of(vic).get("/compare/?run=999999")
    assert nothing.status_code == 200
    assert "Choose two runs" in nothing.content.decode()


def test_a_run_without_networks_has_its_place(client_of: Any, vic: Any, team: Any, dataset: Any) -> None:
    young = make_run(team, dataset, name="Young")
    text = client_of(vic).get(address(young)).content.decode()
    assert "none yet" in text
    assert client_of(vic).get(f"/compare/chart.json?run={young.pk}").json()["entries"][0]["point"] is None


def test_the_lists_offer_what_is_not_compared_yet(client_of: Any, vic: Any, runs: list[Run]) -> None:
    text = client_of(vic).get(address(runs[0], networks=((runs[0], "1-1"),))).content.decode()
    offered = set(re.findall(r'<option value="([\d:\w-]+)"', text))
    assert {str(run.pk) for run in runs[1:]} <= offered
    assert f"{runs[0].pk}:2-1" in offered
    assert not {str(runs[0].pk), f"{runs[0].pk}:1-1"} & offered
    assert f'<input type="hidden" name="network" value="{runs[0].pk}:1-1">' in text


def test_the_list_of_runs_has_boxes_to_tick(client_of: Any, vic: Any, runs: list[Run]) -> None:
    text = client_of(vic).get("/runs/").content.decode()
    assert 'action="/compare/" id="compare"' in text
    for run in runs:
        assert (
            f'<input type="checkbox" form="compare" name="run" value="{run.pk}" aria-label="Compare {run.name}">'
            in text
        )


# --- the charts ---------------------------------------------------------------------------


def test_curves_go_on_down_the_line(runs: list[Run], team: Any) -> None:
    with_history(runs[0])
    entries, _ = entries_of(team, Asked.read(QueryDict(f"network={runs[0].pk}:2-1")))
    points = curve(entries[0], Details.of(entries), "epoch")
    assert [(p["network"], p["phase"], p["x"]) for p in points] == [
        ("ancestor", "ancestor", 1.0),
        ("ancestor", "ancestor", 1.5),
        ("1-2", "gestation", 2.5),
        ("1-2", "gestation", 3.0),
        ("1-2", "growth", 4.0),
        ("1-2", "growth", 4.5),
        ("2-1", "gestation", 5.5),
        ("2-1", "gestation", 6.0),
        ("2-1", "growth", 7.0),
        ("2-1", "growth", 7.5),
    ]
    assert points[0]["y"] == pytest.approx(0.6)
    by_time = curve(entries[0], Details.of(entries), "time")
    assert [p["x"] for p in by_time] == [20, 30, 50, 60, 80, 90, 110, 120, 140, 150]


def test_a_mean_curve_needs_curves_of_the_same_moments() -> None:
    def line(*ys: float) -> list[dict[str, Any]]:
        return [{"x": float(x), "y": y} for x, y in enumerate(ys)]

    found = mean_curve([line(0.5, 0.7), line(0.6, 0.9)])
    assert found is not None
    assert found["mean"] == [{"x": 0.0, "y": 0.55}, {"x": 1.0, "y": pytest.approx(0.8)}]
    assert [point["y"] for point in found["low"] + found["high"]] == [0.5, 0.7, 0.6, 0.9]
    assert mean_curve([line(0.5), line(0.5, 0.6)]) is None
    assert mean_curve([line(0.5)]) is None
    assert mean_curve([[], []]) is None


def test_the_chart_gets_curves_means_and_fronts(client_of: Any, vic: Any, runs: list[Run]) -> None:
    for run in runs:
        with_history(run)
    data = client_of(vic).get(address(*runs).replace("/compare/", "/compare/chart.json") + "&cost=latency").json()
    assert [entry["letter"] for entry in data["entries"]] == ["A", "B", "C", "D"]
    assert [mean["letters"] for mean in data["means"]] == ["ABC"]
    chosen = runs[0].chosen
    assert chosen is not None
    assert data["entries"][0]["point"] == {
        "x": chosen.latency_ms,
        "y": chosen.validation_accuracy,
        "name": chosen.name,
        "url": f"/runs/{runs[0].pk}/networks/{chosen.name}/",
    }
    run = data["runs"][0]
    assert len(run["front"]) + len(run["others"]) == Network.objects.filter(run=runs[0]).count()
    costs = [point["x"] for point in run["front"]]
    assert costs == sorted(costs)


def test_of_very_many_networks_the_front_is_whole(client_of: Any, vic: Any, runs: list[Run], monkeypatch: Any) -> None:
    monkeypatch.setattr("webapp.compare.page.POINTS", 2)
    run = client_of(vic).get(f"/compare/chart.json?run={runs[0].pk}").json()["runs"][0]
    assert len(run["front"]) > 2
    assert len(run["others"]) <= 2


@pytest.mark.parametrize("path", ["/compare/", "/compare/chart.json"])
def test_eight_cost_as_many_queries_as_two(
    client_of: Any, vic: Any, team: Any, dataset: Any, runs: list[Run], path: str
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = client_of(vic)
    for run in runs:
        with_history(run)

    def queries(*chosen: Run) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address(*chosen).replace("/compare/", path)).status_code == 200
        return len(captured)

    queries(*runs)
    two = queries(*runs[:2])
    more = [make_evolution(team, dataset, finished=True, files=False) for _ in range(4)]
    assert queries(*runs, *more) == two
    assert two <= 12


# --- who sees whose -----------------------------------------------------------------------


def test_another_teams_runs_are_not_there(client_of: Any, olga: Any, runs: list[Run]) -> None:
    text = client_of(olga).get(address(*runs, networks=((runs[0], "2-1"),))).content.decode()
    assert "5 of what this address asks for are not in this team" in text
    assert "Seed 0" not in text
    data = client_of(olga).get(f"/compare/chart.json?run={runs[0].pk}").json()
    assert data["entries"] == data["runs"] == []


def test_runs_of_two_teams_are_not_mixed(client_of: Any, vic: Any, other_run: Run, runs: list[Run]) -> None:
    response = client_of(vic).get(address(runs[0], other_run))
    assert response.context["missing"] == 1
    assert "Stones" not in response.content.decode()


def test_an_address_of_ones_other_team_switches_to_it(
    client_of: Any, vic: Any, other_run: Run, runs: list[Run]
) -> None:
    from webapp.teams.models import Membership

    Membership.objects.create(team=other_run.team, user=vic, role="viewer")
    client = client_of(vic)
    client.get(address(runs[0]))
    response = client.get(address(other_run, runs[0]))
    assert [row["entry"]["run"].pk for row in response.context["entries"]] == [other_run.pk]
    assert response.context["missing"] == 1


def test_strangers_are_asked_to_sign_in(client: Any, runs: list[Run]) -> None:
    for path in (address(runs[0]), f"/compare/chart.json?run={runs[0].pk}"):
        assert client.get(path).url.startswith("/sign-in/")
    assert client.post(address(runs[0])).status_code in (302, 405)


def test_names_are_text(client_of: Any, vic: Any, runs: list[Run]) -> None:
    Run.objects.filter(pk=runs[0].pk).update(name="<script>alert(1)</script>")
    text = client_of(vic).get(address(*runs)).content.decode()
    assert "<script>alert" not in text
    assert json.loads(client_of(vic).get(f"/compare/chart.json?run={runs[0].pk}").content)


def test_headings_name_runs_while_they_are_few_and_say_alike_settings_once(
    client_of: Any, vic: Any, runs: list[Run]
) -> None:
    client = client_of(vic)
    few = client.get(address(runs[0], runs[3], more="&all=1")).content.decode()
    settings = few.split('id="settings"')[1].split("</section>")[0]
    assert re.search(r'<i class="letter s1">B</i> <span>Longer</span>', settings)
    assert '<td role="cell" colspan="2" class="muted">' in settings
    assert settings.count('data-letter="A"') == 1  # of what differs
    many = [(run, name) for run in (runs[0], runs[3]) for name in ("ancestor", "1-1", "2-1")]
    text = client.get(address(networks=tuple(many))).content.decode()
    assert re.search(r'<i class="letter s3">D</i> .*<span class="visually-hidden">Longer</span>', text)
    assert "a run stands by its chosen network" not in text


def test_runs_are_offered_by_how_long_ago_they_were_started(client_of: Any, vic: Any, runs: list[Run]) -> None:
    """An hour would be that of the server's clock, in a list where no script could make it the reader's."""
    Run.objects.update(created_at=timezone.now() - timedelta(hours=3))
    page = client_of(vic).get("/compare/").content.decode()
    assert f"{runs[0].name} (3\N{NO-BREAK SPACE}hours ago)</option>" in page
