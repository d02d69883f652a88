"""Finds lost work and puts it back. Runs every few seconds, from any worker, as often as it likes.

Lost is: a claim without a heartbeat (its process died), a row that waits while its queue is empty (its message
died), a run with nothing under way (whoever should have advanced it died). Tidies up behind what has ended, too.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from webapp.datasets.models import Dataset
from webapp.dispatch import dispatch
from webapp.networks.models import Network
from webapp.runs import bases
from webapp.runs.models import BaseFile, DryRun, Run
from webapp.server import presence
from webapp.uploads.models import Upload
from workers import orchestrator, pace
from workers.claims import patiently

log = logging.getLogger(__name__)

DRY_RUNS_KEPT = timedelta(days=1)

LOST = "The worker was lost {times} times in a row at the same place, most likely for want of memory. "
LOST_NETWORK = LOST + "Try a smaller batch size, image size or width, then clone the run."
LOST_TEST = "The final test: " + LOST[0].lower() + LOST[1:] + "Clone the run with a smaller image size or width."
LOST_DRY_RUN = LOST + "Try a smaller batch size, image size or width."
LOST_UPLOAD = LOST + "Try a smaller file, or a machine with more memory."


def sweep(is_empty: Callable[[str], bool] | None = None) -> None:
    """One pass. `is_empty` says whether a queue holds no message (asked of the broker by default)."""
    reclaim()
    send_again(is_empty or queue_is_empty)
    tidy()


def send_again(empty: Callable[[str], bool]) -> None:
    """Ask for whatever waits while its queue is empty: its message was lost."""
    if empty("live"):
        for pk in waiting_networks().values_list("pk", flat=True):
            dispatch("workers.live", pk)
    if empty("short"):
        _send("workers.inspect_dataset", Dataset.objects.filter(state=Dataset.State.UPLOADED, claimed_by=""))
        _send("workers.inspect_base", BaseFile.objects.filter(state=BaseFile.State.UPLOADED, claimed_by=""))
        _send("workers.dry_run", DryRun.objects.filter(state=DryRun.State.WAITING, claimed_by=""))
        _send("workers.export_onnx", Network.objects.filter(onnx_state=Network.OnnxState.REQUESTED))
        unmeasured = Network.objects.filter(onnx_figures_state=Network.Made.REQUESTED, onnx_state=Network.Made.READY)
        _send("workers.measure_onnx", unmeasured)
        whole = Network.objects.filter(int8_state=Network.Made.REQUESTED, onnx_state=Network.Made.READY)
        _send("workers.quantize", whole)
        _send("workers.look_inside", Network.objects.filter(inside_state=Network.Made.REQUESTED))
        _send("workers.advance", idle_runs())
        _send("workers.finish", untested_runs())


def tidy() -> None:
    """Each step by itself, and after the rescue: a file that cannot be deleted must not keep lost work waiting."""
    for step in (clear_folders, Upload.forget_stale, bases.forget_strays, clear_dry_runs):
        try:
            step()
        except Exception:
            log.exception("Tidying up failed at %s", step.__name__)


def clear_folders() -> None:
    """Remove what nobody needs any more: work folders of runs that ended or are gone, caches of data that are gone.

    The networks of an ended run are in the storage; while one of them is claimed or exported its folder stays.
    """
    exported = Q(onnx_state=Network.Made.REQUESTED) | Q(onnx_figures_state=Network.Made.REQUESTED)
    asked = exported | Q(int8_state=Network.Made.REQUESTED) | Q(inside_state=Network.Made.REQUESTED)
    needed = Network.objects.filter(~Q(claimed_by="") | asked).values("run")
    _remove_all_but("runs", Run.objects.filter(~Q(state__in=Run.ENDED) | Q(pk__in=needed)))
    _remove_all_but("data", Dataset.objects.all())


def _remove_all_but(kind: str, needed: QuerySet) -> None:
    folders = {int(path.name): path for path in settings.WORK_ROOT.glob(f"{kind}/*") if path.name.isdecimal()}
    for pk in set(folders) - set(needed.filter(pk__in=list(folders)).values_list("pk", flat=True)):
        with contextlib.suppress(OSError):  # at once: a run may be extended while its files are being deleted
            folders[pk].rename(folders[pk].with_name(f".{pk}.gone"))
    for folder in settings.WORK_ROOT.glob(f"{kind}/.*.gone"):
        shutil.rmtree(folder, ignore_errors=True)


def clear_dry_runs() -> None:
    """Forget what was tried out long ago: nothing depends on it."""
    DryRun.objects.filter(created_at__lt=timezone.now() - DRY_RUNS_KEPT).delete()


def queue_is_empty(queue: str) -> bool:
    """Whether nothing waits in a queue. While something does, its messages are not lost, and none is sent again."""
    return presence.client(settings.REDIS_URL).llen(queue) == 0


def waiting_networks() -> QuerySet[Network]:
    """Networks that wait for a worker in runs that go on."""
    waiting = Network.objects.filter(state=Network.State.WAITING, run__pause_requested_at=None)
    return waiting.exclude(run__state__in=Run.ENDED).order_by("pk")


def idle_runs() -> QuerySet[Run]:
    """Runs that have not ended though nothing of theirs is under way, and such as somebody wants cancelled, paused or
    resumed."""
    going_on = Run.objects.exclude(state__in=Run.ENDED).order_by("pk")
    claimed = Network.objects.exclude(claimed_by="").values("run")
    under_way = Network.objects.filter(
        Q(state__in=[Network.State.WAITING, Network.State.LIVING]) | ~Q(claimed_by="")
    ).values("run")
    idle = Q(pause_requested_at=None) & ~Q(pk__in=under_way)
    to_pause = Q(pause_requested_at__isnull=False) & ~Q(state=Run.State.PAUSED) & ~Q(pk__in=claimed)
    to_resume = Q(pause_requested_at=None, state=Run.State.PAUSED)
    return going_on.filter(idle | to_pause | to_resume | Q(cancel_requested_at__isnull=False))


def untested_runs() -> QuerySet[Run]:
    """Runs whose network was chosen after their end and waits for its test."""
    return Run.objects.filter(test_requested_at__isnull=False, state__in=Run.ENDED, chosen__claimed_by="").order_by(
        "pk"
    )


def reclaim() -> None:
    """Take claims back whose workers have not beaten for too long."""
    _reclaim(Dataset, Dataset.State.INSPECTING, Dataset.State.UPLOADED, Dataset.State.ERRORED, LOST_UPLOAD)
    _reclaim(BaseFile, BaseFile.State.INSPECTING, BaseFile.State.UPLOADED, BaseFile.State.ERRORED, LOST_UPLOAD)
    _reclaim(DryRun, DryRun.State.TRYING, DryRun.State.WAITING, DryRun.State.ERRORED, LOST_DRY_RUN)
    _reclaim(Network, Network.State.LIVING, Network.State.WAITING, Network.State.ERRORED, LOST_NETWORK)
    _reclaim(Network, Network.State.MEASURED, Network.State.MEASURED, Network.State.MEASURED, LOST_TEST)


def _reclaim(model: type[Model], working: str, waiting: str, errored: str, sentence: str) -> None:
    silent = timezone.now() - timedelta(seconds=pace.STALE)
    lost = model._default_manager.filter(state=working, heartbeat_at__lt=silent).exclude(claimed_by="")
    for pk, token, attempts in lost.values_list("pk", "claimed_by", "attempts"):
        hopeless = attempts >= pace.ATTEMPTS
        changes: dict[str, Any] = {"state": errored if hopeless else waiting, "claimed_by": "", "heartbeat_at": None}
        if hopeless:
            changes.update(message=sentence.format(times=attempts), attempts=0)  # who asks again starts a new count
        _put_back(model, pk, token, silent, changes, hopeless)


@patiently
def _put_back(model: type[Model], pk: int, token: str, silent: Any, changes: dict[str, Any], hopeless: bool) -> None:
    """Change the row if it still is that claim's and still silent, and say so in its run's events.

    A final test that nobody survives ends the run here: its network is measured and stays so, and no row but the
    run's own could tell `advance` not to try for ever.
    """
    with transaction.atomic():
        network = None
        if issubclass(model, Network):
            network = Network.objects.select_related("run").get(pk=pk)
            Run.objects.select_for_update().get(pk=network.run_id)  # the run first, everywhere
        same = model._default_manager.filter(pk=pk, claimed_by=token, heartbeat_at__lt=silent)
        if not same.update(**changes):
            return
        log.warning("%s %s lost its worker (%s); now %s", model.__name__, pk, token, changes["state"])
        if network is not None:
            Network.objects.filter(pk=pk).update(images_per_second=None)
            network.run.record("lost", network=network, attempts=network.attempts, given_up=hopeless)
            if hopeless and changes["state"] == Network.State.MEASURED:
                orchestrator.fail(network.run_id, changes["message"], Run.State.ERRORED)
            dispatch("workers.advance", network.run_id)


def _send(task: str, rows: QuerySet) -> None:
    for pk in rows.values_list("pk", flat=True):
        dispatch(task, pk)
