"""Networks and weights that a team brings: taken in, remembered by content, and handed to a worker to look into."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from webapp.dispatch import dispatch
from webapp.fields import key_of
from webapp.runs.models import BaseFile, Run
from webapp.teams.models import Team
from webapp.uploads.handlers import sha256_of
from webapp.uploads.models import LIFETIME

# An ONNX file starts with protobuf's key of ir_version; a safetensors file with its header's length and a brace;
# Darknet's weights with two small numbers, their version.
_ONNX_START = b"\x08"
FOLDER = "bases"  # of the storage, with one folder a team


class BaseFileError(ValueError):
    """What is wrong with the file, in one sentence for the person who brought it."""


def take(file: UploadedFile, kind: str, team: Team, user: Any = None) -> BaseFile:
    """Keeps the file and asks a worker to look into it; the same content is kept once a team.

    A file that could not be looked into through our own fault is looked into again. Raises BaseFileError.
    """
    check(file, kind)
    digest = sha256_of(file)
    return _known(team, kind, digest) or _kept(file, kind, digest, team, user)


def _known(team: Team, kind: str, digest: str) -> BaseFile | None:
    """The team's row of this content, if there is one, its inspection asked for where it has none."""
    with transaction.atomic():
        base = BaseFile.objects.select_for_update().filter(team=team, kind=kind, sha256=digest).first()
        if base is None:
            return None
        if base.state == BaseFile.State.ERRORED:
            BaseFile.objects.filter(pk=base.pk).update(state=BaseFile.State.UPLOADED, message="", attempts=0)
            base.refresh_from_db()
        if base.state == BaseFile.State.UPLOADED:
            dispatch("workers.inspect_base", base.pk)
    return base


def _kept(file: UploadedFile, kind: str, digest: str, team: Team, user: Any) -> BaseFile:
    """Stores the file, then the row: no row names a file that is not there. Where the row cannot be kept the stored
    file goes, and what came in pieces lies where it lay, to be taken again."""
    base = BaseFile(
        team=team,
        kind=kind,
        sha256=digest,
        original_name=plain_name(file.name or ""),
        size=file.size or 0,
        created_by=user if getattr(user, "pk", None) else None,
    )
    base.file.save("", file, save=False)
    storage, name = base.file.storage, str(base.file.name)
    try:
        with transaction.atomic():
            base.save()
            dispatch("workers.inspect_base", base.pk)
    except IntegrityError:
        storage.delete(name)
        other = _known(team, kind, digest)  # somebody brought the same content at the same time
        if other is None:
            raise
        return other
    except BaseException:
        if not BaseFile.objects.filter(file=name).exists():  # a commit may have succeeded unheard
            storage.delete(name)
        raise
    return base


def forget_strays() -> None:
    """Deletes stored files that no row names: of a process that died between the two, or of a team that is gone.

    A file is as old as its last piece, and an upload lives a day after that: what is older is on its way no more.
    """
    try:
        folders = [f"{FOLDER}/{team}" for team in default_storage.listdir(FOLDER)[0]]
    except FileNotFoundError:
        return
    names = {f"{folder}/{name}" for folder in folders for name in default_storage.listdir(folder)[1]}
    latest = timezone.now() - 2 * LIFETIME
    for name in names - set(BaseFile.objects.values_list("file", flat=True)):  # read after the files: none is new
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            if default_storage.get_modified_time(name) < latest:
                default_storage.delete(name)


def delete(base: BaseFile) -> bool:
    """Deletes the row, which the caller's transaction has locked, and the file; False while a run needs it that has
    not ended, or whose newly chosen network is still to be tested."""
    named = {f"spec__{BaseFile.SETTINGS[BaseFile.Kind(base.kind)]}": base.sha256}
    over = Q(state__in=Run.ENDED, test_requested_at=None)
    if Run.objects.filter(~over, team=base.team, **named).exists():
        return False
    storage, name = base.file.storage, str(base.file.name)
    base.delete()
    transaction.on_commit(lambda: storage.delete(name))
    return True


def started_from(team: Team) -> Counter[tuple[str, str]]:
    """How many of the team's runs began with a file, by its kind and sha256."""
    settings_of = BaseFile.SETTINGS.items()
    rows = Run.objects.filter(team=team).values_list(*(key_of("spec", setting) for _, setting in settings_of))
    return Counter((kind.value, digest) for row in rows for (kind, _), digest in zip(settings_of, row, strict=True))


def lost(run: Run) -> str:
    """Which of its files a run has no more, in a sentence; empty if it has all. Those that are there are locked until
    the transaction ends: nobody deletes them meanwhile."""
    for kind, setting in BaseFile.SETTINGS.items():
        digest = run.spec.get(setting)
        there = BaseFile.objects.select_for_update().filter(team=run.team_id, kind=kind, sha256=digest)
        if digest and there.first() is None:
            what = "network of your own" if kind == BaseFile.Kind.ONNX else "file of weights"
            return f"The {what} that it began with was deleted: add the same file again, and it can go on."
    return ""


def plain_name(name: str) -> str:
    """A client's file name for people: no folders, nothing that does not print, not too long."""
    last = PurePosixPath(PureWindowsPath(name).name).name
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[-255:] or "file"


def check(file: UploadedFile, kind: str) -> None:
    """What a glance at name, size and first bytes can tell; the rest is the worker's to find. Raises BaseFileError."""
    if not file.size:
        raise BaseFileError("The file is empty.")
    if file.size > settings.EUSTRESS_MAX_UPLOAD:
        raise BaseFileError(f"The file is larger than this server takes ({settings.EUSTRESS_MAX_UPLOAD / 1e9:g} GB).")
    file.seek(0)
    start = file.read(9)
    file.seek(0)
    if kind == BaseFile.Kind.ONNX and not start.startswith(_ONNX_START):
        raise BaseFileError("This is not an ONNX file.")
    if kind == BaseFile.Kind.WEIGHTS and plain_name(file.name or "").lower().endswith(BaseFile.DARKNET):
        if len(start) < 8 or int.from_bytes(start[:4], "little") > 99 or int.from_bytes(start[4:8], "little") > 99:
            raise BaseFileError("This is not a file of Darknet weights.")
        return
    if kind == BaseFile.Kind.WEIGHTS and (len(start) < 9 or start[8:9] != b"{"):
        raise BaseFileError(
            "This is not a safetensors file (nor Darknet's .weights). Pickled weights (.pt, .pth) are never opened; "
            "save as safetensors."
        )


def described(base: BaseFile) -> str:
    """What was found in a ready file, in a few words."""
    summary = base.summary or {}
    words = []
    if summary.get("inputs"):
        inputs = summary["inputs"]
        words.append("input " + "×".join(map(str, inputs)) if isinstance(inputs, list) else f"input {inputs}")
    if summary.get("outputs"):
        words.append(f"{summary['outputs']} outputs")
    if isinstance(summary.get("parameters"), int):
        words.append(f"{summary['parameters']:,} parameters")
    if summary.get("layers"):
        words.append(f"{summary['layers']} layers")
    return ", ".join(words)


def base_json(base: BaseFile) -> dict[str, Any]:
    """For a page that waits for the inspection's end."""
    return {
        "id": base.pk,
        "sha256": base.sha256,
        "name": base.original_name,
        "state": base.state,
        "label": base.get_state_display(),
        "message": base.message,
        "summary": described(base),
        "settled": base.is_settled,
    }
