"""Whole uploads as Django's uploaded files: what a form gets instead of the files of one request."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from webapp.uploads.models import Upload


class ReceivedFile(UploadedFile):
    """A file that came piece by piece. Storages that keep files on this machine move it instead of copying it."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload.path.open("rb"), name=upload.name, size=upload.size)
        self.upload = upload

    def temporary_file_path(self) -> str:
        return str(self.upload.path)


def received_files(request: HttpRequest, ids: Iterable[str]) -> list[UploadedFile]:
    """The whole uploads of this person for her present team, in the order named. Raises ValueError with a sentence
    when one is not hers, not there any more, or not whole."""
    files: list[UploadedFile] = []
    for name in ids:
        upload = None
        try:
            pk = uuid.UUID(name)
        except ValueError:
            pk = None
        if pk is not None:
            mine = Upload.objects.filter(created_by=request.user, team=request.team)  # type: ignore[attr-defined, misc]
            upload = mine.filter(pk=pk).first()
        if upload is None:
            raise ValueError("A file is not there any more. Choose the files again.")
        if not upload.is_whole:
            raise ValueError(f"{upload.name} has not come whole. Press Upload to go on.")
        files.append(ReceivedFile(upload))
    return files


def forget(files: Iterable[UploadedFile]) -> None:
    """After they were stored (or refused): nothing of the uploads is left."""
    for file in files:
        if isinstance(file, ReceivedFile):
            file.close()
            file.upload.forget()
