"""Files on their way: begun, received piece by piece, taken by what they are for, or forgotten."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Sum
from django.utils import timezone

from webapp.runs.templatetags.figures import size as in_words
from webapp.teams.models import Team

LIFETIME = timedelta(days=1)  # after the last piece
MOST = 64  # files that one person may have on their way
PIECE = 1 << 20  # bytes read at a time
ENDED = "was finished or forgotten by another request meanwhile. Look at the list before you send it again."


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class UploadError(Exception):
    """A sentence for the person, and the status of HTTP that says the same to a script."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Upload(models.Model):
    """One file on its way, of one person for one team.

    `purpose` says on which page it was begun, and so where it is shown.

    Its bytes lie in a file of their own, and how many have come is how long that is: the two cannot disagree, however
    hard a process dies, and no piece costs a write to the database.
    """

    class Purpose(models.TextChoices):
        DATA = "data", "a data set"
        BASE = "base", "an own network or weights"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="uploads")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255)  # for people, never a path
    size = models.BigIntegerField()  # bytes, when it is whole
    modified = models.BigIntegerField(default=0)  # ms, as the browser said: by it the same file is known again
    purpose = models.CharField(max_length=4, choices=Purpose.choices, default=Purpose.DATA)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.name

    # -- beginning

    @classmethod
    def begin(
        cls, *, team: Team, user: Any, name: str, size: int, modified: int = 0, purpose: str = Purpose.DATA
    ) -> Upload:
        """Makes room for a file of so many bytes. Raises UploadError when it is too large, or too many are on their
        way: of one person at most EUSTRESS_MAX_UPLOAD in all."""
        most = settings.EUSTRESS_MAX_UPLOAD
        if size > most:
            raise UploadError(413, f"{name} is {in_words(size)}; at most {in_words(most)} are allowed.")
        with transaction.atomic():
            get_user_model()._default_manager.select_for_update().get(pk=user.pk)  # her uploads are counted one by one
            others = list(cls.objects.filter(created_by=user))
            if len(others) >= MOST or sum(other.size for other in others) + size > most:
                raise UploadError(
                    413,
                    f"With what you have on its way already that is more than {in_words(most)} or {MOST} files. "
                    "Finish or forget some of that first.",
                )
            if size + cls.still_to_come() > shutil.disk_usage(folder()).free:
                raise UploadError(507, "The server has too little free space for this file.")
            upload = cls.objects.create(
                team=team, created_by=user, name=name, size=size, modified=modified, purpose=purpose
            )
            upload.path.touch(mode=0o600)
        return upload

    @classmethod
    def still_to_come(cls) -> int:
        """Bytes that all uploads together have announced and not yet sent."""
        announced = cls.objects.aggregate(total=Sum("size"))["total"] or 0
        return max(0, announced - sum(path.stat().st_size for path in folder().glob(f"*{ENDING}")))

    @classmethod
    def under_way(cls, team: Team, user: Any, purpose: str = "") -> models.QuerySet[Upload]:
        """What the person has begun for the team: all of it, or for one purpose."""
        mine = cls.objects.filter(team=team, created_by=user)
        return mine.filter(purpose=purpose) if purpose else mine

    # -- receiving

    @property
    def path(self) -> Path:
        return folder() / f"{self.pk}{ENDING}"

    @property
    def offset(self) -> int:
        """Bytes received so far."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def share(self) -> float:
        return self.offset / self.size if self.size else 1.0

    @property
    def is_whole(self) -> bool:
        return self.offset == self.size

    @property
    def last_piece_at(self) -> datetime:
        try:
            return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return self.created_at

    @property
    def expires_at(self) -> datetime:
        return self.last_piece_at + LIFETIME

    def append(self, stream: Readable, at: int, length: int) -> int:
        """Adds a piece of at most `length` bytes that begins at byte `at`; the new offset.

        Raises UploadError when another process is adding one, when the file is not there yet or further on, when the
        piece goes beyond its end, and when the disk is full; what of a piece was stored then counts.
        """
        with open(self.path, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadError(423, "Another piece of this file is being received.") from None
            received = os.fstat(file.fileno()).st_size
            if at != received:
                raise UploadError(409, f"{received} bytes have been received, not {at}.")
            if length > self.size - received:
                raise UploadError(413, "That is more than the file was said to hold.")
            try:
                while length > 0 and (piece := stream.read(min(PIECE, length))):
                    file.write(piece)
                    length -= len(piece)
                file.flush()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise UploadError(507, "The server's disk is full.") from None
        return self.offset

    # -- ending

    def lend(self) -> Path:
        """Another name of the bytes, which somebody may move away: only :meth:`forget` ends the upload's own.

        A hard link: nothing is copied, unless the file system knows no links. Raises UploadError when they are gone.
        """
        lent = self.path.with_name(f"{self.pk}-{uuid.uuid4().hex}{LENT}")
        try:
            os.link(self.path, lent)
        except FileNotFoundError:
            raise UploadError(409, f"{self.name} {ENDED}") from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            shutil.copyfile(self.path, lent)
        return lent

    def forget(self) -> bool:
        """Deletes the row, and the bytes if nobody has taken them. False when the row was gone already: of two who
        forget at once, one learns that she came second."""
        path = self.path
        gone, _ = Upload.objects.filter(pk=self.pk).delete()
        transaction.on_commit(lambda: path.unlink(missing_ok=True))
        return bool(gone)

    @classmethod
    def forget_stale(cls) -> None:
        """Forgets what nobody has added to for a day, and bytes whose row is gone (with a person or a team)."""
        now = timezone.now()
        for upload in cls.objects.filter(created_at__lt=now - LIFETIME):
            if upload.expires_at < now:
                upload.forget()
        known = {str(pk) for pk in cls.objects.values_list("pk", flat=True)}
        for path in folder().glob(f"*{ENDING}"):
            is_old = path.stat().st_mtime < (now - LIFETIME).timestamp()
            if is_old and path.name.removesuffix(ENDING) not in known:
                path.unlink(missing_ok=True)
        for path in folder().glob(f"*{LENT}"):  # a process died before its storage took it
            if path.stat().st_mtime < (now - LIFETIME).timestamp():
                path.unlink(missing_ok=True)


ENDING = ".part"
LENT = ".lent"


def folder() -> Path:
    """Where the bytes wait: on the same disk as the media, so that taking them is a rename."""
    return Path(settings.FILE_UPLOAD_TEMP_DIR)
