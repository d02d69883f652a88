"""Pausing, resuming and extending as the workers see it: nothing is lost, nothing happens twice, the sweeper helps."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from evolution_core.spec import RunSpec
from tests.workers.test_orchestrator import evolve, kinds, networks
from webapp.networks.models import Network
from webapp.runs import changes
from webapp.runs.models import Run
from workers import pace, recorder, sweeper
from workers.claims import Claim, Interrupted
from workers.orchestrator import advance, lock
from workers.recorder import is_over, is_paused

pytestmark = pytest.mark.django_db(transaction=True)
Messages = list[tuple[Any, ...]]
Measure = Callable[..., None]


@pytest.fixture
def alive(short_run: Run, dispatched: Messages) -> Network:
    """The ancestor in a worker's hands."""
    advance(short_run.pk)
    ancestor = networks(short_run)["ancestor"]
    Network.objects.filter(pk=ancestor.pk).update(
        state=Network.State.LIVING, claimed_by="someone", heartbeat_at=timezone.now(), attempts=1, progress=0.4
    )
    dispatched.clear()
    return ancestor


def state(run: Run) -> str:
    run.refresh_from_db()
    return run.state


def ask_to_pause(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(pause_requested_at=timezone.now())


def test_a_run_is_paused_once_its_networks_have_handed_themselves_back(short_run: Run, alive: Network) -> None:
    ask_to_pause(short_run)
    advance(short_run.pk)
    assert state(short_run) == Run.State.RUNNING
    Network.objects.filter(pk=alive.pk).update(state=Network.State.WAITING, claimed_by="")
    for _ in range(3):
        advance(short_run.pk)
    assert state(short_run) == Run.State.PAUSED
    assert kinds(short_run).count("paused") == 1


def test_resuming_puts_it_back_and_calls_for_workers(short_run: Run, alive: Network, dispatched: Messages) -> None:
    ask_to_pause(short_run)
    Network.objects.filter(pk=alive.pk).update(state=Network.State.WAITING, claimed_by="")
    advance(short_run.pk)
    Run.objects.update(pause_requested_at=None)
    advance(short_run.pk)
    assert state(short_run) == Run.State.RUNNING
    assert dispatched == [("workers.live", alive.pk)]


def test_a_run_that_had_not_begun_waits_paused_and_then_begins(short_run: Run, dispatched: Messages) -> None:
    ask_to_pause(short_run)
    advance(short_run.pk)
    assert (state(short_run), networks(short_run)) == (Run.State.PAUSED, {})
    Run.objects.update(pause_requested_at=None)
    advance(short_run.pk)
    assert state(short_run) == Run.State.RUNNING
    assert list(networks(short_run)) == ["ancestor"]


def test_a_paused_run_can_be_cancelled(short_run: Run, alive: Network) -> None:
    ask_to_pause(short_run)
    Network.objects.filter(pk=alive.pk).update(state=Network.State.WAITING, claimed_by="")
    advance(short_run.pk)
    Run.objects.update(cancel_requested_at=timezone.now())
    advance(short_run.pk)
    assert state(short_run) == Run.State.CANCELLED


def test_a_worker_hands_a_paused_network_back_without_a_failed_attempt(
    short_run: Run, dispatched: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "WATCH", 0.01)
    advance(short_run.pk)
    ancestor = networks(short_run)["ancestor"]
    claim = Claim.take(
        Network,
        ancestor.pk,
        waiting=Network.State.WAITING,
        working=Network.State.LIVING,
        is_cancelled=lambda: is_over(short_run.pk),
        is_paused=lambda: is_paused(short_run.pk),
    )
    assert claim is not None
    seen = []

    def train() -> None:
        ask_to_pause(short_run)
        for _ in range(500):
            claim.check()
            time.sleep(0.01)

    def watched() -> None:
        try:
            train()
        except Interrupted as reason:
            seen.append(reason)
            raise

    recorder.work(claim, Network.State.WAITING, short_run.pk, watched, errored=Network.State.ERRORED)
    assert len(seen) == 1
    ancestor.refresh_from_db()
    assert (ancestor.state, ancestor.claimed_by, ancestor.attempts) == (Network.State.WAITING, "", 0)


def test_nobody_begins_a_network_of_a_paused_run(short_run: Run, dispatched: Messages) -> None:
    advance(short_run.pk)
    ask_to_pause(short_run)
    ancestor = networks(short_run)["ancestor"]
    recorder.live(ancestor.pk)
    ancestor.refresh_from_db()
    assert (ancestor.state, ancestor.attempts) == (Network.State.WAITING, 0)


def test_the_sweeper_pauses_and_resumes_what_lost_its_message(
    short_run: Run, alive: Network, dispatched: Messages
) -> None:
    ask_to_pause(short_run)
    assert list(sweeper.idle_runs()) == []  # still in a worker's hands
    Network.objects.filter(pk=alive.pk).update(state=Network.State.WAITING, claimed_by="")
    assert list(sweeper.idle_runs()) == [short_run]
    assert list(sweeper.waiting_networks()) == []
    advance(short_run.pk)
    assert list(sweeper.idle_runs()) == []  # asleep: nobody is woken every ten seconds
    sweeper.sweep(lambda queue: True)
    assert dispatched == []
    Run.objects.update(pause_requested_at=None)
    assert list(sweeper.idle_runs()) == [short_run]
    advance(short_run.pk)
    assert list(sweeper.waiting_networks()) == [alive]


def test_a_lost_worker_of_a_pausing_run_lets_it_pause(short_run: Run, alive: Network) -> None:
    ask_to_pause(short_run)
    Network.objects.filter(pk=alive.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    sweeper.reclaim()
    advance(short_run.pk)
    assert state(short_run) == Run.State.PAUSED


# --- more generations -----------------------------------------------------------------------------------------


def finish(run: Run, measure: Measure, **tests: float) -> Run:
    """Evolve to the end and test the choice as `workers.final` would have."""
    from evolution_core.records import NetworkRecord
    from workers import orchestrator

    evolve(run, measure)
    with transaction.atomic():
        locked = lock(run.pk)
        assert locked is not None
        assert locked.chosen is not None
        tested = {
            name: NetworkRecord.from_json(networks(run)[name].record).replace(
                test_accuracy=0.875, test_metrics={"accuracy": 0.875}
            )
            for name in ("ancestor", locked.chosen.name)
        }
        orchestrator.finish(locked, tested)
    run.refresh_from_db()
    return run


def test_an_extended_run_goes_on_from_its_last_generation(
    short_run: Run, ada: Any, dispatched: Messages, measure: Measure
) -> None:
    finish(short_run, measure)
    begun, told = short_run.started_at, kinds(short_run).count("generation")
    changes.extend_run(short_run.pk, 1, ada)
    for _ in range(3):
        advance(short_run.pk)
    assert state(short_run) == Run.State.RUNNING
    assert short_run.started_at == begun
    found = networks(short_run)
    assert list(found)[-2:] == ["3-1", "3-2"]
    assert kinds(short_run).count("generation") == told  # the last one is not told twice
    assert kinds(short_run).count("started") == 1
    evolve(short_run, measure)
    short_run.refresh_from_db()
    assert short_run.chosen is not None
    assert short_run.chosen.generation == 3
    assert dispatched[-1] == ("workers.finish", short_run.pk)


def test_the_longer_run_plans_what_it_would_have_planned_at_first(
    run: Run, ada: Any, dispatched: Messages, measure: Measure
) -> None:
    spec = RunSpec(generations=1, offspring=3, parents=2, survivors=2, seed=5)
    run.spec = spec.to_json()
    run.save()
    finish(run, measure)
    changes.extend_run(run.pk, 2, ada)
    evolve(run, measure)
    whole = Run.objects.create(
        team=run.team, dataset=run.dataset, name="At once", spec=spec.replace(generations=3).to_json()
    )
    evolve(whole, measure)
    assert parents(run) == parents(whole)


def parents(run: Run) -> dict[str, list[str]]:
    return {n.name: sorted(n.parents.values_list("name", flat=True)) for n in run.networks.all()}


# --- another network, after the end ---------------------------------------------------------------------------


@pytest.fixture
def rechosen(short_run: Run, ada: Any, dispatched: Messages, measure: Measure) -> Run:
    """A finished run whose network was picked anew and waits for its test."""
    from webapp.runs.choice import Rule

    finish(short_run, measure)
    fields = {"parameters": 400}
    Network.objects.filter(run=short_run).update(**fields)
    assert short_run.chosen is not None
    other = next(n for n in networks(short_run).values() if n.generation and n != short_run.chosen)
    dispatched.clear()
    changes.choose(short_run.pk, Rule("picked", network=other.name), ada)
    short_run.refresh_from_db()
    return short_run


def test_a_network_chosen_after_the_end_waits_for_its_test(rechosen: Run, dispatched: Messages) -> None:
    assert rechosen.state == Run.State.FINISHED
    assert dispatched == [("workers.finish", rechosen.pk)]
    assert list(sweeper.untested_runs()) == [rechosen]
    assert list(sweeper.idle_runs()) == []


def test_its_test_is_written_down_and_the_run_stays_ended(rechosen: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from evolution_core.records import NetworkRecord
    from workers import final

    def open_test(run: Run, claim: Claim, found: list[Network]) -> dict[str, NetworkRecord]:
        assert [network.name for network in found] == [rechosen.chosen.name]  # type: ignore[union-attr]
        records = {n.name: NetworkRecord.from_json(n.record) for n in found}
        return {k: r.replace(test_accuracy=0.8, test_metrics={"accuracy": 0.8}) for k, r in records.items()}

    monkeypatch.setattr(final, "_open_test", open_test)
    last = rechosen.finished_at
    for _ in range(2):
        final.finish(rechosen.pk)
    rechosen.refresh_from_db()
    assert rechosen.chosen is not None
    assert rechosen.chosen.test_accuracy == 0.8
    assert (rechosen.state, rechosen.finished_at, rechosen.test_requested_at) == (Run.State.FINISHED, last, None)
    assert kinds(rechosen)[-2:] == ["chosen", "tested"]
    assert list(sweeper.untested_runs()) == []


def test_changing_back_while_it_is_tested_leaves_the_test_set_shut(
    rechosen: Run, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import final

    monkeypatch.setattr(pace, "WATCH", 0.01)
    chosen = rechosen.chosen
    assert chosen is not None

    def slowly(run: Run, claim: Claim, found: list[Network]) -> dict[str, Any]:
        changes.choose(rechosen.pk, None, ada)
        for _ in range(500):
            claim.check()
            time.sleep(0.01)
        return {}

    monkeypatch.setattr(final, "_open_test", slowly)
    final.finish(rechosen.pk)
    chosen.refresh_from_db()
    assert (chosen.test_accuracy, chosen.claimed_by, chosen.state) == (None, "", Network.State.MEASURED)
    assert kinds(rechosen).count("tested") == 2


def test_a_test_that_cannot_be_taken_is_given_up_with_a_word(rechosen: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from evolution_core.spec import NetworkError
    from workers import final

    def broken(run: Run, claim: Claim, found: list[Network]) -> dict[str, Any]:
        raise NetworkError("Its file cannot be read.")

    monkeypatch.setattr(final, "_open_test", broken)
    final.finish(rechosen.pk)
    rechosen.refresh_from_db()
    assert (rechosen.state, rechosen.test_requested_at) == (Run.State.FINISHED, None)
    last = rechosen.events.last()
    assert last is not None
    assert last.data["message"] == "It could not be tested. Its file cannot be read."


def test_a_run_extended_under_a_late_test_is_not_finished_by_it(rechosen: Run, ada: Any) -> None:
    from workers import final

    stale = Run.objects.select_related("chosen").get(pk=rechosen.pk)
    claim = Claim.take(
        Network,
        stale.chosen.pk,
        waiting=Network.State.MEASURED,
        working=Network.State.MEASURED,  # type: ignore[union-attr]
    )
    assert claim is not None
    changes.extend_run(rechosen.pk, 1, ada)
    final._finish(stale, claim, {})
    assert state(rechosen) == Run.State.QUEUED
