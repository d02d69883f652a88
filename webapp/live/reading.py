"""What the live pages read: events after a number, and what living networks do just now. Plain values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.models import Q

from webapp.networks.models import Network
from webapp.runs.models import Run, RunEvent
from webapp.runs.sentences import event_json
from webapp.runs.status import PHASES, speed

BATCH = 500  # events read at once


@dataclass(frozen=True)
class Change:
    """Something to tell viewers of a run. Events carry their number; `living` and `end` are of the moment, without."""

    run_id: int
    kind: str
    number: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


def events_after(run_id: int, number: int, limit: int = BATCH) -> list[Change]:
    """The run's next events in order, at most `limit`."""
    events = RunEvent.objects.filter(run_id=run_id, number__gt=number).select_related("network").order_by("number")
    return [Change(run_id, event.kind, event.number, event_json(event)) for event in events[:limit]]


def last_numbers(run_ids: Iterable[int]) -> dict[int, int]:
    return dict(Run.objects.filter(pk__in=list(run_ids)).values_list("pk", "last_event"))


def read_changes(after: Mapping[int, int]) -> list[Change]:
    """New events of all watched runs, what lives in them, and which have ended: three queries for any number.

    The ends are read first: an event written before a run's end is then always read before that end is told.
    """
    if not after:
        return []
    ended = list(Run.objects.filter(pk__in=list(after), state__in=Run.ENDED).values_list("pk", "last_event"))
    new = Q()
    for run_id, number in after.items():
        new |= Q(run_id=run_id, number__gt=number)
    events = RunEvent.objects.filter(new).select_related("network").order_by("run_id", "number")[:BATCH]
    changes = [Change(event.run_id, event.kind, event.number, event_json(event)) for event in events]
    changes += [Change(run_id, "living", None, data) for run_id, data in living(after).items()]
    reached = dict(after) | {c.run_id: c.number for c in changes if c.number is not None}
    # A run whose last event has not been read yet (the batch was full) is told to have ended at the next look.
    changes += [Change(run_id, "end") for run_id, last in ended if reached.get(run_id, 0) >= last]
    return changes


def living(run_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """For each run: {"networks": [{"name", "phase", "doing", "progress", "images_per_second", "speed"}]}.

    `doing` and `speed` are the phase and the speed in words.
    """
    found: dict[int, dict[str, Any]] = {}
    rows = Network.objects.filter(run__in=list(run_ids), state=Network.State.LIVING).order_by("generation", "pk")
    for run_id, name, phase, progress, rate in rows.values_list(
        "run_id", "name", "phase", "progress", "images_per_second"
    ):
        lives = found.setdefault(run_id, {"networks": []})
        lives["networks"].append(
            {
                "name": name,
                "phase": phase,
                "doing": PHASES.get(phase, phase),
                "progress": round(progress, 3),
                "images_per_second": rate,
                "speed": speed(rate),
            }
        )
    return found


def has_ended(run_id: int) -> bool:
    """True for a run that has ended, and for one that is no more."""
    state = Run.objects.filter(pk=run_id).values_list("state", flat=True).first()
    return state is None or state in Run.ENDED


def release_connections() -> None:
    """Gives this thread's database connections back; one in a transaction (a test's) stays."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
