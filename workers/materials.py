"""What a piece of work needs on this machine's disk: the run's folder, its data, files that the team brought.

All of it lies below EUSTRESS_HOME/work and can be made again from the database and its storage.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile

from evolution_core.lineage import record_file
from evolution_core.records import write_json
from evolution_core.spec import EustressError, NetworkError
from webapp.datasets.models import Dataset
from webapp.networks.models import Network
from webapp.runs.models import BaseFile, DryRun, Run

if TYPE_CHECKING:
    from evolution_core.data import Data

_BLOCK = 1 << 20


class InUse(Exception):
    """Another living process of this machine still works on the same network."""


class Gone(EustressError):
    """What the database says is in storage is not there: a disk that is not mounted, a backup brought back by half."""

    def __init__(self, stored: FieldFile):
        super().__init__(
            f"{stored.instance} is gone from the server's storage ({stored.name}): it has to be brought back."
        )


class Damaged(EustressError):
    """What lies in storage is not what was put there: a failing disk, a file that somebody changed."""

    def __init__(self, stored: FieldFile):
        super().__init__(
            f"{stored.instance} is damaged in the server's storage ({stored.name}): it is not what was stored there. "
            "It has to be brought back from a backup."
        )


def run_folder(run: Run) -> Path:
    """The run's folder, made if need be."""
    folder = settings.WORK_ROOT / "runs" / str(run.pk)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Hold one network's work in the folder alone; raises :class:`InUse`. The system lets go if we die."""
    with (folder / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse from None
        yield


def restore(run: Run, folder: Path) -> None:
    """Bring back measured networks' files and records that the folder lacks: it is a cache, or another machine's."""
    for network in run.networks.filter(state=Network.State.MEASURED).exclude(file=""):
        record = record_file(folder, network.name)
        file = folder / network.record["file"]
        if not (file.exists() and record.exists()):
            copy_out(network.file, file, network.sha256)
            write_json(record, network.record)


def copy_out(stored: FieldFile, target: Path, sha256: str = "") -> None:
    """A stored file's content at `target`, whole or not at all, however many processes do it at once.

    Raises :class:`Gone`, and :class:`Damaged` where the content's SHA-256 is known and is another.
    """
    try:
        source = stored.open("rb")
    except FileNotFoundError:
        raise Gone(stored) from None
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        digest = hashlib.sha256()
        with source, os.fdopen(handle, "wb") as sink:
            while block := source.read(_BLOCK):
                digest.update(block)
                sink.write(block)
        if sha256 and digest.hexdigest() != sha256:
            raise Damaged(stored)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def store(path: Path, name: str) -> str:
    """Put a file into Django's storage under exactly that name (an earlier attempt's is replaced); returns the name."""
    default_storage.delete(name)
    with path.open("rb") as file:
        return default_storage.save(name, File(file))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def local(stored: FieldFile, folder: Path) -> Path:
    """A path to a stored file's content: its own where storage is a folder, else a copy below `folder`. Raises
    :class:`Gone`."""
    try:
        path = Path(stored.path)
    except NotImplementedError:  # storage without paths, such as S3
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = folder / Path(str(stored.name)).name
        if not target.exists():
            copy_out(stored, target)
        return target
    if not path.exists():
        raise Gone(stored)
    return path


def source(dataset: Dataset) -> list[tuple[str, Path]]:
    """A data set's uploaded files as the engine reads them: (the client's name, where it lies)."""
    folder = cache_folder(dataset) / "upload"
    return [(file.original_name, local(file.file, folder)) for file in dataset.files.all()]


def cache_folder(dataset: Dataset) -> Path:
    folder = settings.WORK_ROOT / "data" / str(dataset.pk)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


_loaded: dict[tuple, Data] = {}  # the last data set that this process trained on


def data_for(run: Run | DryRun, own: Path | None, check: Callable[[], None]) -> Data:
    """The run's data, read once a process and cached on disk, in the shape that an own network takes.

    `check` is called every hundred images while they are read for the first time; what it raises ends the reading.
    Raises DataError when they cannot be used after all, NetworkError when `own` cannot be read.
    """
    from evolution_core.data import Inspection, input_shape, load  # PyTorch: only where it is needed

    spec = run.run_spec
    inspection = Inspection.from_json(run.dataset.report)
    shape = input_shape(spec, inspection)
    if own is not None:
        shape = _input_of(own, own.stat().st_mtime_ns, shape[1])
    key = (run.dataset_id, shape, spec.limit, spec.validation_share, spec.seed)
    if key not in _loaded:
        _loaded.clear()
        cache = cache_folder(run.dataset)
        _loaded[key] = load(
            source(run.dataset),
            spec=spec,
            cache=cache,
            inspection=inspection,
            shape=shape,
            progress=lambda _done, _total: check(),
        )
    return _loaded[key]


@lru_cache(maxsize=16)
def _input_of(own: Path, _modified: int, size: int) -> tuple[int, int, int]:
    """The shape [C, H, W] that an own network takes. Importing takes seconds, and every network of a run asks."""
    from evolution_core.architectures.onnx_import import load_onnx  # PyTorch: only where it is needed

    return load_onnx(own, size=size).shape


def brought_file(run: Run | DryRun, kind: str, digest: str | None) -> Path | None:
    """The team's own network or weights that the spec names by SHA-256. Raises NetworkError when it is gone."""
    if digest is None:
        return None
    brought = BaseFile.objects.filter(team=run.team_id, kind=kind, sha256=digest).first()
    if brought is None:
        raise NetworkError(f"The {BaseFile.Kind(kind).label.lower()} of this run was deleted; bring the file again.")
    return local(brought.file, settings.WORK_ROOT / "bases")
