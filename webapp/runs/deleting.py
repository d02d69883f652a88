"""Deleting a run that has ended, with everything of it: networks, events, share links, stored files."""

from __future__ import annotations

import contextlib

from django.core.files.storage import default_storage
from django.db import transaction

from webapp.runs.models import Run, RunGroup


def delete_run(pk: int) -> bool:
    """Deletes the rows, then the files; False, touching nothing, for a run that is gone or has not ended.

    What workers keep of it on disk is a cache, and swept up by them (workers.sweeper).
    """
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=pk, state__in=Run.ENDED).first()
        if run is None:
            return False
        run.delete()
        if run.group_id is not None:
            RunGroup.objects.filter(pk=run.group_id, runs=None).delete()  # a sweep goes with its last run
        transaction.on_commit(lambda: _delete_folder(f"runs/{pk}"))
    return True


def _delete_folder(folder: str) -> None:
    """Everything below a folder of the storage, whoever put it there, and where storage has folders, the folder."""
    with contextlib.suppress(OSError, NotImplementedError):
        folders, files = default_storage.listdir(folder)
        for name in files:
            default_storage.delete(f"{folder}/{name}")
        for name in folders:
            _delete_folder(f"{folder}/{name}")
        default_storage.delete(folder)
