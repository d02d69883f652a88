"""What the engine tells becomes rows: events in order, progress sparingly, measurements whole, and nothing without
the claim. The engine itself is played by lists of events here; tests/chaos has the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import default_storage

from evolution_core.events import Event
from evolution_core.records import REFUSED, NetworkRecord, write_json
from evolution_core.spec import NetworkError
from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import materials, orchestrator, pace, recorder
from workers.claims import Claim, ClaimLost, Interrupted
from workers.recorder import Recorder

pytestmark = pytest.mark.django_db(transaction=True)

Messages = list[tuple[Any, ...]]
State = Network.State


@pytest.fixture
def network(short_run: Run, dispatched: Messages) -> Network:
    orchestrator.advance(short_run.pk)
    dispatched.clear()
    return short_run.networks.get()


@pytest.fixture
def live(network: Network, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lives the network's life with the given events, as the task does."""

    def make(*events: Event | Callable[[], Any]) -> None:
        def told() -> Iterator[Event]:
            for event in events:
                if isinstance(event, Event):
                    yield event
                else:
                    event()

        def play(living: Network, claim: Claim) -> None:
            Recorder(living.run, living, claim, materials.run_folder(living.run)).follow(told())

        monkeypatch.setattr(recorder, "_live", play)
        recorder.live(network.pk)
        network.refresh_from_db()

    return make


def kinds(network: Network) -> list[str]:
    return list(network.events.values_list("kind", flat=True))


def measured(network: Network, folder: Path, **fields: Any) -> Event:
    """The engine's last word on a network, its file written."""
    (folder / f"{network.name}.safetensors").write_bytes(b"weights")
    values: dict[str, Any] = {
        "validation_accuracy": 0.97,
        "parameters": 1234,
        "macs": 5678,
        "bytes": 4936,
        "peak_activation_bytes": 3136,
        "latency_ms": 0.5,
        "ancestor_latency_ms": 0.5,
        "clusters": {"conv1": 20},
        "file": f"{network.name}.safetensors",
    }
    record = NetworkRecord(network.name, 0, **(values | fields))
    return Event("measured", network.name, {"record": record.to_json()})


def test_a_life_is_told_and_measured(network: Network, live: Callable[..., None], dispatched: Messages) -> None:
    folder = materials.run_folder(network.run)
    live(
        Event("born", "ancestor", {"generation": 0, "parents": []}),
        Event("growth", "ancestor", {"epochs": 2.0}),
        measured(network, folder),
    )
    assert kinds(network) == ["born", "growth", "measured"]
    assert (network.state, network.claimed_by, network.attempts) == (State.MEASURED, "", 0)
    assert (network.progress, network.parameters, network.validation_accuracy) == (1.0, 1234, 0.97)
    assert network.peak_activation_bytes == 3136
    assert network.started_at is not None
    assert network.measured_at is not None
    assert network.file.name == f"runs/{network.run_id}/ancestor.safetensors"
    assert network.file.read() == b"weights"
    assert network.sha256 == materials.sha256(folder / "ancestor.safetensors")
    assert NetworkRecord.from_json(network.record).clusters == {"conv1": 20}
    assert dispatched == [
        ("workers.export_onnx", network.pk),
        ("workers.look_inside", network.pk),
        ("workers.advance", network.run_id),
    ]


def test_progress_is_forgotten_once_it_is_over(
    network: Network, live: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PROGRESS", 0.0)
    told: list[list[str]] = []
    live(
        Event("born", "ancestor", {}),
        Event("progress", "ancestor", {"share": 0.5}),
        lambda: told.append(kinds(network)),
        measured(network, materials.run_folder(network.run)),
    )
    assert told == [["born", "progress"]]
    assert kinds(network) == ["born", "measured"]


def test_events_are_numbered_without_a_gap(network: Network, live: Callable[..., None]) -> None:
    live(*[Event("epoch", "ancestor", {"epoch": number}) for number in range(5)])
    numbers = list(network.run.events.values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


def test_progress_is_told_sparingly(
    network: Network, live: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000, 2000))  # half a second an event
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: next(clock) / 2))
    told = [
        Event("progress", "ancestor", {"phase": "growth", "share": i / 100, "images_per_second": 10.0 * i})
        for i in range(40)
    ]
    live(*told, Interrupted_now)
    assert kinds(network).count("progress") == 10
    assert (network.phase, network.progress) == ("growth", 0.36)


def Interrupted_now() -> None:
    raise Interrupted


def test_an_interrupted_life_waits_again_and_its_beginning_is_not_told_twice(
    network: Network, live: Callable[..., None], dispatched: Messages
) -> None:
    beginning = [
        Event("born", "ancestor", {"generation": 0, "parents": []}),
        Event("progress", "ancestor", {"phase": "growth", "share": 0.3}),
        Event("epoch", "ancestor", {"epoch": 1, "loss": 0.5}),
    ]
    live(*beginning, Interrupted_now)
    assert (network.state, network.claimed_by, network.attempts) == (State.WAITING, "", 0)
    live(*beginning, Event("epoch", "ancestor", {"epoch": 2, "loss": 0.4}))
    assert [kind for kind in kinds(network) if kind != "progress"] == ["born", "epoch", "epoch"]
    assert network.progress == 0.3


def test_only_getting_further_than_before_counts_as_progress(network: Network, live: Callable[..., None]) -> None:
    Network.objects.update(attempts=2, progress=0.5)
    attempts = []

    def note() -> None:
        attempts.append(Network.objects.get(pk=network.pk).attempts)

    live(Event("progress", "ancestor", {"share": 0.4}), note)
    assert attempts == [3]
    assert network.progress == 0.5
    Network.objects.update(state=State.WAITING, claimed_by="", attempts=2)
    live(Event("progress", "ancestor", {"share": 0.6}), note)
    assert attempts == [3, 1]


