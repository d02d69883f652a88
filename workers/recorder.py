"""The life of one network: claimed, lived by the engine, written down event by event, given back.

Every event becomes a numbered row of the run; what pages show of the network now stands on its own row. Both are
written only while the claim holds. Whatever ends the work early leaves a checkpoint behind, from which the next
worker goes on to the same bits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from evolution_core.events import Event
from evolution_core.lineage import read_record
from evolution_core.records import NetworkRecord, Plan
from evolution_core.spec import EustressError
from webapp.dispatch import dispatch
from webapp.networks.models import Network
from webapp.runs.models import BaseFile, Run
from workers import materials, orchestrator, pace
from workers.claims import Cancelled, Claim, ClaimLost, Interrupted, patiently

log = logging.getLogger(__name__)

# What `phase` says from an event on; the event `progress` names its phase itself.
PHASES = {"born": "drawing", "drawn": "drawing", "gestation": "gestation", "cut": "cut", "growth": "growth"}
BUG = "An unexpected error; the worker’s log has the details."


def live(network_id: int) -> None:
    """Live one network's life, if it still waits for that, and say so to the orchestrator."""
    network = Network.objects.select_related("run__dataset").filter(pk=network_id).first()
    if network is None:
        return
    run = network.run
    if run.pause_requested_at:
        return
    claim = Claim.take(
        Network,
        network.pk,
        waiting=Network.State.WAITING,
        working=Network.State.LIVING,
        is_cancelled=lambda: is_over(run.pk),
        is_paused=lambda: is_paused(run.pk),
        message="",
    )
    if claim is None:
        return
    Network.objects.filter(pk=network.pk, started_at=None).update(started_at=timezone.now())
    network.refresh_from_db()
    work(
        claim,
        Network.State.WAITING,
        run.pk,
        lambda: _live(network, claim),
        cancelled=Network.State.CANCELLED,
        refused=Network.State.REFUSED,
        errored=Network.State.ERRORED,
    )
    dispatch("workers.advance", run.pk)


def work(claim: Claim, waiting: str, run_id: int, task: Callable[[], None], **ends: str) -> None:
    """Do a claimed piece of a run's work, and give the row back as the way it ended demands.

    `ends` names the network's state after `cancelled`, `refused` and `errored`; without it the network is not what
    failed and keeps its state, `waiting`. A row that went to another worker, or is gone, is left alone.
    """
    try:
        _work(claim, waiting, run_id, task, ends)
    except ClaimLost:
        log.warning("Work on network %s went to another worker.", claim.pk)


def _work(claim: Claim, waiting: str, run_id: int, task: Callable[[], None], ends: dict[str, str]) -> None:
    try:
        with claim:
            claim.check()
            task()
    except ClaimLost:
        raise
    except (Interrupted, materials.InUse):
        claim.hand_back(waiting)
    except Cancelled:
        claim.release(ends.get("cancelled", waiting), attempts=0, images_per_second=None)
    except EustressError as refusal:  # expected: the data or the networks do not allow it
        _stop(claim, run_id, ends.get("refused", waiting), str(refusal), Run.State.FAILED)
    except OperationalError:
        log.exception("The database went away during work on network %s; the sweeper will put it back", claim.pk)
    except Exception:
        log.exception("Network %s of run %s stopped by an error", claim.pk, run_id)
        _stop(claim, run_id, ends.get("errored", waiting), BUG, Run.State.ERRORED)


@patiently
def _stop(claim: Claim, run_id: int, state: str, message: str, run_state: str) -> None:
    """The network's row and the run's end, together: a refused network without a record is nothing to go on from."""
    with transaction.atomic():
        orchestrator.lock(run_id)  # the run first, everywhere
        claim.release(state, message=message, attempts=0, images_per_second=None)
        orchestrator.fail(run_id, message, run_state)


def is_over(run_id: int) -> bool:
    """Whether nobody wants the run's work any more."""
    over = Q(cancel_requested_at__isnull=False) | Q(state__in=Run.ENDED)
    return Run.objects.filter(over, pk=run_id).exists() or not Run.objects.filter(pk=run_id).exists()


def is_paused(run_id: int) -> bool:
    """Whether the run's work is to wait."""
    return Run.objects.filter(pk=run_id, pause_requested_at__isnull=False).exists()


def _live(network: Network, claim: Claim) -> None:
    """Let the engine live the network's life in the run's folder, recording what it tells."""
    from evolution_core.life import Life  # PyTorch: only where it is needed

    run, folder = network.run, materials.run_folder(network.run)
    with materials.alone(folder, network.name):
        materials.restore(run, folder)
        recorder = Recorder(run, network, claim, folder)
        if known := read_record(
            folder, network.name
        ):  # an earlier attempt died between the engine's last word and ours
            recorder.follow([Event(known.status, network.name, {"record": known.to_json()})])
            return
        spec = run.run_spec
        own = materials.brought_file(run, BaseFile.Kind.ONNX, spec.own)
        life = Life(
            spec,
            plan_of(network),
            materials.data_for(run, own, claim.check),
            folder,
            own=own,
            weights=materials.brought_file(run, BaseFile.Kind.WEIGHTS, spec.weights),
            threads=1,
        )
        recorder.follow(life.events())


