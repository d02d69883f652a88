"""Trying a run out from the form: asked for without losing a word, waited for, shown in figures, its problems beside
the fields."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from evolution_core.spec import RunSpec
from tests.webapp.test_run_form import NEW, posted
from webapp.runs.dry_runs import FRESH, forecast, span
from webapp.runs.forms import typed_spec
from webapp.runs.models import DryRun, Run

FORM = "application/x-www-form-urlencoded"
HTMX = {"HX-Request": "true"}


def sketched(name: str, conv1: int, parameters: int, latency: float | None) -> dict[str, Any]:
    return {
        "id": name,
        "generation": 0,
        "parameters": parameters,
        "living_synapses": parameters,
        "macs": 10 * parameters,
        "bytes": 4 * parameters,
        "file_bytes": 4 * parameters + 1000,
        "layers": {"conv1": conv1, "fc1": 10},
        "budget": {},
        "latency_ms": latency,
    }


RESULT: dict[str, Any] = {
    "networks": [
        sketched("ancestor", 20, 431_000, 0.4),
        sketched("1-1", 12, 154_000, 0.2),
        sketched("2-1", 6, 43_100, None),
        sketched("3-1", 3, 4_310, 0.05),
    ],
    "generations": 4,
    "offspring": 2,
    "drawn": 3,
    "images": {"train": 54, "validation": 6, "test": 15},
    "shape": [3, 32, 32],
    "classes": 2,
    "epochs": 2.0,
    "seconds": {"low": 240.0, "high": 420.0},
    "ancestor_seconds": {"low": 40.0, "high": 60.0},
    "birth_seconds": [{"low": 30.0, "high": 50.0}, {"low": 20.0, "high": 30.0}],
    "pace": {"ancestor": 900.0},
    "at_once": 2,
    "kept_bytes": 3_600_000,
    "working_bytes": 64_000_000,
    "notes": ["it is fed pixels normalised as: 0 to 1"],
}


@pytest.fixture
def dry(team: Any, dataset: Any) -> DryRun:
    return DryRun.objects.create(team=team, dataset=dataset, spec=RunSpec().to_json())


def typed(dataset: Any, **changes: Any) -> str:
    return posted(typed_spec(RunSpec()) | {"dataset": dataset.pk, "action": "dry-run"} | changes).urlencode()


def test_it_is_asked_for_and_nothing_typed_is_lost(
    client_of: Any, eve: Any, team: Any, dataset: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """Without scripts: the page comes back with everything in it."""
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(eve).post(NEW, typed(dataset, name="My <run>", epochs="3"), content_type=FORM)
    row = DryRun.objects.get()
    assert (row.team, row.dataset, row.created_by, row.state) == (team, dataset, eve, "waiting")
    assert row.run_spec == RunSpec(epochs=3)
    assert dispatched == [("workers.dry_run", row.pk)]
    page = response.content.decode()
    assert response.status_code == 200
    assert "My &lt;run&gt;" in page
    assert response.context["form"]["epochs"].value() == "3"
    assert "Waiting for a worker" in page
    assert f'hx-get="{reverse("runs:dry_run", args=[row.pk])}"' in page
    assert not Run.objects.exists()


def test_with_scripts_only_the_panel_comes(client_of: Any, eve: Any, dataset: Any, dispatched: Any) -> None:
    response = client_of(eve).post(NEW, typed(dataset), content_type=FORM, headers=HTMX)
    assert next(template.name for template in response.templates) == "runs/_dry_run.html"
    assert "<form" not in response.content.decode()


def test_a_form_with_errors_takes_the_old_ones_place(client_of: Any, eve: Any, dataset: Any, dispatched: Any) -> None:
    response = client_of(eve).post(NEW, typed(dataset, epochs="soon", name="Kept"), content_type=FORM, headers=HTMX)
    assert response.status_code == 200  # htmx would leave the page alone otherwise
    assert (response["HX-Retarget"], response["HX-Reselect"], response["HX-Reswap"]) == (
        "#run-form",
        "#run-form",
        "outerHTML",
    )
    page = unescape(response.content.decode())
    assert "Must be a number" in page
    assert 'value="soon"' in page
    assert 'value="Kept"' in page
    assert not DryRun.objects.exists()
    plain = client_of(eve).post(NEW, typed(dataset, epochs="soon"), content_type=FORM)
    assert plain.status_code == 422


def test_the_same_question_is_answered_once(client_of: Any, eve: Any, dataset: Any, dispatched: Any) -> None:
    client = client_of(eve)
    for _ in range(2):
        client.post(NEW, typed(dataset), content_type=FORM)
    assert DryRun.objects.count() == 1
    client.post(NEW, typed(dataset, epochs="9"), content_type=FORM)
    assert DryRun.objects.count() == 2
    DryRun.objects.update(created_at=timezone.now() - FRESH - timedelta(seconds=1))
    client.post(NEW, typed(dataset), content_type=FORM)
    assert DryRun.objects.count() == 3  # the machine may be busier now
    DryRun.objects.update(state="errored")
    client.post(NEW, typed(dataset), content_type=FORM)
    assert DryRun.objects.count() == 4  # what went wrong is tried again


def test_figures_are_shown_when_it_is_done(client_of: Any, eve: Any, dry: DryRun) -> None:
    DryRun.objects.update(state="ready", result=RESULT)
    page = unescape(client_of(eve).get(reverse("runs:dry_run", args=[dry.pk])).content.decode())
    assert "hx-trigger" not in page  # it waits no longer
    for words in ("100× smaller", "4 to 7 minutes", "2 networks are trained at a time", "3.60 MB", "64.0 MB"):
        assert words in page, words
    for words in ("8.0× faster", "conv1", "1-1", "3-1", "It is fed pixels", "3 of 4 generations were drawn"):
        assert words in page, words


def test_its_tables_can_be_kept(client_of: Any, eve: Any, vic: Any, dry: DryRun) -> None:
    DryRun.objects.update(state="ready", result=RESULT)
    client, page = client_of(eve), reverse("runs:dry_run", args=[dry.pk])
    assert f"{page}tables/layers.csv" in client.get(page).content.decode()
    networks = client.get(f"{page}tables/networks.json").json()
    assert [row["name"] for row in networks] == ["ancestor", "1-1", "2-1", "3-1"]
    assert networks[-1]["smaller"] == pytest.approx(100)
    lines = client.get(f"{page}tables/layers.csv").content.decode("utf-8-sig").splitlines()
    assert lines == ['"name","ancestor","first","last"', '"conv1",20,12,3', '"fc1",10,10,10']
    assert client.get(f"{page}tables/pace.csv").status_code == 404
    assert client_of(vic).get(f"{page}tables/layers.csv").status_code == 403


def test_problems_stand_beside_their_fields(client_of: Any, eve: Any, dataset: Any, dry: DryRun) -> None:
    problems = {"protect": "there is no layer 'conv9'"}
    spec = RunSpec(protect=("conv9",))
    DryRun.objects.update(state="refused", message="protect: …", problems=problems, spec=spec.to_json())
    page = client_of(eve).get(reverse("runs:dry_run", args=[dry.pk])).content.decode()
    assert 'data-field="id_protect"' in page
    assert 'href="#id_protect"' in page
    response = client_of(eve).post(NEW, typed(dataset, protect="conv9"), content_type=FORM)
    assert response.context["form"].errors["protect"] == ["There is no layer 'conv9'."]
    assert '<details class="panel more" open>' in response.content.decode()


def test_a_refusal_of_the_whole_is_a_sentence(client_of: Any, eve: Any, dry: DryRun) -> None:
    DryRun.objects.update(state="refused", message="The own network was deleted.")
    assert "The own network was deleted." in client_of(eve).get(f"/runs/dry/{dry.pk}/").content.decode()


def test_a_clone_is_tried_out_and_stays_a_clone(client_of: Any, eve: Any, run: Any, dispatched: Any) -> None:
    address = reverse("runs:clone", args=[run.pk])
    response = client_of(eve).post(address, typed(run.dataset, seed="5"), content_type=FORM)
    assert response.context["origin"] == run
    assert DryRun.objects.count() == 1


def test_dry_runs_are_for_the_team_and_its_editors(
    client_of: Any, vic: Any, olga: Any, dataset: Any, dry: DryRun
) -> None:
    address = reverse("runs:dry_run", args=[dry.pk])
    assert client_of(olga).get(address).status_code == 404
    assert client_of(vic).get(address).status_code == 403
    assert client_of(vic).post(NEW, typed(dataset), content_type=FORM).status_code == 403
    client_of(olga).post(NEW, typed(dataset), content_type=FORM)
    assert DryRun.objects.count() == 1


def test_asking_takes_a_fixed_number_of_queries(
    client_of: Any, eve: Any, dry: DryRun, django_assert_max_num_queries: Any
) -> None:
    DryRun.objects.update(state="ready", result=RESULT)
    client = client_of(eve)
    with django_assert_max_num_queries(5):
        client.get(reverse("runs:dry_run", args=[dry.pk]))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (240, 420, "4 to 7 minutes"),
        (60, 60.2, "60 seconds"),
        (1, 30, "1 to 30 seconds"),
        (80, 200, "80 seconds to 3 minutes"),
        (3600 * 2, 3600 * 5, "2 to 5 hours"),
    ],
)
def test_spans_in_words(low: float, high: float, words: str) -> None:
    assert span({"low": low, "high": high}) == words


def test_a_line_of_one_generation_reads_well(dry: DryRun) -> None:
    dry.state, dry.result = "ready", {**RESULT, "networks": RESULT["networks"][:2], "generations": 1, "drawn": 1}
    found = forecast(dry)
    assert found.last is not None
    assert found.last.name == "1-1"
    assert found.layers[0].first == found.layers[0].last == 12
    assert found.notes == ["It is fed pixels normalised as: 0 to 1."]