def test_cancelling_stops_a_life(network: Network, live: Callable[..., None], dispatched: Messages) -> None:
    def cancel() -> None:
        raise recorder.Cancelled

    live(Event("born", "ancestor", {}), cancel, Event("growth", "ancestor", {}))
    assert network.state == State.CANCELLED
    assert kinds(network) == ["born"]
    assert dispatched == [("workers.advance", network.run_id)]


def test_nothing_is_told_once_the_claim_is_lost(network: Network, live: Callable[..., None]) -> None:
    live(
        Event("born", "ancestor", {}),
        lambda: Network.objects.update(claimed_by="another"),
        Event("growth", "ancestor", {}),
    )
    assert kinds(network) == ["born"]
    assert (network.state, network.claimed_by) == (State.LIVING, "another")


def test_a_lost_claim_cannot_measure(network: Network, live: Callable[..., None]) -> None:
    folder = materials.run_folder(network.run)
    live(lambda: Network.objects.update(claimed_by="another"), measured(network, folder))
    assert network.state == State.LIVING
    assert kinds(network) == []


def test_an_error_after_the_claim_was_lost_is_not_the_runs(network: Network, live: Callable[..., None]) -> None:
    def fail() -> None:
        Network.objects.update(claimed_by="another")
        raise OSError("the folder went to the other worker")

    live(fail)
    network.run.refresh_from_db()
    assert (network.state, network.claimed_by) == (State.LIVING, "another")
    assert not network.run.has_ended


def test_what_the_data_do_not_allow_fails_the_run(network: Network, live: Callable[..., None]) -> None:
    def refuse() -> None:
        raise NetworkError("The input is too small for this network.")

    live(refuse)
    run = Run.objects.get(pk=network.run_id)
    assert network.state == State.REFUSED
    assert (run.state, run.message) == (Run.State.FAILED, "The input is too small for this network.")


def test_a_kill_between_the_networks_end_and_the_runs_leaves_neither(
    network: Network, live: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise NetworkError("The input is too small for this network.")

    def die(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(orchestrator, "fail", die)
    with pytest.raises(SystemExit):
        live(refuse)
    network.refresh_from_db()
    assert (network.state, network.message) == (State.LIVING, "")  # the sweeper finds it by its silent heart
    assert network.claimed_by


def test_a_bug_stops_the_run_and_says_where_to_look(
    network: Network, live: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    live(lambda: 1 / 0)
    run = Run.objects.get(pk=network.run_id)
    assert network.state == State.ERRORED
    assert run.state == Run.State.ERRORED
    assert run.message == "An unexpected error; the worker’s log has the details."
    assert "ZeroDivisionError" in caplog.text


def test_a_refused_offspring_keeps_its_record(network: Network, live: Callable[..., None]) -> None:
    record = NetworkRecord("ancestor", 0, status=REFUSED, message="The proof failed by 0.3.")
    write_json(materials.run_folder(network.run) / "ancestor.json", record.to_json())
    live(Event("refused", "ancestor", {"reason": "The proof failed by 0.3."}))
    assert (network.state, network.message) == (State.REFUSED, "The proof failed by 0.3.")
    assert NetworkRecord.from_json(network.record) == record
    assert network.events.get().data == {"reason": "The proof failed by 0.3."}


def test_a_network_that_someone_else_lives_is_left_alone(network: Network, live: Callable[..., None]) -> None:
    Network.objects.update(state=State.LIVING, claimed_by="another")
    live(lambda: pytest.fail("it must not be lived twice"))
    assert network.claimed_by == "another"


def test_a_lost_folder_is_made_again_from_storage(network: Network, live: Callable[..., None], tmp_path: Path) -> None:
    folder = materials.run_folder(network.run)
    live(measured(network, folder))
    for file in folder.iterdir():
        file.unlink()
    materials.restore(network.run, folder)
    assert (folder / "ancestor.safetensors").read_bytes() == b"weights"
    assert (folder / "ancestor.json").exists()


def test_a_network_that_is_gone_from_storage_is_named(
    network: Network, live: Callable[..., None], tmp_path: Path
) -> None:
    live(measured(network, materials.run_folder(network.run)))
    default_storage.delete(network.file.name)
    with pytest.raises(materials.Gone, match="ancestor is gone from the server's storage"):
        materials.restore(network.run, tmp_path)


def test_two_processes_do_not_share_a_networks_files(network: Network) -> None:
    folder = materials.run_folder(network.run)
    with materials.alone(folder, "ancestor"):
        with pytest.raises(materials.InUse), materials.alone(folder, "ancestor"):
            pass
        with materials.alone(folder, "1-1"):
            pass


def test_storing_twice_keeps_the_name(tmp_path: Path, db: None) -> None:
    path = tmp_path / "a"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        assert materials.store(path, "runs/1/a.safetensors") == "runs/1/a.safetensors"
    assert default_storage.open("runs/1/a.safetensors").read() == b"two"


def test_parents_keep_their_order(network: Network, measure: Callable[..., None]) -> None:
    run = network.run
    others = [Network.objects.create(run=run, name=name, generation=1) for name in ("1-1", "1-2", "1-3")]
    child = Network.objects.create(run=run, name="2-1", generation=2)
    for parent in (others[2], others[0]):
        child.parents.add(parent)
    assert recorder.plan_of(child).parents == ("1-3", "1-1")


def test_claim_lost_is_not_an_error(network: Network, live: Callable[..., None]) -> None:
    def lose() -> None:
        raise ClaimLost

    live(lose)
    assert network.state == State.LIVING
