"""Settings kept for the team: saved from the form, offered beside the presets, forgotten; and what a clone changes."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from evolution_core.spec import RunSpec
from tests.webapp.factories import make_base
from tests.webapp.test_run_form import NEW, posted
from webapp.runs import run_templates
from webapp.runs.estimate import what_is_left
from webapp.runs.forms import RunForm, typed_spec
from webapp.runs.models import Run, RunTemplate
from webapp.runs.presets import PRESETS
from webapp.runs.words import differences, settings_context

FORM = "application/x-www-form-urlencoded"


def typed(dataset: Any, spec: RunSpec | None = None, **changes: Any) -> str:
    values = typed_spec(spec or RunSpec()) | {"dataset": dataset.pk, "action": "keep", "keep_as": "Ours"}
    return posted(values | changes).urlencode()


@pytest.fixture
def template(team: Any) -> RunTemplate:
    spec = RunSpec(architecture="resnet20", environment="8x", epochs=7, seed=9)
    return RunTemplate.objects.create(team=team, name="Ours", spec=spec.to_json())


# --- keeping ------------------------------------------------------------------------------


def test_settings_are_kept_and_nothing_is_started(client_of: Any, eve: Any, team: Any, dataset: Any) -> None:
    body = typed(dataset, RunSpec(environment="40x", seed=5), name="Half done")
    response = client_of(eve).post(NEW, body, content_type=FORM)
    kept = RunTemplate.objects.get()
    assert (kept.team, kept.name, kept.task, kept.created_by) == (team, "Ours", "classification", eve)
    assert RunSpec.from_json(kept.spec) == RunSpec(environment="40x")  # the seed is no part of it
    page = unescape(response.content.decode())
    assert "kept as “Ours”" in page
    assert 'value="Half done"' in page
    assert not Run.objects.exists()


def test_a_name_that_exists_is_written_over(client_of: Any, eve: Any, dataset: Any, template: RunTemplate) -> None:
    client_of(eve).post(NEW, typed(dataset, RunSpec(epochs=9)), content_type=FORM)
    template.refresh_from_db()
    assert RunSpec.from_json(template.spec) == RunSpec(epochs=9)
    assert RunTemplate.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"), [({"keep_as": " "}, "Give it a name"), ({"epochs": "soon"}, "Must be a number")]
)
def test_what_cannot_be_kept_is_said(
    client_of: Any, eve: Any, dataset: Any, changes: dict[str, str], words: str
) -> None:
    response = client_of(eve).post(NEW, typed(dataset, **changes), content_type=FORM)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not RunTemplate.objects.exists()


def test_an_own_network_is_no_template_and_weights_are_left_out(team: Any, dataset: Any, eve: Any) -> None:
    own = make_base(team).sha256
    kept, problem = run_templates.keep(team, "a", RunSpec(architecture="own", own=own), dataset, eve)
    assert kept is None
    assert "Clone the run" in problem
    kept, problem = run_templates.keep(team, "a", RunSpec(weights="f" * 64), dataset, eve)
    assert kept is not None
    assert kept.spec["weights"] is None


def test_there_is_an_end_to_templates(
    team: Any, dataset: Any, eve: Any, template: RunTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_templates, "MOST", 1)
    assert "delete one first" in run_templates.keep(team, "Another", RunSpec(), dataset, eve)[1]
    assert run_templates.keep(team, "Ours", RunSpec(), dataset, eve)[1] == ""


# --- starting from one --------------------------------------------------------------------


def test_a_template_stands_beside_the_presets_and_fills_the_form(
    client_of: Any, eve: Any, dataset: Any, template: RunTemplate
) -> None:
    client = client_of(eve)
    page = unescape(client.get(NEW).content.decode())
    assert "Ours" in page
    assert "8× fewer clusters by the last generation" in page
    response = client.get(NEW, {"template": template.pk, "dataset": dataset.pk})
    form = response.context["form"]
    assert form["architecture"].value() == "resnet20"
    assert form["environment-target-times"].value() == "8"
    item = next(item for item in response.context["templates"] if item["on"])
    values = json.loads(item["values"])
    assert values["epochs"] == "7"
    assert "seed" not in values  # what the script fills leaves it alone
    assert not any(preset["on"] for preset in response.context["presets"])


def test_a_template_that_no_longer_reads_is_left_out(
    client_of: Any, eve: Any, dataset: Any, template: RunTemplate
) -> None:
    RunTemplate.objects.update(spec={"gone": 1})
    response = client_of(eve).get(NEW, {"template": template.pk})
    assert response.status_code == 200
    assert response.context["templates"] == []


def test_a_template_is_forgotten(client_of: Any, eve: Any, template: RunTemplate) -> None:
    address = reverse("runs:template_delete", args=[template.pk])
    assert client_of(eve).get(address).status_code == 405
    assert client_of(eve).post(address).url == NEW
    assert not RunTemplate.objects.exists()


def test_with_scripts_only_its_card_goes(client_of: Any, eve: Any, template: RunTemplate) -> None:
    address = reverse("runs:template_delete", args=[template.pk])
    response = client_of(eve).post(address, headers={"HX-Request": "true"})
    assert (response.status_code, response.content) == (200, b"")


def test_templates_are_the_teams_own(
    client_of: Any, vic: Any, olga: Any, dataset: Any, other_dataset: Any, template: RunTemplate
) -> None:
    address = reverse("runs:template_delete", args=[template.pk])
    assert client_of(olga).post(address).status_code == 404
    assert client_of(vic).post(address).status_code == 403
    assert client_of(vic).post(NEW, typed(dataset), content_type=FORM).status_code == 403
    response = client_of(olga).get(NEW, {"template": template.pk})
    assert "Ours" not in response.content.decode()
    assert response.context["form"]["architecture"].value() != "resnet20"
    client_of(olga).post(NEW, typed(other_dataset), content_type=FORM)
    assert RunTemplate.objects.filter(name="Ours").count() == 2  # a name is taken in one team only
    assert RunTemplate.objects.count() == 2


def test_the_forms_queries_are_fixed(
    client_of: Any, eve: Any, dataset: Any, team: Any, django_assert_num_queries: Any
) -> None:
    client = client_of(eve)
    client.get(NEW)
    with django_assert_num_queries(15):
        client.get(NEW)
    for number in range(8):
        RunTemplate.objects.create(team=team, name=f"t{number}", spec=RunSpec().to_json())
    with django_assert_num_queries(15):
        client.get(NEW)


# --- what a clone changes ------------------------------------------------------------------


def test_differences_follow_what_is_typed(client_of: Any, eve: Any, run: Any, other_dataset: Any) -> None:
    address = reverse("runs:clone", args=[run.pk])
    page = unescape(client_of(eve).get(address).content.decode())
    assert "Nothing differs from “Hand signs, smaller” yet" in page
    spec = run.run_spec.replace(seed=5, environment="40x", stress=[{"name": "death-list", "parameters": {"fade": 0.5}}])
    body = posted(typed_spec(spec) | {"dataset": run.dataset_id, "origin": run.pk}).urlencode()
    answer = unescape(client_of(eve).post(reverse("runs:estimate"), body, content_type=FORM).content.decode())
    assert "3 settings differ from “Hand signs, smaller”" in answer
    for words in ("was 0<", "40× fewer clusters", "Death list (fade 0.5)", "was Death list<"):
        assert words in answer, words


def test_another_teams_run_is_no_origin(client_of: Any, eve: Any, dataset: Any, other_run: Any) -> None:
    body = posted(typed_spec(RunSpec(seed=3)) | {"dataset": dataset.pk, "origin": other_run.pk}).urlencode()
    answer = client_of(eve).post(reverse("runs:estimate"), body, content_type=FORM).content.decode()
    assert "differ" not in answer.replace('id="differences"', "")
    assert "Stones" not in answer


def test_a_clone_with_errors_is_still_a_clone(client_of: Any, eve: Any, run: Any) -> None:
    body = posted(typed_spec(RunSpec()) | {"dataset": run.dataset_id, "epochs": "x"}).urlencode()
    page = client_of(eve).post(reverse("runs:clone", args=[run.pk]), body, content_type=FORM).content.decode()
    assert f'name="origin" value="{run.pk}"' in page


def test_differences_name_every_setting_once() -> None:
    before, after = RunSpec(), RunSpec(epochs=3, repair=True, protect=("conv1",), stress="none")
    assert [(row["name"], row["value"], row["was"]) for row in differences(after, before)] == [
        ("protect", "conv1", "none"),
        ("epochs", "3", "2"),
        ("repair", "yes", "no"),
        ("stress", "None (control)", "Death list"),
    ]


def test_the_run_page_says_how_many_settings_a_clone_changed(client_of: Any, vic: Any, run: Any, dataset: Any) -> None:
    copy = Run.objects.create(
        team=run.team, dataset=dataset, name="Copy", spec=run.run_spec.replace(seed=4).to_json(), cloned_from=run
    )
    assert settings_context(copy, run)["changed"] == "1 differs, marked below"
    assert settings_context(run, None)["changed"] == ""
    page = client_of(vic).get(reverse("runs:detail", args=[copy.pk])).content.decode()
    assert "1 differs, marked below" in page
    assert "was 0" in page


# --- presets, effects, small words -----------------------------------------------------------


def test_the_paper_preset_is_the_published_form() -> None:
    spec = PRESETS["paper"].spec
    assert (spec.sharpness, spec.encoding, spec.strength, spec.parents) == (1.0, "cluster", "sum", 1)
    assert spec.environment.parameters["times"] == 40
    assert PRESETS["paper"].spec_for("detection").environment.parameters["times"] == 33
    assert PRESETS["paper"].spec_for("detection").sharpness == 1.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"environment": 0.6, "generations": 4}, "About 13\N{NO-BREAK SPACE}% of the clusters are left in the end."),
        (
            {"environment": "0.8,0.5", "generations": 3, "resource": "macs"},
            "About 20\N{NO-BREAK SPACE}% of the multiply-adds are left",
        ),
        (
            {"environment": "40x", "generations": 4},
            "Each generation keeps about 40\N{NO-BREAK SPACE}% of the clusters, to end 40 times",
        ),
        (
            {"environment": {"name": "target", "parameters": {"times": 16, "by": 2}}, "generations": 4},
            "about 25\N{NO-BREAK SPACE}% of the clusters until generation 2, to end 16 times",
        ),
        ({"environment": 0.5, "generations": 8}, "About 0.4\N{NO-BREAK SPACE}% of the clusters"),
        ({"environment": {"name": "per-layer", "layers": {"a": 1}}}, "of each layer that is not named"),
        ({"encoding": "synapse"}, ""),
    ],
)
def test_what_is_left_is_said(changes: dict[str, Any], words: str) -> None:
    assert words in what_is_left(RunSpec.from_json(changes))


def test_a_form_for_a_clone_keeps_its_name(team: Any, run: Any) -> None:
    form = RunForm(posted(typed_spec(RunSpec()) | {"dataset": run.dataset_id, "name": "x"}), team=team)
    assert form.is_valid()
    assert form.run_name() == "x"
