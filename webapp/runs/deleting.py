"""Deleting a run that has ended, with everything of it: networks, events, share links, stored files."""

from __future__ import annotations

import contextlib

from django.core.files.storage import default_storage
from django.db import transaction

from webapp.networks.models import Network
from webapp.runs.models import Run


def delete_run(pk: int) -> bool:
    """Deletes the rows, then the files; False, touching nothing, for a run that is gone or has not ended.

    What workers keep of it on disk is a cache, and swept up by them (workers.sweeper).
    """
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=pk, state__in=Run.ENDED).first()
        if run is None:
            return False
        files = Network.objects.filter(run=run).values_list("file", "onnx")
        names = [name for pair in files for name in pair if name]
        run.delete()
        transaction.on_commit(lambda: _delete_files(pk, names))
    return True


def _delete_files(pk: int, names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)
    with contextlib.suppress(OSError, NotImplementedError):  # the folder, where the storage has folders
        default_storage.delete(f"runs/{pk}")
