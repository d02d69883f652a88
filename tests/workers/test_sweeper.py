"""Lost work is found and put back; what only waits its turn is left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from webapp.datasets.models import Dataset
from webapp.networks.models import Network
from webapp.runs.models import BaseFile, DryRun, Run
from webapp.runs.sentences import sentence
from webapp.uploads.models import Upload
from workers import pace
from workers.sweeper import sweep

pytestmark = pytest.mark.django_db(transaction=True)

Messages = list[tuple[Any, ...]]


def all_empty(_queue: str) -> bool:
    return True


def none_empty(_queue: str) -> bool:
    return False


@pytest.fixture
def network(run: Run) -> Network:
    """A living network of a running run whose worker has just beaten."""
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    return Network.objects.create(
        run=run,
        name="ancestor",
        generation=0,
        state=Network.State.LIVING,
        claimed_by="host:1:abc",
        heartbeat_at=timezone.now(),
        attempts=1,
        progress=0.4,
        images_per_second=900.0,
    )


def silence(row: Any, seconds: float = pace.STALE + 1) -> None:
    type(row).objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def test_a_beating_heart_is_left_alone(network: Network, dispatched: Messages) -> None:
    silence(network, pace.STALE / 2)
    sweep(all_empty)
    network.refresh_from_db()
    assert (network.state, network.claimed_by) == (Network.State.LIVING, "host:1:abc")
    assert dispatched == []


def test_a_silent_network_waits_again_and_is_sent_again(network: Network, dispatched: Messages) -> None:
    silence(network)
    sweep(all_empty)
    network.refresh_from_db()
    assert (network.state, network.claimed_by) == (Network.State.WAITING, "")
    assert network.images_per_second is None
    assert network.progress == 0.4  # it goes on from its checkpoint
    assert ("workers.live", network.pk) in dispatched
    assert list(network.run.events.values_list("kind", "network")) == [("lost", network.pk)]


def test_work_that_kills_every_worker_is_given_up_with_a_sentence(network: Network, dispatched: Messages) -> None:
    Network.objects.update(attempts=pace.ATTEMPTS)
    silence(network)
    sweep(all_empty)
    network.refresh_from_db()
    assert network.state == Network.State.ERRORED
    assert network.message.startswith(f"The worker was lost {pace.ATTEMPTS} times in a row")
    assert ("workers.advance", network.run_id) in dispatched


def test_what_waits_in_a_full_queue_is_not_sent_twice(network: Network, dispatched: Messages) -> None:
    Network.objects.update(state=Network.State.WAITING, claimed_by="")
    sweep(none_empty)
    assert dispatched == []
    sweep(all_empty)
    assert dispatched == [("workers.live", network.pk)]


def test_networks_of_ended_runs_are_not_sent(network: Network, dispatched: Messages) -> None:
    Network.objects.update(state=Network.State.WAITING, claimed_by="")
    Run.objects.update(state=Run.State.CANCELLED)
    sweep(all_empty)
    assert dispatched == []


def test_a_run_with_nothing_under_way_is_advanced(run: Run, dispatched: Messages) -> None:
    sweep(all_empty)
    assert dispatched == [("workers.advance", run.pk)]
    Run.objects.update(state=Run.State.FINISHED)
    dispatched.clear()
    sweep(all_empty)
    assert dispatched == []


def test_a_run_that_is_to_be_cancelled_is_advanced_though_a_network_lives(
    network: Network, dispatched: Messages
) -> None:
    Run.objects.update(cancel_requested_at=timezone.now())
    sweep(all_empty)
    assert dispatched == [("workers.advance", network.run_id)]


def test_a_test_under_way_is_left_alone_and_a_lost_one_freed(network: Network, dispatched: Messages) -> None:
    Network.objects.update(state=Network.State.MEASURED)
    sweep(all_empty)
    assert dispatched == []
    silence(network)
    sweep(all_empty)
    network.refresh_from_db()
    assert (network.state, network.claimed_by) == (Network.State.MEASURED, "")
    assert ("workers.advance", network.run_id) in dispatched


def test_a_final_test_that_kills_every_worker_ends_the_run(network: Network, dispatched: Messages) -> None:
    Network.objects.update(state=Network.State.MEASURED, attempts=pace.ATTEMPTS)
    silence(network)
    sweep(all_empty)
    network.refresh_from_db()
    network.run.refresh_from_db()
    assert (network.state, network.attempts) == (Network.State.MEASURED, 0)  # what was measured stays
    assert network.run.state == Run.State.ERRORED
    assert network.run.message.startswith(f"The final test: the worker was lost {pace.ATTEMPTS} times")
    told = [sentence(event) for event in network.run.events.all()]
    assert told[0] == "The worker of the ancestor was lost; its work is given up."


@pytest.mark.parametrize("attempts", [1, pace.ATTEMPTS])
def test_lost_inspections_are_put_back_or_given_up(dataset: Dataset, dispatched: Messages, attempts: int) -> None:
    Dataset.objects.update(state=Dataset.State.INSPECTING, claimed_by="host:1:abc", attempts=attempts)
    silence(dataset)
    sweep(all_empty)
    dataset.refresh_from_db()
    if attempts < pace.ATTEMPTS:
        assert dataset.state == Dataset.State.UPLOADED
        assert dispatched == [("workers.inspect_dataset", dataset.pk)]
    else:
        assert dataset.state == Dataset.State.ERRORED
        assert "lost 3 times in a row" in dataset.message
        assert dispatched == []


def test_folders_go_once_nobody_needs_them(network: Network, dataset: Dataset, dispatched: Messages) -> None:
    runs, data = settings.WORK_ROOT / "runs", settings.WORK_ROOT / "data"
    mine, gone, cached, old = runs / str(network.run_id), runs / "999999", data / str(dataset.pk), data / "999999"
    for folder in (mine, gone, cached, old):
        (folder / "below").mkdir(parents=True)
    sweep(all_empty)
    assert [folder.exists() for folder in (mine, gone, cached, old)] == [True, False, True, False]
    Run.objects.update(state=Run.State.FINISHED)
    sweep(all_empty)
    assert mine.exists()  # a worker still holds one of its networks
    Network.objects.update(state=Network.State.MEASURED, claimed_by="", onnx_state=Network.OnnxState.REQUESTED)
    sweep(all_empty)
    assert mine.exists()
    Network.objects.update(onnx_state=Network.OnnxState.READY, int8_state=Network.Made.REQUESTED)
    sweep(all_empty)
    assert mine.exists()
    Network.objects.update(int8_state=Network.Made.READY)
    sweep(all_empty)
    assert not mine.exists()


def test_lost_messages_about_uploads_and_exports_are_sent_again(
    team: Any, network: Network, dispatched: Messages
) -> None:
    dataset = Dataset.objects.create(team=team, name="New")
    base = BaseFile.objects.create(team=team, kind="onnx", original_name="a.onnx", sha256="0" * 64)
    asked = Network.Made.REQUESTED
    Network.objects.update(
        state=Network.State.MEASURED, onnx_state=asked, inside_state=asked, int8_state=asked, claimed_by="x"
    )
    sweep(all_empty)
    assert dispatched == [
        ("workers.inspect_dataset", dataset.pk),
        ("workers.inspect_base", base.pk),
        ("workers.export_onnx", network.pk),
        ("workers.look_inside", network.pk),
    ]
    dispatched.clear()
    Network.objects.update(onnx_state=Network.Made.READY, inside_state=Network.Made.READY)
    sweep(all_empty)
    assert ("workers.quantize", network.pk) in dispatched  # which waits for the ONNX form


def test_what_cannot_be_tidied_keeps_nothing_waiting(
    network: Network, dispatched: Messages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forget_stale() -> None:
        raise PermissionError("not ours to delete")

    monkeypatch.setattr(Upload, "forget_stale", forget_stale)
    gone = settings.WORK_ROOT / "data" / "999999"
    gone.mkdir(parents=True)
    old = DryRun.objects.create(team=network.run.team, dataset=network.run.dataset, spec={})
    DryRun.objects.update(created_at=timezone.now() - timedelta(days=2))
    silence(network)
    sweep(all_empty)
    assert ("workers.live", network.pk) in dispatched
    assert "Tidying up failed at forget_stale" in caplog.text
    assert not gone.exists()
    assert not DryRun.objects.filter(pk=old.pk).exists()
