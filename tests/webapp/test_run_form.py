"""The new-run form: every setting goes in and comes back, what is wrong is said beside its field."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from benchmarks.claims import results
from benchmarks.claims.register import CLAIMS
from evolution_core.spec import HEADLINES, SETTINGS, RunSpec, catalogue
from tests.webapp.factories import make_base, make_network, make_spec
from webapp.runs.estimate import estimate
from webapp.runs.form_fields import bounds, plain
from webapp.runs.forms import RunForm, typed_spec
from webapp.runs.models import BaseFile, Run
from webapp.runs.presets import PRESETS
from webapp.runs.suggestions import suited

ONNX = b"\x08\x08\x12\x04test" + bytes(32)
NEW = "/runs/new/"


@pytest.fixture
def form(team: Any, dataset: Any) -> Any:
    """A bound form with a spec typed in, some inputs changed."""

    def make(spec: RunSpec | None = None, **changes: Any) -> RunForm:
        typed = typed_spec(spec or RunSpec()) | {"dataset": str(dataset.pk), "name": ""} | changes
        return RunForm(posted(typed), team=team)

    return make


def posted(values: dict[str, Any]) -> Any:
    """What a browser sends for these values: unticked boxes are absent, numbers are text."""
    from django.http import QueryDict

    query = QueryDict(mutable=True)
    for name, value in values.items():
        if isinstance(value, list):
            query.setlist(name, value)
        elif value is True:
            query[name] = "on"
        elif value is not False:
            query[name] = str(value)
    return query


# What differs from the default, for every setting there is. A new setting must be added here to be proven.
OTHER: dict[str, Any] = {
    "architecture": "alexnet-small",
    "input_size": 48,
    "width": 0.5,
    "weights": "base",
    "own": "base",
    "generations": 7,
    "offspring": 5,
    "survivors": 2,
    "parents": 2,
    "mating_weights": "equal",
    "candidates": 8,
    "elitism": True,
    "patience": 3,
    "seed": 2**63 - 1,
    "limit": 1234,
    "resource": "macs",
    "minimum_clusters": 5,
    "floors": {"conv1": 0.5, "fc6": 0.125},
    "protect": ("conv1", "fc7"),
    "width_multiple": 4,
    "gestation": 0.25,
    "epochs": 0.5,
    "ancestor_epochs": 9.75,
    "last_epochs": 6.0,
    "optimizer": "sgd",
    "learning_rate": 3e-05,
    "weight_decay": 0.0,
    "batch_size": 64,
    "augmentation": "flip-shift",
    "validation_share": 0.2,
    "progressive_size": 24,
    "progressive_share": 0.55,
    "multi_scale": 0.25,
    "distillation": 0.3,
    "precision": "bfloat16",
    "encoding": "both",
    "strength": "taylor",
    "threshold": 0.01,
    "sharpness": 1.0,
    "synapse_share": 0.75,
    "inheritance": "newborn",
    "repair": True,
    "repair_images": 256,
    "selection": "pareto",
    "max_drop": 2.5,
    "objectives": ("accuracy", "bytes"),
}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_goes_in_and_comes_back(form: Any, team: Any, name: str) -> None:
    assert name in OTHER, f"give {name} a value here that differs from its default"
    value, more = OTHER[name], {}
    if name in ("own", "weights"):
        kind = BaseFile.Kind.ONNX if name == "own" else BaseFile.Kind.WEIGHTS
        value = make_base(team, kind).sha256
        more = {"architecture": "own"} if name == "own" else {}
    if name == "parents":
        more = {"survivors": 2}
    spec = RunSpec.from_json({name: value, **more})
    bound = form(spec)
    assert bound.is_valid(), bound.errors
    assert bound.spec == spec
    assert getattr(bound.spec, name) == value


@pytest.mark.parametrize(
    "stress",
    [
        "none",
        [{"name": "rehearsal", "parameters": {"peak": 0.4}, "schedule": "ramp"}],
        [
            {"name": "death-list", "parameters": {"fade": 0.5}},
            {
                "name": "weakening",
                "parameters": {"factor": 0.9, "every": 7},
                "schedule": "pulses",
                "schedule_parameters": {"count": 9, "duty": 0.25},
            },
        ],
    ],
)
def test_stress_goes_in_and_comes_back(form: Any, stress: Any) -> None:
    spec = RunSpec.from_json({"stress": stress})
    bound = form(spec)
    assert bound.is_valid(), bound.errors
    assert bound.spec.stress == spec.stress


@pytest.mark.parametrize("environment", [0.35, "0.8,0.6,0.4", "40x", {"name": "per-layer", "layers": {"conv1": 0.75}}])
def test_environment_goes_in_and_comes_back(form: Any, environment: Any) -> None:
    spec = RunSpec.from_json({"environment": environment})
    bound = form(spec)
    assert bound.is_valid(), bound.errors
    assert bound.spec.environment == spec.environment


@pytest.mark.parametrize("name", [name for name, s in SETTINGS.items() if s.kind in ("integer", "number")])
def test_a_bad_number_comes_back_beside_its_field(form: Any, name: str) -> None:
    bound = form(**{name: "many"})
    assert not bound.is_valid()
    assert list(bound.errors) == [name]
    assert bound[name].value() == "many"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"generations": "0"}, "generations", "at least 1"),
        ({"epochs": ""}, "epochs", "A value is needed"),
        ({"offspring": "2", "survivors": "9"}, "survivors", "Cannot exceed"),
        ({"architecture": "nothing"}, "architecture", "unknown"),
        ({"architecture": "own"}, "own", "Choose one of your networks"),
        ({"objectives": ["parameters"]}, "objectives", "accuracy"),
        ({"floors": "conv1"}, "floors", "layer=number"),
        ({"stress": []}, "stress", "at least one"),
        ({"stress": ["none", "pressure"]}, "stress", "None cannot be combined"),
        ({"stress-death-list-fade": "3"}, "stress-death-list-fade", "at most 1"),
        (
            {"stress-death-list-schedule": "pulses", "stress-death-list-pulses-count": "0"},
            "stress-death-list-pulses-count",
            "at least 1",
        ),
        ({"environment": "", "environment-constant-factor": "0.5"}, "environment", "name one of"),
        ({"environment-constant-factor": "2"}, "environment-constant-factor", "at most 1"),
        ({"environment": "target", "environment-target-times": "x"}, "environment-target-times", "Must be a number"),
        ({"environment": "scheduled"}, "environment-scheduled-factors", "at least one share"),
        ({"environment": "per-layer", "environment-per-layer-layers": "conv1"}, "environment-per-layer-layers", ""),
        ({"dataset": "0"}, "dataset", "data sets that are ready"),
        ({"weights": "f" * 64}, "weights", "files that are ready"),
        ({"input_size": "8"}, "input_size", "at least 16 pixels"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(form: Any, changes: dict[str, Any], field: str, words: str) -> None:
    bound = form(**changes)
    assert not bound.is_valid()
    assert field in bound.errors, bound.errors
    assert words in bound.errors[field][0]
    assert not bound.errors[field][0][0].islower()


def test_inputs_of_parts_that_are_not_chosen_count_nothing(form: Any) -> None:
    bound = form(**{"stress-pressure-strength": "rubbish", "environment-target-times": "rubbish"})
    assert bound.is_valid(), bound.errors


def test_the_page_shows_what_was_typed_beside_the_problem(client_of: Any, ada: Any, dataset: Any) -> None:
    values = posted(
        typed_spec(RunSpec()) | {"dataset": dataset.pk, "name": "My <run>", "epochs": "soon", "patience": "-4"}
    )
    response = client_of(ada).post(NEW, values.urlencode(), content_type="application/x-www-form-urlencoded")
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="soon"' in page
    assert 'value="-4"' in page
    assert "Must be a number, not" in unescape(page)
    assert "My &lt;run&gt;" in page
    assert all(f'<a href="#id_{name}">' in page and f'id="id_{name}"' in page for name in ("epochs", "patience"))
    assert '<details class="panel more" open>' in page  # patience stands there, closed it would be missed
    assert not Run.objects.exists()


def test_a_run_is_made_and_sent_on_commit(
    client_of: Any, eve: Any, team: Any, dataset: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    values = posted(typed_spec(RunSpec.from_json({"generations": 3, "environment": "40x"})) | {"dataset": dataset.pk})
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(eve).post(NEW, values.urlencode(), content_type="application/x-www-form-urlencoded")
    run = Run.objects.get()
    assert response.url == reverse("runs:detail", args=[run.pk])
    assert (run.team, run.dataset, run.created_by, run.state) == (team, dataset, eve, "queued")
    assert run.run_spec == RunSpec.from_json({"generations": 3, "environment": "40x"})
    assert run.name == "Hand signs on LeNet-5 (Caffe)"
    assert [event.kind for event in run.events.all()] == ["queued"]
    assert dispatched == [("workers.advance", run.pk)]


def test_every_part_is_explained_where_it_is_chosen(client_of: Any, ada: Any, dataset: Any) -> None:
    page = unescape(client_of(ada).get(NEW).content.decode())
    registries = ("STRESSES", "SCHEDULES", "ENVIRONMENTS", "RESOURCES", "ENCODINGS", "STRENGTHS", "OPTIMIZERS")
    registries += ("INHERITANCES", "MATING_WEIGHTS", "SELECTIONS", "AUGMENTATIONS", "PRECISIONS", "ARCHITECTURES")
    for registry in registries:
        for part in getattr(catalogue, registry).values():
            assert part.summary in page, part.name
            assert not part.source or f'href="{part.source}"' in page, part.name
    for setting in SETTINGS.values():
        assert setting.label in page
    assert "style=" not in page  # the policy allows no inline style
    assert "onclick" not in page


def test_a_part_that_is_registered_later_appears_by_itself(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bites = catalogue.Parameter("bites", 3, 1, 9, "A day.")
    hunger = catalogue.Part("hunger", "Hunger", "Eats. Sleeps.", "https://example.org/", parameters=(bites,))
    monkeypatch.setitem(catalogue.STRESSES, "hunger", hunger)
    bound = form(**{"stress": ["hunger"], "stress-hunger-bites": "4", "stress-hunger-schedule": "ramp"})
    assert bound.is_valid(), bound.errors
    assert bound.spec.stress[0].parameters == {"bites": 4.0}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_fill_the_fields_with_a_link_alone(client_of: Any, ada: Any, dataset: Any, name: str) -> None:
    response = client_of(ada).get(NEW, {"preset": name})
    form = response.context["form"]
    data = {field: form[field].value() for field in form.fields if not field.endswith("_file")}
    bound = RunForm(posted(data), team=form.team)
    assert bound.is_valid(), bound.errors
    assert bound.spec == suited(PRESETS[name].spec, dataset)
    chosen = next(item for item in response.context["presets"] if item["on"])
    assert chosen["preset"].name == name
    # what the script types into the fields is what the link would have filled
    values = json.loads(chosen["values"]["classification"])
    assert all(form[field].value() == value for field, value in values.items())


@pytest.mark.parametrize("name", HEADLINES)
def test_a_headline_is_offered_where_it_was_measured(name: str) -> None:
    claim = CLAIMS[name]
    assert HEADLINES[name].seeds == len(results.measured(claim, claim.arm("evolved")))


@pytest.mark.parametrize("name", [name for name, headline in HEADLINES.items() if headline.seeds])
def test_a_measured_headline_is_one_link_away(client_of: Any, ada: Any, dataset: Any, name: str) -> None:
    headline = HEADLINES[name]
    dataset.task = headline.task
    dataset.save()
    response = client_of(ada).get(NEW, {"headline": name})
    form = response.context["form"]
    data = {field: form[field].value() for field in form.fields if not field.endswith("_file")}
    bound = RunForm(posted(data), team=form.team)
    assert bound.is_valid(), bound.errors
    assert bound.spec == headline.spec == CLAIMS[name].spec(CLAIMS[name].arm("evolved"), 0)
    chosen = next(item for item in response.context["headlines"] if item["on"])
    values = json.loads(chosen["values"])
    assert all(form[field].value() == value for field, value in values.items())
    assert "architecture" in values


def test_a_headline_for_other_data_is_neither_offered_nor_filled_in(client_of: Any, ada: Any, dataset: Any) -> None:
    dataset.task = "detection"
    dataset.save()
    response = client_of(ada).get(NEW, {"headline": "lenet-mnist"})
    offered = [item["headline"].task for item in response.context["headlines"] if item["fits"]]
    assert "classification" not in offered
    assert response.context["form"]["architecture"].value() != "lenet5"


def test_an_unknown_preset_and_a_foreign_dataset_in_the_address_are_ignored(
    client_of: Any, ada: Any, dataset: Any, other_dataset: Any
) -> None:
    response = client_of(ada).get(NEW, {"preset": "huge", "dataset": other_dataset.pk})
    assert response.status_code == 200
    assert response.context["form"]["dataset"].value() == dataset.pk
    assert "Stones" not in response.content.decode()


def test_another_teams_dataset_is_refused(form: Any, other_dataset: Any) -> None:
    bound = form(dataset=str(other_dataset.pk))
    assert "dataset" in bound.errors


def test_a_network_of_another_task_is_refused(form: Any, dataset: Any) -> None:
    dataset.task = "detection"
    dataset.save()
    assert "is for classification" in form().errors["architecture"][0]


def test_viewers_may_not_start_a_run(client_of: Any, vic: Any, dataset: Any, run: Any) -> None:
    viewer = client_of(vic)
    for address in (NEW, reverse("runs:clone", args=[run.pk])):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address).status_code == 403
    assert Run.objects.count() == 1


# --- clone ------------------------------------------------------------------------------


def test_a_clone_starts_from_the_original(client_of: Any, eve: Any, run: Any, dispatched: Any) -> None:
    run.spec = make_spec(stress="pressure,death-list", environment="0.9,0.5")
    run.save()
    address = reverse("runs:clone", args=[run.pk])
    client = client_of(eve)
    form = client.get(address).context["form"]
    data = {name: form[name].value() for name in form.fields if not name.endswith("_file")} | {"seed": "5"}
    response = client.post(address, posted(data).urlencode(), content_type="application/x-www-form-urlencoded")
    assert response.status_code == 302
    copy = Run.objects.exclude(pk=run.pk).get()
    assert copy.cloned_from == run
    assert copy.run_spec == run.run_spec.replace(seed=5)


def test_a_strangers_run_cannot_be_cloned(client_of: Any, ada: Any, other_run: Any) -> None:
    assert client_of(ada).get(reverse("runs:clone", args=[other_run.pk])).status_code == 404


def test_a_clone_of_a_spec_that_no_longer_reads_gets_the_defaults(client_of: Any, ada: Any, run: Any) -> None:
    Run.objects.filter(pk=run.pk).update(spec={"gone": 1})
    response = client_of(ada).get(reverse("runs:clone", args=[run.pk]))
    assert response.status_code == 200
    assert "can no longer be read" in response.content.decode()


# --- the estimate ---------------------------------------------------------------------------


def test_the_estimate_counts_trainings_epochs_and_images(dataset: Any) -> None:
    assert estimate(RunSpec(), dataset).sentence == "About 9 trainings of 2 epochs over 54 images."
    longer = RunSpec.from_json({"generations": 2, "offspring": 2, "epochs": 1, "last_epochs": 4, "ancestor_epochs": 3})
    assert estimate(longer, dataset).epochs == 2 * 1 + 2 * 4 + 3
    assert estimate(RunSpec.from_json({"limit": 20}), dataset).images == 18


def test_data_without_a_test_part_lose_some_to_it(dataset: Any) -> None:
    for row in dataset.report["classes"]:
        row["test"] = 0
    dataset.save()
    assert estimate(RunSpec(), dataset).images == round(round(60 * 0.85) * 0.9)


def test_the_estimate_knows_time_from_an_earlier_run(team: Any, run: Any, dataset: Any) -> None:
    from datetime import timedelta

    from django.utils import timezone

    assert estimate(RunSpec(), dataset, team).time == ""
    now = timezone.now()
    ago = [now - timedelta(minutes=minutes) for minutes in range(61)]
    Run.objects.filter(pk=run.pk).update(state="finished", started_at=ago[60], finished_at=now)
    assert estimate(RunSpec(), dataset, team).time == ""  # nothing tells what it did in that hour
    lives = {"ancestor": (60, 56), "1-1": (30, 26), "1-2": (29, 25), "2-1": (1, 0)}  # minutes ago: 4 + 5 + 1 of work
    for name, (begun, done) in lives.items():
        make_network(run, name, state="measured", started_at=ago[begun], measured_at=ago[done])
    assert estimate(RunSpec(), dataset, team).time == "Judging by “Hand signs, smaller”, about 7 to 14 minutes."


def test_the_estimate_follows_what_is_typed(client_of: Any, ada: Any, vic: Any, dataset: Any) -> None:
    values = posted(typed_spec(RunSpec.from_json({"generations": 1})) | {"dataset": dataset.pk}).urlencode()
    address, form_type = reverse("runs:estimate"), "application/x-www-form-urlencoded"
    assert b"About 3 trainings" in client_of(ada).post(address, values, content_type=form_type).content
    broken = f"generations=x&dataset={dataset.pk}"
    assert b"once every field" in client_of(ada).post(address, broken, content_type=form_type).content
    assert b"needs a data set" in client_of(ada).post(address, "generations=1", content_type=form_type).content
    assert client_of(vic).post(address, values, content_type=form_type).status_code == 403


# --- own networks and weights -------------------------------------------------------------------


def test_a_file_is_taken_in_once_and_looked_into(
    client_of: Any, eve: Any, team: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client, address = client_of(eve), reverse("runs:base_add")
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            file = SimpleUploadedFile("../../tiny\u202e.onnx", ONNX)
            answer = client.post(address, {"kind": "onnx", "file": file}, headers={"accept": "application/json"}).json()
    base = BaseFile.objects.get()
    assert answer["id"] == base.pk
    assert answer["settled"] is False
    assert base.original_name == "tiny.onnx"
    assert base.file.name == f"bases/{team.pk}/{base.sha256}.onnx"
    assert base.file.read() == ONNX
    assert set(dispatched) == {("workers.inspect_base", base.pk)}


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("onnx", b"", "empty"),
        ("onnx", b"PK\x03\x04 not onnx", "not an ONNX file"),
        ("safetensors", b"\x80\x02}q\x00(X pickled", "Pickled weights"),
        ("exe", b"MZ", "Choose a file"),
    ],
)
def test_what_is_no_network_is_refused_at_once(client_of: Any, eve: Any, kind: str, content: bytes, words: str) -> None:
    file = SimpleUploadedFile("file", content)
    headers = {"accept": "application/json"}
    response = client_of(eve).post(reverse("runs:base_add"), {"kind": kind, "file": file}, headers=headers)
    assert response.status_code == 422
    assert words in response.json()["error"]
    assert not BaseFile.objects.exists()


def test_a_file_sent_with_the_form_is_kept_and_waited_for(
    client_of: Any, eve: Any, dataset: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    values = typed_spec(RunSpec()) | {"dataset": str(dataset.pk), "architecture": "own", "epochs": "3"}
    sent = {name: value for name, value in values.items() if value is not False}
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(eve).post(NEW, {**sent, "own_file": SimpleUploadedFile("net.onnx", ONNX)})
    assert response.status_code == 422
    assert "net.onnx is being looked into" in response.context["form"].errors["own"][0]
    assert response.context["form"]["epochs"].value() == "3"
    assert dispatched == [("workers.inspect_base", BaseFile.objects.get().pk)]
    assert not Run.objects.exists()


def test_only_the_teams_own_ready_files_can_be_chosen(form: Any, team: Any, other_team: Any) -> None:
    mine, waiting = make_base(team), make_base(team, state=BaseFile.State.INSPECTING)
    foreign, weights = make_base(other_team), make_base(team, BaseFile.Kind.WEIGHTS)
    assert form(architecture="own", own=mine.sha256).is_valid()
    for base in (waiting, foreign, weights):
        assert "own" in form(architecture="own", own=base.sha256).errors


def test_a_forgotten_own_network_does_not_stand_in_the_way(form: Any, team: Any) -> None:
    bound = form(architecture="lenet5", own=make_base(team).sha256)
    assert bound.is_valid(), bound.errors
    assert bound.spec.own is None


def test_use_beside_an_own_network_means_to_start_from_it(client_of: Any, eve: Any, team: Any, dataset: Any) -> None:
    mine = make_base(team)
    form = client_of(eve).get(NEW, {"own": mine.sha256, "dataset": dataset.pk}).context["form"]
    assert (form["architecture"].value(), form["own"].value()) == ("own", mine.sha256)
    assert client_of(eve).get(NEW).context["form"]["architecture"].value() != "own"


# --- small words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 0.1, 1e-06, 3e-05, 2**63 - 1, 0.30000000000000004, 1e15, 12345.0])
def test_typed_numbers_read_back_as_themselves(number: float) -> None:
    assert type(number)(plain(number)) == number
    assert plain(2.0) == "2"


def test_objectives_are_called_as_everywhere_else(form: Any) -> None:
    labels = [str(label) for _, label in form().fields["objectives"].widget.choices]
    assert labels == ["Accuracy", "Parameters", "Multiply-adds", "Bytes", "Latency"]


def test_bounds_in_words() -> None:
    inf = float("inf")
    assert bounds(0.05, 10_000) == "0.05 to 10,000"
    assert bounds(0, 2**63 - 1) == "0 or more"
    assert bounds(-inf, 5) == "5 or less"
    assert bounds(-inf, inf) == ""
