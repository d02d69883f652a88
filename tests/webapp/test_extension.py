"""Pausing, resuming and extending a run from its page, and what a longer run's spec becomes."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from evolution_core.spec import RunSpec
from tests.webapp.factories import make_base, make_evolution
from webapp.networks.models import Network
from webapp.runs.extension import CannotExtend, extend
from webapp.runs.models import BaseFile, Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def evolution(team: Any) -> Run:
    return make_evolution(team, files=False)


@pytest.fixture
def finished(team: Any) -> Run:
    return make_evolution(team, finished=True, files=False)


def press(client: Any, run: Run, name: str, **given: Any) -> str:
    return client.post(reverse(f"runs:{name}", args=[run.pk]), given, follow=True).content.decode()


def test_a_pause_is_asked_for_once_and_taken_back(
    client_of: Any, eve: Any, evolution: Run, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = client_of(eve)
    with django_capture_on_commit_callbacks(execute=True):
        page = press(client, evolution, "pause")
    assert "Nothing is lost" in page
    assert "Pausing" in page
    assert "1 network hands itself back at the next step" in page
    assert ">Resume<" in page
    assert "There is nothing to pause" in press(client, evolution, "pause")
    evolution.refresh_from_db()
    assert evolution.state == Run.State.RUNNING  # only the orchestrator moves it
    assert dispatched == [("workers.advance", evolution.pk)]
    Run.objects.filter(pk=evolution.pk).update(state=Run.State.PAUSED)
    Network.objects.filter(run=evolution, name="5-3").update(state="waiting", claimed_by="")
    page = client.get(f"/runs/{evolution.pk}/").content.decode()
    assert "<b>Paused</b>, nothing is lost: 1 network waits at its checkpoint" in page
    assert "paused at 62 %" in page
    assert "Paused" in client.get("/runs/", {"state": "paused"}).content.decode()
    press(client, evolution, "resume")
    evolution.refresh_from_db()
    assert evolution.pause_requested_at is None
    assert "The run is not paused" in press(client, evolution, "resume")
    assert list(evolution.events.values_list("kind", flat=True))[-2:] == ["pausing", "resumed"]


def test_a_run_that_is_over_or_being_cancelled_is_not_paused(client_of: Any, ada: Any, evolution: Run) -> None:
    Run.objects.filter(pk=evolution.pk).update(cancel_requested_at=timezone.now())
    assert "nothing to pause" in press(client_of(ada), evolution, "pause")
    Run.objects.filter(pk=evolution.pk).update(state=Run.State.CANCELLED)
    assert "nothing to pause" in press(client_of(ada), evolution, "pause")


def test_a_finished_run_goes_on_for_more_generations(
    client_of: Any, eve: Any, finished: Run, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        page = press(client_of(eve), finished, "extend", generations=2)
    assert "The run goes on to generation 7." in page
    finished.refresh_from_db()
    assert (finished.state, finished.chosen, finished.finished_at) == (Run.State.QUEUED, None, None)
    assert finished.run_spec.generations == 7
    assert dispatched == [("workers.advance", finished.pk)]
    event = finished.events.last()
    assert event is not None
    assert (event.kind, event.data["generations"]) == ("extended", 7)
    assert "Only a run that has finished" in press(client_of(eve), finished, "extend", generations=2)


@pytest.mark.parametrize("kind", BaseFile.Kind.values)
def test_a_run_whose_own_file_was_deleted_stays_finished(
    client_of: Any, eve: Any, finished: Run, dispatched: Any, kind: str
) -> None:
    base = make_base(finished.team, kind)
    spec = {**finished.spec, BaseFile.SETTINGS[BaseFile.Kind(kind)]: base.sha256}
    spec["architecture"] = "own" if spec["own"] else spec["architecture"]
    Run.objects.filter(pk=finished.pk).update(spec=spec)
    client = client_of(eve)
    client.post(reverse("runs:base_delete", args=[base.pk]))
    before = Run.objects.filter(pk=finished.pk).values().get()
    assert "began with was deleted: add the same file again" in press(client, finished, "extend", generations=2)
    assert Run.objects.filter(pk=finished.pk).values().get() == before
    make_base(finished.team, kind, sha256=base.sha256)
    assert "The run goes on to generation 7." in press(client, finished, "extend", generations=2)


@pytest.mark.parametrize("given", ["", "0", "99", "many"])
def test_a_number_that_is_none_changes_nothing(client_of: Any, ada: Any, finished: Run, given: str) -> None:
    assert "from 1 to 50" in press(client_of(ada), finished, "extend", generations=given)
    finished.refresh_from_db()
    assert finished.state == Run.State.FINISHED


def test_viewers_neither_pause_nor_extend(client_of: Any, vic: Any, evolution: Run, finished: Run) -> None:
    for run, name in ((evolution, "pause"), (evolution, "resume"), (finished, "extend")):
        assert client_of(vic).post(reverse(f"runs:{name}", args=[run.pk])).status_code == 403
        assert f"/{name}/" not in client_of(vic).get(f"/runs/{run.pk}/").content.decode()


# --- the longer run's spec ---------------------------------------------------------------------------------


def test_a_constant_environment_goes_on_as_if_it_had_been_asked_for_at_first() -> None:
    spec = RunSpec(generations=3, environment=0.6)
    longer = extend(spec, 3, 2)
    assert longer.spec == spec.replace(generations=5)
    assert longer.differences == ()


def test_a_target_goes_on_at_the_same_pace() -> None:
    longer = extend(RunSpec(generations=4, environment="16x"), 4, 2)
    assert longer.spec.environment.parameters["times"] == pytest.approx(64)
    for generation in range(1, 5):  # what was born is what the longer run would have asked for
        assert 16 ** (-generation / 4) == pytest.approx(64 ** (-generation / 6))
    assert "same pace" in longer.differences[0]
    with pytest.raises(CannotExtend, match="fewer generations"):
        extend(RunSpec(generations=2, environment="40x"), 2, 4)


def test_a_target_by_a_generation_stays() -> None:
    spec = RunSpec(generations=4, environment="16x@3")
    longer = extend(spec, 4, 2)
    assert longer.spec == spec.replace(generations=6)
    assert longer.differences == ("Its target stays: generations after the one that reaches it keep the size.",)


def test_a_longer_last_generation_is_owned_up_to() -> None:
    longer = extend(RunSpec(generations=3, epochs=2, last_epochs=8, environment=0.6), 3, 1)
    assert longer.differences == (
        "Generation 3 was grown for 8 epochs, as the last one; in a run of 4 generations it would have had 2.",
    )


def test_a_run_that_stopped_early_goes_on_without_patience() -> None:
    longer = extend(RunSpec(generations=9, patience=2, environment=0.6), 5, 1)
    assert (longer.spec.generations, longer.spec.patience) == (6, 0)
    assert "stopped early" in longer.differences[0]


def test_what_cannot_go_on_says_why() -> None:
    with pytest.raises(CannotExtend, match="nothing can descend"):
        extend(RunSpec(generations=3, environment=0.6), 2, 1, died_out=True)
    with pytest.raises(CannotExtend, match="from 1 to 2"):
        extend(RunSpec(generations=48, environment=0.9), 48, 3)
    with pytest.raises(CannotExtend, match="at most 50"):
        extend(RunSpec(generations=50, environment=0.9), 50, 1)