def plan_of(network: Network) -> Plan:
    """The engine's plan of a network's birth; the leading parent is the row that was linked first."""
    through = Network.parents.through
    links = through._default_manager.filter(from_network=network).order_by("pk")
    return Plan(network.name, network.generation, tuple(links.values_list("to_network__name", flat=True)))


class Recorder:
    """Turns the events of one life into rows. `follow` ends by itself or by what the claim raises."""

    def __init__(self, run: Run, network: Network, claim: Claim, folder: Path):
        self.run, self.network, self.claim, self.folder = run, network, claim, folder
        self._told = set(_fingerprints(network)) if network.attempts > 1 or network.progress else set()
        self._reached = network.progress  # how far any attempt came
        self._progress_at = 0.0

    def follow(self, events: Iterable[Event]) -> None:
        for event in events:
            self.claim.check()
            {"progress": self._progress, "measured": self._measured, "refused": self._refused}.get(
                event.kind, self._plain
            )(event)

    def _plain(self, event: Event) -> None:
        """An event of a kind that is only to be told. One that an earlier attempt told already is not told twice."""
        changes: dict[str, Any] = {}
        if phase := PHASES.get(event.kind):
            changes["phase"] = "" if phase == "drawing" and not self.network.generation else phase
        if event.kind == "shock":
            changes["shock_accuracy"] = next(iter(event.data.values()), None)
        self._write(event, **changes)

    def _progress(self, event: Event) -> None:
        """How far it is: at most one row every two seconds."""
        now = time.monotonic()
        if now - self._progress_at < pace.PROGRESS:
            return
        self._progress_at = now
        share = float(event.data.get("share") or 0.0)
        changes: dict[str, Any] = {"images_per_second": event.data.get("images_per_second")}
        if event.data.get("phase"):
            changes["phase"] = event.data["phase"]
        if share > self._reached:  # further than any attempt before: whatever stopped those did not stop this one
            self._reached = share
            changes.update(progress=share, attempts=1)
        self._write(event, **changes)

    def _refused(self, event: Event) -> None:
        """The surgery could not be proven: this network ends, the run goes on."""
        record = read_record(self.folder, self.network.name)
        assert record is not None
        self._end(Network.State.REFUSED, event.kind, record, message=record.message)

    def _measured(self, event: Event) -> None:
        record = NetworkRecord.from_json(event.data["record"])
        if not record.is_measured:
            return
        assert record.file is not None
        path = self.folder / record.file
        stored = materials.store(path, f"runs/{self.run.pk}/{self.network.name}.safetensors")
        changes = {
            name: getattr(record, name)
            for name in (
                "validation_accuracy",
                "shock_accuracy",
                "parameters",
                "macs",
                "bytes",
                "peak_activation_bytes",
                "latency_ms",
                "ancestor_latency_ms",
                "clusters",
            )
        }
        changes.update(file=stored, sha256=materials.sha256(path), measured_at=timezone.now(), progress=1.0)
        changes.update(onnx_state=Network.Made.REQUESTED, inside_state=Network.Made.REQUESTED)
        self._end(Network.State.MEASURED, event.kind, record, **changes)

    @patiently
    def _end(self, state: str, kind: str, record: NetworkRecord, **changes: Any) -> None:
        """The network's last change: state, record and event together, or nothing."""
        told = brief(record) if record.is_measured else {"reason": record.message}
        with transaction.atomic():
            orchestrator.lock(self.run.pk)  # the run first, everywhere: two that wait for each other would never end
            self.claim.write(
                state=state,
                record=record.to_json(),
                phase="",
                attempts=0,
                images_per_second=None,
                claimed_by="",
                heartbeat_at=None,
                **changes,
            )
            self.run.record(kind, network=self.network, **told)
            # how far it was, every two seconds, is of no use any more; thousands of networks would leave millions
            self.network.events.filter(kind="progress").delete()
            if state == Network.State.MEASURED:
                dispatch("workers.export_onnx", self.network.pk)
                dispatch("workers.look_inside", self.network.pk)

    @patiently
    def _write(self, event: Event, **changes: Any) -> None:
        """One event's row and the network's fields, together, while the claim holds."""
        known = fingerprint(event.kind, event.data) in self._told
        with transaction.atomic():
            if not known:
                self.run.record(event.kind, network=self.network, **event.data)
            self.claim.write(**(changes or {"heartbeat_at": timezone.now()}))


def brief(record: NetworkRecord) -> dict[str, Any]:
    """What the event of a measurement says; the whole record is on the network's own row."""
    return {
        name: value
        for name, value in record.to_json().items()
        if name not in {"layers", "history", "metrics", "test_metrics", "proof", "seconds", "file", "clusters"}
        and value is not None
    }


def fingerprint(kind: str, data: dict[str, Any]) -> tuple[Any, ...]:
    """What makes an event of one life the same as another: all but epochs and notes happen once."""
    return (kind, data.get("phase"), data.get("epoch")) if kind == "epoch" else (kind, data.get("message"))


def _fingerprints(network: Network) -> Iterable[tuple[Any, ...]]:
    """What earlier attempts told of this network. The engine tells a resumed life's beginning again."""
    rows = network.events.exclude(kind__in=["progress", "lost"]).values_list("kind", "data")
    return (fingerprint(kind, data) for kind, data in rows)
