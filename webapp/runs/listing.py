"""The rows of a list of runs: a constant number of queries, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, Sum

from webapp.fields import key_of
from webapp.networks.models import Network

from .models import Run
from .snapshot import ANCESTOR, spec_value
from .status import Bar, guesses, hardly, progress_share


def rows(runs: Iterable[Run], *, folded: bool = False) -> list[dict[str, Any]]:
    """Each run with how far it is. Three queries more than the runs themselves. `folded`: a run of
    a sweep stands for all of it."""
    runs = list(runs)
    keys = [run.pk for run in runs]
    found = Network.objects.filter(run__in=keys, name=ANCESTOR).annotate(chance=key_of("record", "chance"))
    ancestors = {
        network.run_id: network for network in found.only("run_id", "state", "progress", "validation_accuracy")
    }
    done = _done(keys)
    sweeps = _sweeps([run.group_id for run in runs if run.group_id and folded])
    return [
        _row(run, ancestors.get(run.pk), done.get(run.pk, {})) | {"sweep": sweeps.get(run.group_id)} for run in runs
    ]


def _sweeps(keys: list[int]) -> dict[int | None, dict[str, Any]]:
    """For each group how many runs it has, how many have ended, and the share of that."""
    ended = Count("pk", filter=Q(state__in=Run.ENDED))
    finished = Count("pk", filter=Q(state=Run.State.FINISHED))
    counted = Run.objects.filter(group__in=keys).order_by().values("group_id")
    return {
        row["group_id"]: {**row, "share": row["ended"] / row["runs"]}
        for row in counted.annotate(runs=Count("pk"), ended=ended, finished=finished)
    }


def _done(keys: list[int]) -> dict[int, dict[str, Any]]:
    """For each run how many offspring have ended, how many are with a worker, and how much of the others is done."""
    open_ones = Q(state__in=[Network.State.WAITING, Network.State.LIVING])
    counted = (
        Network.objects.filter(run__in=keys)
        .exclude(name=ANCESTOR)
        .order_by()
        .values("run_id")
        .annotate(
            ended=Count("pk", filter=~open_ones),
            open=Count("pk", filter=open_ones),
            living=Count("pk", filter=Q(state=Network.State.LIVING)),
            part=Sum("progress", filter=open_ones),
        )
    )
    return {row["run_id"]: dict(row) for row in counted}


def _row(run: Run, ancestor: Any, done: dict[str, Any]) -> dict[str, Any]:
    waits = _waits(run, ancestor, done)
    doubted = ancestor is not None and guesses(ancestor.validation_accuracy, ancestor.chance)
    return {
        "run": run,
        "tone": "waiting" if waits else tone(run),
        "state": Run.State.QUEUED.label if waits else _state(run),
        "doubt": hardly(run) if doubted else "",  # why its figures say nothing
        "progress": _progress(run, ancestor, done),
        "networks": int(done.get("ended") or 0) + (1 if ancestor is not None and ancestor.state == "measured" else 0),
    }


def tone(run: Run) -> str:
    """The colour of a state: one of the tag classes of the style sheet."""
    return {
        Run.State.QUEUED: "waiting",
        Run.State.RUNNING: "waiting" if run.cancel_requested_at or run.pause_requested_at else "good",
        Run.State.PAUSED: "waiting",
        Run.State.FINISHED: "good",
        Run.State.FAILED: "lost",
        Run.State.ERRORED: "lost",
    }.get(Run.State(run.state), "")


def _state(run: Run) -> str:
    if run.cancel_requested_at and not run.has_ended:
        return "Cancelling"
    if run.pause_requested_at and run.state != Run.State.PAUSED:
        return "Pausing"
    if run.state == Run.State.RUNNING:
        return f"Generation {run.generation}" if run.generation else "Ancestor"
    return run.get_state_display()


def _waits(run: Run, ancestor: Network | None, done: dict[str, Any]) -> bool:
    """Whether a run that has begun has work to do, and no worker with any of it."""
    if run.state != Run.State.RUNNING or run.cancel_requested_at or run.pause_requested_at or done.get("living"):
        return False
    return bool(done.get("open")) or (ancestor is not None and ancestor.state == Network.State.WAITING)


def _progress(run: Run, ancestor: Network | None, done: dict[str, Any]) -> float | None:
    """0 to 1 while under way, weighing generations alike, as the run's page does; None once ended."""
    if run.has_ended:
        return None
    generations, offspring = int(spec_value(run, "generations", 1)), int(spec_value(run, "offspring", 1))
    first = 0.0
    if ancestor is not None:
        first = 1.0 if ancestor.state == Network.State.MEASURED else ancestor.progress
    later = float(done.get("ended") or 0) + float(done.get("part") or 0.0)
    bars = [Bar("", first), *(Bar("", 0.0) for _ in range(generations))]
    whole = progress_share(bars) + later / (offspring * (generations + 1))
    return min(1.0, whole)
