"""Files that come in pieces as Django's uploaded files: announced before they are sent, received once they are whole;
what a form gets instead of the files of one request."""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from webapp.uploads.models import Upload


class AnnouncedFile(UploadedFile):
    """A file of which only name, size and first bytes have come."""

    def __init__(self, value: Any) -> None:
        """Raises ValueError on anything but {"name", "size", "head": base64}."""
        size = value.get("size") if isinstance(value, dict) else None
        if type(size) is not int or size < 0:  # True is an int, too
            raise ValueError("a file is announced by name, size and head")
        head = base64.b64decode(str(value.get("head", "")), validate=True)
        super().__init__(io.BytesIO(head[:64]), name=str(value.get("name", "")), size=size)


def announced(text: str) -> list[UploadedFile]:
    """The files that a script is about to send. Raises ValueError."""
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError("files are announced as a list") from None
    if not isinstance(values, list) or len(values) > settings.DATA_UPLOAD_MAX_NUMBER_FILES:
        raise ValueError("files are announced as a list")
    return [AnnouncedFile(value) for value in values]


class ReceivedFile(UploadedFile):
    """A file that came piece by piece. Storages that keep files on this machine take it without copying it, and the
    upload keeps its bytes until it is forgotten: whatever fails before that can be tried again."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload.path.open("rb"), name=upload.name, size=upload.size)
        self.upload = upload

    def temporary_file_path(self) -> str:
        """A second name of the same bytes, for a storage to move away."""
        return str(self.upload.lend())


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
        try:
            file = ReceivedFile(upload) if upload is not None else None
        except FileNotFoundError:  # ended by another request just now
            file = None
        if upload is None or file is None:
            raise ValueError("A file is not there any more. Choose the files again.")
        if not upload.is_whole:
            file.close()
            raise ValueError(f"{upload.name} has not come whole. Press Upload to go on.")
        files.append(file)
    return files


def forget(files: Iterable[UploadedFile]) -> bool:
    """After they were stored (or refused): nothing of the uploads is left. False when somebody else has ended one.

    Inside the transaction that makes something of them, it is what decides between two requests that both saw the same
    upload whole: the rows are one request's to delete.
    """
    ours = True
    for file in files:
        if isinstance(file, ReceivedFile):
            file.close()
            ours = file.upload.forget() and ours
    return ours
