"""Files that come in one request: every one goes to disk, and is hashed on its way."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class HashingUploadHandler(TemporaryFileUploadHandler):
    """Streams each file to FILE_UPLOAD_TEMP_DIR; the finished file carries its SHA-256 in hex as `sha256`."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._digest = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._digest.update(raw_data)
        super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        file = super().file_complete(file_size)
        if file is not None:
            file.sha256 = self._digest.hexdigest()  # type: ignore[attr-defined]
        return file


def sha256_of(file: Any) -> str:
    """The SHA-256 that came with an upload, or else made by reading `file` from its start (and rewinding it)."""
    known = getattr(file, "sha256", "")
    if known:
        return str(known)
    digest = hashlib.sha256()
    file.seek(0)
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def shown_name(name: str) -> str:
    """A client's file name, fit to be shown: its last part, without control characters, at most 255 characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    cleaned = "".join(character for character in last if character.isprintable()).strip()
    return cleaned[-255:] or "unnamed"
