"""Several runs from one form: read and refused at the field, counted before launch, started together, compared."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from evolution_core.spec import RunSpec
from tests.webapp.factories import make_network
from tests.webapp.test_run_form import NEW, posted
from webapp.networks.models import Network
from webapp.runs.deleting import delete_run
from webapp.runs.forms import RunForm, typed_spec
from webapp.runs.group_view import GroupView
from webapp.runs.groups import GroupPage
from webapp.runs.models import Run, RunGroup
from webapp.runs.sweeps import MOST_RUNS, SweepError, read_sweep, start_sweep

FORM = "application/x-www-form-urlencoded"


def rows(*pairs: tuple[str, str]) -> dict[str, str]:
    typed = {}
    for number, (setting, values) in enumerate(pairs, 1):
        typed |= {f"sweep-{number}-setting": setting, f"sweep-{number}-values": values}
    return typed


# --- reading -------------------------------------------------------------------------------


def test_every_combination_becomes_a_spec_in_order() -> None:
    base = RunSpec(generations=3)
    sweep = read_sweep(rows(("environment", "0.5, 0.6, 40x"), ("seed", "1,2,3")), base)
    assert sweep.settings == ("environment", "seed")
    assert len(sweep.specs) == 9
    assert sweep.specs[0] == base.replace(environment=0.5, seed=1)
    assert sweep.specs[1] == base.replace(environment=0.5, seed=2)
    assert sweep.specs[8] == base.replace(environment="40x", seed=3)
    assert sweep.sentence == "9 runs: environment 3 × seed 3"


@pytest.mark.parametrize(
    ("setting", "text", "values"),
    [
        ("environment", "0.8,0.6; 0.9,0.5", [RunSpec(environment="0.8,0.6"), RunSpec(environment="0.9,0.5")]),
        ("stress", "none, death-list+pressure", [RunSpec(stress="none"), RunSpec(stress="death-list,pressure")]),
        ("repair", "yes, no", [RunSpec(repair=True), RunSpec(repair=False)]),
        ("architecture", "lenet5, resnet20", [RunSpec(), RunSpec(architecture="resnet20")]),
        ("last_epochs", "4, 8", [RunSpec(last_epochs=4), RunSpec(last_epochs=8)]),
        ("protect", "conv1,fc1; conv2", [RunSpec(protect=("conv1", "fc1")), RunSpec(protect=("conv2",))]),
    ],
)
def test_values_of_every_kind(setting: str, text: str, values: list[RunSpec]) -> None:
    assert list(read_sweep(rows((setting, text)), RunSpec()).specs) == values


def test_nothing_typed_is_no_sweep() -> None:
    assert not read_sweep({}, RunSpec())
    assert not read_sweep(rows(("", ""), ("", " ")), RunSpec())


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        (rows(("", "1, 2")), "sweep-1-setting", "Choose the setting"),
        (rows(("seed", "")), "sweep-1-values", "Type the values"),
        (rows(("seed", "1, 2"), ("seed", "3, 4")), "sweep-2-setting", "varied already"),
        (rows(("seed", "1, many")), "sweep-1-values", "Many: must be a whole number"),
        (rows(("seed", "1")), "sweep-1-values", "two values or more"),
        (rows(("epochs", "2, 2.0")), "sweep-1-values", "2.0 stands there twice"),
        (rows(("environment", "0.5, 7")), "sweep-1-values", "7: constant, factor: must be at most 1"),
        (rows(("survivors", "1, 9")), "sweep-1-values", "With survivors 9: cannot exceed the 2 offspring"),
        (rows(("seed", ",".join(map(str, range(13)))), ("epochs", "1,2,3,4,5")), "sweep-2-values", "These are 65 runs"),
    ],
)
def test_what_is_wrong_is_said_at_the_row(typed: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(SweepError) as refused:
        read_sweep(typed, RunSpec())
    assert list(refused.value.problems) == [field]
    assert words in refused.value.problems[field]


def test_a_sweep_may_be_as_large_as_it_says() -> None:
    sweep = read_sweep(rows(("seed", ",".join(map(str, range(MOST_RUNS // 2)))), ("epochs", "1,2")), RunSpec())
    assert len(sweep.specs) == MOST_RUNS


def bound(team: Any, dataset: Any, **typed: str) -> RunForm:
    return RunForm(posted(typed_spec(RunSpec()) | {"dataset": dataset.pk} | typed), team=team)


def test_a_network_that_does_not_fit_the_data_is_refused_in_a_sweep_too(team: Any, dataset: Any) -> None:
    form = bound(team, dataset, **rows(("architecture", "lenet5, tiny-yolov2")))
    assert "is for detection" in form.errors["sweep-1-values"][0]


def test_files_of_ones_own_cannot_be_varied(team: Any, dataset: Any) -> None:
    form = bound(team, dataset, **rows(("weights", "a, b")))
    assert "sweep-1-setting" in form.errors


# --- from the form ------------------------------------------------------------------------


def typed(dataset: Any, **changes: Any) -> str:
    return posted(typed_spec(RunSpec()) | {"dataset": dataset.pk, "name": "Trials"} | changes).urlencode()


def test_the_number_of_runs_is_said_before_launch(client_of: Any, eve: Any, dataset: Any) -> None:
    body = typed(dataset, **rows(("environment", "0.5, 0.6"), ("seed", "1,2,3")))
    client, address = client_of(eve), reverse("runs:estimate")
    page = client.post(address, body, content_type=FORM).content.decode()
    assert "6 runs: environment 2 × seed 3." in page
    assert "About 54 trainings" in page
    assert "Start 6 runs" in page
    wrong = typed(dataset, **rows(("seed", "x, y")))
    assert (
        "once every field" in client_of(eve).post(reverse("runs:estimate"), wrong, content_type=FORM).content.decode()
    )


def test_all_runs_are_made_together(
    client_of: Any, eve: Any, team: Any, dataset: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    body = typed(dataset, **rows(("environment", "0.5, 0.6"), ("seed", "1,2")))
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(eve).post(NEW, body, content_type=FORM)
    group = RunGroup.objects.get()
    assert response.url == reverse("runs:group", args=[group.pk])
    assert (group.team, group.name, group.axes, group.created_by) == (team, "Trials", ["environment", "seed"], eve)
    runs = list(group.runs.order_by("pk"))
    assert [run.name for run in runs][:2] == ["Trials: environment 0.5, seed 1", "Trials: environment 0.5, seed 2"]
    assert {(run.run_spec.environment.parameters["factor"], run.run_spec.seed) for run in runs} == {
        (0.5, 1),
        (0.5, 2),
        (0.6, 1),
        (0.6, 2),
    }
    assert all([event.kind for event in run.events.all()] == ["queued"] for run in runs)
    assert dispatched == [("workers.advance", run.pk) for run in runs]


def test_a_sweep_that_is_refused_keeps_what_was_typed_and_starts_nothing(
    client_of: Any, eve: Any, dataset: Any
) -> None:
    response = client_of(eve).post(NEW, typed(dataset, **rows(("seed", "1, one"))), content_type=FORM)
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="1, one"' in page
    assert '<details class="panel more" open id="sweep">' in page
    assert not Run.objects.exists()
    assert not RunGroup.objects.exists()


def test_names_of_runs_fit_however_long_the_sweeps_is(team: Any, dataset: Any, dispatched: Any) -> None:
    sweep = read_sweep(rows(("environment", "0.8,0.7,0.6,0.5; 0.9,0.9,0.9,0.9")), RunSpec())
    group = start_sweep(sweep, team=team, dataset=dataset, name="n" * 100, user=None)
    assert all(len(run.name) <= 100 and "0." in run.name for run in group.runs.all())


# --- the page -----------------------------------------------------------------------------


@pytest.fixture
def group(team: Any, dataset: Any, dispatched: Any) -> RunGroup:
    """Two environments by two seeds: three runs finished, one under way."""
    sweep = read_sweep(rows(("environment", "0.5, 0.6"), ("seed", "1,2")), RunSpec())
    made = start_sweep(sweep, team=team, dataset=dataset, name="Trials", user=None)
    finish_all_but_last(made)
    return made


def finish_all_but_last(group: RunGroup) -> None:
    """What four runs come to: chosen networks 8, 4 and 2.7 times smaller, and a run that is in its first generation."""
    now = timezone.now()
    for number, run in enumerate(group.runs.order_by("pk")):
        measured = {"state": Network.State.MEASURED, "ancestor_latency_ms": 1.0}
        make_network(run, "ancestor", parameters=8000, macs=9000, validation_accuracy=0.9, latency_ms=1.0, **measured)
        if number == 3:
            Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING, generation=1)
            continue
        chosen = make_network(
            run,
            "1-1",
            ("ancestor",),
            parameters=1000 * (number + 1),
            macs=900,
            validation_accuracy=0.88 + 0.01 * number,
            test_accuracy=0.8 + 0.02 * number,
            latency_ms=0.25,
            **measured,
        )
        Run.objects.filter(pk=run.pk).update(
            state=Run.State.FINISHED, chosen=chosen, started_at=now - timedelta(minutes=6), finished_at=now
        )


def page_of(group: RunGroup, **query: str) -> GroupPage:
    return GroupPage(group, GroupView.read(query, group.axes))


def test_runs_stand_side_by_side_with_what_differs(client_of: Any, vic: Any, group: RunGroup) -> None:
    page = unescape(client_of(vic).get(reverse("runs:group", args=[group.pk])).content.decode())
    for words in ("Trials", "4 runs over environment and seed", "3 finished", "8.0×", "−2.0", "Generation 1", "4.0×"):
        assert words in page, words
    assert "Cancel all" not in page  # for editors
    assert "style=" not in page


def test_mean_and_spread_over_the_seeds(group: RunGroup) -> None:
    first, second = page_of(group).summaries
    assert (first.labelled, first.runs, first.finished) == ([("Environment", "0.5")], 2, 2)
    assert [told["words"] for told in first.told] == ["6.0× ± 2.8", "−1.5 ± 0.7", "81.0 % ± 1.4", "4.0× ± 0"]
    assert (second.labelled, second.runs, second.finished) == ([("Environment", "0.6")], 2, 1)
    assert second.told[0]["words"] == "2.7×"


def test_seeds_alone_are_summed_up_too(team: Any, dataset: Any, dispatched: Any) -> None:
    sweep = read_sweep(rows(("seed", "1,2")), RunSpec())
    page = page_of(start_sweep(sweep, team=team, dataset=dataset, name="Seeds", user=None))
    assert page.summaries == []
    assert page.whole is not None
    assert page.whole.runs == 2


def test_the_scatters_axes_are_the_addresses(client_of: Any, vic: Any, group: RunGroup) -> None:
    chart = json.loads(page_of(group, x="environment", y="smaller").chart)
    assert [(p["x"], p["y"]) for p in chart["points"]] == [(0.5, 8.0), (0.5, 4.0), (0.6, pytest.approx(8 / 3))]
    assert chart["points"][0]["name"] == "environment 0.5 · seed 1"
    assert (chart["x"]["label"], chart["y"]["label"]) == ("environment", "times smaller")
    client, address = client_of(vic), reverse("runs:group", args=[group.pk])
    assert '<option value="test" selected>' in client.get(address, {"y": "test"}).content.decode()
    fallen_back = client.get(address, {"x": "<b>", "y": "nothing", "sort": "beauty"}).context["page"]
    assert (fallen_back.x, fallen_back.y, fallen_back.view) == ("environment", "points", GroupView())


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", [1, 2, 3, 4]),  # as typed
        ("-run", [4, 3, 2, 1]),
        ("-environment", [3, 4, 1, 2]),  # of equals the first typed
        ("seed", [1, 3, 2, 4]),
        ("state", [4, 1, 2, 3]),  # what is under way first
        ("smaller", [3, 2, 1, 4]),  # what is not known comes last, whatever the order
        ("-smaller", [1, 2, 3, 4]),
        ("-points", [3, 2, 1, 4]),
        ("minutes", [1, 2, 3, 4]),  # no column of the table
    ],
)
def test_the_order_of_the_runs_is_the_addresses(
    client_of: Any, vic: Any, group: RunGroup, sort: str, expected: list[int]
) -> None:
    client, address = client_of(vic), reverse("runs:group", args=[group.pk])
    assert [row.number for row in client.get(address, {"sort": sort}).context["page"].runs] == expected
    kept = csv.DictReader(io.StringIO(client.get(f"{address}tables/runs.csv?sort={sort}").content.decode("utf-8-sig")))
    keys = list(group.runs.order_by("pk").values_list("pk", flat=True))
    assert [keys.index(int(row["run"])) + 1 for row in kept] == expected


def test_the_sums_over_the_seeds_have_an_order_of_their_own(client_of: Any, vic: Any, group: RunGroup) -> None:
    def first(**query: str) -> str:
        return page_of(group, **query).summaries[0].labelled[0][1]

    assert (first(), first(seeds="-environment"), first(seeds="smaller"), first(seeds="-runs")) == (
        *("0.5", "0.6"),
        *("0.6", "0.5"),
    )
    assert page_of(group, seeds="seed").view.seeds == ""  # it is what is summed up
    page = client_of(vic).get(reverse("runs:group", args=[group.pk]), {"seeds": "-smaller", "sort": "seed"})
    html = page.content.decode()
    assert html.count('aria-sort="descending"') == html.count('aria-sort="ascending"') == 1
    assert 'href="?sort=seed&amp;seeds=smaller#seeds" data-carries' in html
    assert 'href="?sort=-seed&amp;seeds=-smaller#runs" data-carries' in html
    assert '<option value="seed" selected>By seed, upwards' in html


def test_settings_of_several_kinds_have_an_order(team: Any, dataset: Any, dispatched: Any) -> None:
    sweep = read_sweep(rows(("environment", "40x, 0.5")), RunSpec())
    made = start_sweep(sweep, team=team, dataset=dataset, name="Mixed", user=None)
    assert [row.words["environment"] for row in page_of(made, sort="environment").runs] == ["0.5", "40×"]
    stress = start_sweep(
        read_sweep(rows(("stress", "none, death-list")), RunSpec()), team=team, dataset=dataset, name="S", user=None
    )
    assert [row.number for row in page_of(stress, sort="stress").runs] == [2, 1]  # Death list, None


def test_ticks_of_a_sweep_stand_in_its_address(
    client_of: Any, vic: Any, group: RunGroup, run: Run, other_run: Run
) -> None:
    first, second, *_ = group.runs.order_by("pk")
    query = {"compare": f"{second.pk},{first.pk},{run.pk},{other_run.pk}", "y": "test"}
    page = client_of(vic).get(reverse("runs:group", args=[group.pk]), query)
    html = page.content.decode()
    assert page.context["page"].ticked == {first.pk, second.pk}  # of no other sweep, and of no other team
    assert f'value="{first.pk}" checked aria-label="Compare' in html
    assert "2 ticked" in html
    assert "?y=test&amp;sort=seed&amp;compare=" in html
    assert '<a href="?y=test">Untick all</a>' in html
    assert f'name="compare" value="{second.pk},{first.pk},' in html  # another axis leaves them ticked


def test_a_run_of_a_sweep_that_learnt_nothing_says_so(client_of: Any, vic: Any, group: RunGroup) -> None:
    Network.objects.filter(run=group.runs.order_by("pk")[0], name="ancestor").update(record={"chance": 0.9})
    html = client_of(vic).get(reverse("runs:group", args=[group.pk])).content.decode()
    assert html.count("The ancestor hardly beats guessing") == 1
    assert 'class="num muted" data-label="Smaller">8.0×' in html


def test_settings_without_numbers_have_places_by_name(team: Any, dataset: Any, dispatched: Any) -> None:
    sweep = read_sweep(rows(("stress", "none, death-list")), RunSpec())
    page = page_of(start_sweep(sweep, team=team, dataset=dataset, name="Stress", user=None), x="stress", y="stress")
    chart = json.loads(page.chart)
    assert chart["x"]["names"] == ["None (control)", "Death list"]
    assert [point["x"] for point in chart["points"]] == [0, 1]


def test_shares_and_targets_share_no_axis_of_numbers(team: Any, dataset: Any, dispatched: Any) -> None:
    sweep = read_sweep(rows(("environment", "0.5, 40x")), RunSpec())
    page = page_of(start_sweep(sweep, team=team, dataset=dataset, name="Mixed", user=None))
    assert json.loads(page.chart)["x"]["names"] == ["0.5", "40×"]


def test_the_live_part_waits_only_while_something_is_under_way(client_of: Any, vic: Any, group: RunGroup) -> None:
    address = reverse("runs:group_live", args=[group.pk])
    page = client_of(vic).get(address, {"y": "test"}).content.decode()
    assert "<html" not in page
    assert f'data-refresh="{address}"' in page
    assert "y=test" in page
    group.runs.update(state=Run.State.FINISHED)
    assert "data-refresh" not in client_of(vic).get(address).content.decode()


def test_the_table_can_be_taken_away(client_of: Any, vic: Any, group: RunGroup) -> None:
    run = group.runs.order_by("pk")[0]
    Run.objects.filter(pk=run.pk).update(name="=cmd|' /C calc'!A0")
    response = client_of(vic).get(f"/runs/groups/{group.pk}/tables/runs.csv")
    assert response["Content-Type"].startswith("text/csv")
    head, first, *others = csv.reader(io.StringIO(response.content.decode("utf-8-sig")))
    assert head[:5] == ["run", "name", "state", "environment", "seed"]
    assert first[1].startswith("'=")
    assert first[2:6] == ["finished", "0.5", "1", "8.0"]
    assert len(others) == 3


def test_all_that_has_not_ended_is_cancelled(
    client_of: Any, eve: Any, group: RunGroup, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    dispatched.clear()
    with django_capture_on_commit_callbacks(execute=True):
        client_of(eve).post(reverse("runs:group_cancel", args=[group.pk]))
    cancelled = group.runs.get(cancel_requested_at__isnull=False)
    assert cancelled.state == Run.State.RUNNING
    assert dispatched == [("workers.advance", cancelled.pk)]
    assert cancelled.events.last().kind == "cancelling"


def test_a_sweep_is_one_line_of_the_list_until_something_is_looked_for(
    client_of: Any, vic: Any, group: RunGroup, run: Any
) -> None:
    client = client_of(vic)
    page = client.get("/runs/").content.decode()
    assert page.count("row-link") == 2
    assert "sweep of 4" in page
    assert "3 of 4 finished" in page
    assert client.get("/runs/", {"q": "trials"}).content.decode().count("row-link") == 4
    assert client.get("/runs/", {"state": "finished"}).content.decode().count("row-link") == 3


def test_a_sweep_goes_with_its_last_run(group: RunGroup) -> None:
    group.runs.update(state=Run.State.FINISHED)
    keys = list(group.runs.order_by("pk").values_list("pk", flat=True))
    for pk in keys[:-1]:
        assert delete_run(pk)
    assert page_of(RunGroup.objects.get()).rows[0].run.pk == keys[-1]
    assert delete_run(keys[-1])
    assert not RunGroup.objects.exists()


@pytest.mark.parametrize("name", ["runs:group", "runs:group_live", "runs:group_cancel"])
def test_sweeps_of_another_team_are_invisible(client_of: Any, vic: Any, olga: Any, group: RunGroup, name: str) -> None:
    address = reverse(name, args=[group.pk])
    method = "post" if name == "runs:group_cancel" else "get"
    assert getattr(client_of(olga), method)(address).status_code == 404
    if method == "post":
        assert client_of(vic).post(address).status_code == 403
    assert "Trials" not in client_of(olga).get("/runs/").content.decode()


def test_the_pages_queries_are_fixed(
    client_of: Any, vic: Any, group: RunGroup, team: Any, dataset: Any, django_assert_num_queries: Any
) -> None:
    sweep = read_sweep(rows(("seed", ",".join(map(str, range(30))))), RunSpec())
    large = start_sweep(sweep, team=team, dataset=dataset, name="Large", user=None)
    client = client_of(vic)
    for one in (group, large):
        with django_assert_num_queries(10):
            client.get(reverse("runs:group", args=[one.pk]))
    client.get("/runs/")
    with django_assert_num_queries(9):
        client.get("/runs/")
