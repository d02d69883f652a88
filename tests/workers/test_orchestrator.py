"""The run's state machine: each step once, whoever asks for it and however often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from evolution_core.records import REFUSED, NetworkRecord
from webapp.datasets.models import Dataset
from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import orchestrator
from workers.orchestrator import advance

pytestmark = pytest.mark.django_db(transaction=True)

Messages = list[tuple[Any, ...]]
Measure = Callable[..., None]


def networks(run: Run) -> dict[str, Network]:
    return {network.name: network for network in run.networks.all()}


def kinds(run: Run) -> list[str]:
    return list(run.events.values_list("kind", flat=True))


def test_a_queued_run_gets_its_ancestor_once(short_run: Run, dispatched: Messages) -> None:
    for _ in range(3):
        advance(short_run.pk)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.RUNNING
    assert short_run.started_at is not None
    assert list(networks(short_run)) == ["ancestor"]
    assert dispatched == [("workers.live", networks(short_run)["ancestor"].pk)]
    assert kinds(short_run) == ["started"]


def test_the_ancestor_measured_brings_the_first_generation(
    short_run: Run, dispatched: Messages, measure: Measure
) -> None:
    advance(short_run.pk)
    measure(networks(short_run)["ancestor"])
    dispatched.clear()
    for _ in range(3):
        advance(short_run.pk)
    found = networks(short_run)
    assert list(found) == ["ancestor", "1-1", "1-2"]
    assert dispatched == [("workers.live", found["1-1"].pk), ("workers.live", found["1-2"].pk)]
    assert [parent.name for parent in found["1-2"].parents.all()] == ["ancestor"]
    assert kinds(short_run) == ["started", "generation"]
    short_run.refresh_from_db()
    assert short_run.generation == 1


def test_a_generation_waits_for_all_its_networks(short_run: Run, dispatched: Messages, measure: Measure) -> None:
    advance(short_run.pk)
    measure(networks(short_run)["ancestor"])
    advance(short_run.pk)
    measure(networks(short_run)["1-1"])
    advance(short_run.pk)
    assert list(networks(short_run)) == ["ancestor", "1-1", "1-2"]


def evolve(run: Run, measure: Measure, accuracy: float = 0.9) -> None:
    """Measure whatever is born until nothing more is."""
    advance(run.pk)
    while waiting := list(run.networks.filter(state=Network.State.WAITING)):
        for network in waiting:
            measure(network, accuracy, parameters=1000 // (network.generation + 1) + network.pk % 2)
        advance(run.pk)


def test_the_end_chooses_and_asks_for_the_test(short_run: Run, dispatched: Messages, measure: Measure) -> None:
    evolve(short_run, measure)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.RUNNING
    assert short_run.chosen is not None
    assert short_run.chosen.generation == 2
    assert dispatched[-1] == ("workers.finish", short_run.pk)
    advance(short_run.pk)  # a lost message is sent again, and the generation is not told twice
    assert dispatched[-1] == ("workers.finish", short_run.pk)
    assert kinds(short_run).count("generation") == 3


def test_the_test_finishes_the_run(short_run: Run, dispatched: Messages, measure: Measure) -> None:
    evolve(short_run, measure)
    with transaction.atomic():
        locked = orchestrator.lock(short_run.pk)
    assert locked is not None
    assert locked.chosen is not None
    tested = {
        name: NetworkRecord.from_json(networks(locked)[name].record).replace(
            test_accuracy=0.875, test_metrics={"accuracy": 0.875}
        )
        for name in ("ancestor", locked.chosen.name)
    }
    with transaction.atomic():
        orchestrator.finish(locked, tested)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.FINISHED
    assert short_run.finished_at is not None
    assert networks(short_run)["ancestor"].test_accuracy == 0.875
    assert kinds(short_run)[-3:] == ["tested", "tested", "finished"]
    last = short_run.events.last()
    assert last is not None
    assert last.data["chosen"] == locked.chosen.name
    assert last.data["parameters_times"] > 2
    before = short_run.last_event
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert short_run.last_event == before


def test_a_refused_offspring_does_not_stop_the_run(short_run: Run, dispatched: Messages, measure: Measure) -> None:
    advance(short_run.pk)
    measure(networks(short_run)["ancestor"])
    advance(short_run.pk)
    found = networks(short_run)
    measure(found["1-1"])
    refuse(found["1-2"])
    advance(short_run.pk)
    assert [parent.name for parent in networks(short_run)["2-2"].parents.all()] == ["1-1"]


def refuse(network: Network) -> None:
    record = NetworkRecord(network.name, network.generation, status=REFUSED, message="The proof failed.")
    Network.objects.filter(pk=network.pk).update(state=Network.State.REFUSED, record=record.to_json())


def test_no_offspring_at_all_is_a_failure_with_its_reason(
    short_run: Run, dispatched: Messages, measure: Measure
) -> None:
    advance(short_run.pk)
    measure(networks(short_run)["ancestor"])
    advance(short_run.pk)
    for name in ("1-1", "1-2"):
        refuse(networks(short_run)[name])
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert (short_run.state, short_run.message) == (Run.State.FAILED, "No offspring could be proven.")


def test_an_errored_network_ends_the_run_and_frees_its_siblings(
    short_run: Run, dispatched: Messages, measure: Measure
) -> None:
    advance(short_run.pk)
    measure(networks(short_run)["ancestor"])
    advance(short_run.pk)
    found = networks(short_run)
    Network.objects.filter(pk=found["1-1"].pk).update(state=Network.State.ERRORED, message="Out of luck.")
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert (short_run.state, short_run.message) == (Run.State.ERRORED, "Network 1-1: Out of luck.")
    assert networks(short_run)["1-2"].state == Network.State.CANCELLED


def test_cancelling_takes_back_what_waits_and_waits_for_what_lives(short_run: Run, dispatched: Messages) -> None:
    advance(short_run.pk)
    ancestor = networks(short_run)["ancestor"]
    Network.objects.filter(pk=ancestor.pk).update(state=Network.State.LIVING, claimed_by="someone")
    Run.objects.filter(pk=short_run.pk).update(cancel_requested_at=timezone.now())
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.RUNNING
    Network.objects.filter(pk=ancestor.pk).update(state=Network.State.CANCELLED, claimed_by="")
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.CANCELLED
    assert kinds(short_run)[-1] == "cancelled"


def test_a_run_cancelled_before_it_began_never_begins(short_run: Run, dispatched: Messages) -> None:
    Run.objects.filter(pk=short_run.pk).update(cancel_requested_at=timezone.now())
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.CANCELLED
    assert networks(short_run) == {}
    assert dispatched == []


def test_a_run_waits_for_its_data(short_run: Run, dispatched: Messages) -> None:
    Dataset.objects.update(state=Dataset.State.INSPECTING)
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert (short_run.state, dispatched) == (Run.State.QUEUED, [])
    Dataset.objects.update(state=Dataset.State.REFUSED, message="a.png: cannot be read")
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert short_run.state == Run.State.FAILED
    assert short_run.message == "The data set cannot be used. a.png: cannot be read"


def test_failing_is_final_and_happens_once(short_run: Run, dispatched: Messages) -> None:
    orchestrator.fail(short_run.pk, "Too few images.")
    orchestrator.fail(short_run.pk, "Something else.")
    short_run.refresh_from_db()
    assert (short_run.state, short_run.message) == (Run.State.FAILED, "Too few images.")
    assert kinds(short_run) == ["failed"]


def test_a_run_that_is_gone_is_no_error(db: None) -> None:
    advance(4711)


def test_a_network_that_could_not_be_made_at_all_ends_the_run_with_its_reason(
    short_run: Run, dispatched: Messages
) -> None:
    """As a process left it that was killed before it could end the run: refused, without a record."""
    advance(short_run.pk)
    short_run.networks.update(state=Network.State.REFUSED, message="The input is too small for this network.")
    advance(short_run.pk)
    short_run.refresh_from_db()
    assert (short_run.state, short_run.message) == (Run.State.FAILED, "The input is too small for this network.")
