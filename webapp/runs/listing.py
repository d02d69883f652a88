"""The rows of a list of runs: a constant number of queries, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, Sum

from webapp.networks.models import Network

from .models import Run
from .snapshot import ANCESTOR, spec_value
from .status import Bar, progress_share


def rows(runs: Iterable[Run], *, folded: bool = False) -> list[dict[str, Any]]:
    """Each run with how far it is. Three queries more than the runs themselves. `folded`: a run of
    a sweep stands for all of it."""
    runs = list(runs)
    keys = [run.pk for run in runs]
    ancestors = {
        network.run_id: network
        for network in Network.objects.filter(run__in=keys, name=ANCESTOR).only("run_id", "state", "progress")
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
    """For each run how many offspring have ended, and how much of the others is done."""
    open_ones = Q(state__in=[Network.State.WAITING, Network.State.LIVING])
    counted = (
        Network.objects.filter(run__in=keys)
        .exclude(name=ANCESTOR)
        .order_by()
        .values("run_id")
        .annotate(born=Count("pk"), ended=Count("pk", filter=~open_ones), part=Sum("progress", filter=open_ones))
    )
    return {row["run_id"]: dict(row) for row in counted}


def _row(run: Run, ancestor: Network | None, done: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": run,
        "tone": tone(run),
        "state": _state(run),
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
