"""Where bytes come from: a folder, a zip archive or a list of uploaded files, behind one small interface.

Nothing is ever extracted to a path: archives are read entry by entry, within limits that a
hostile one runs into before it costs memory, disk or time.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol

from evolution_core.spec import DataError

Source = Path | str | Sequence[tuple[str, Path]]

# What reading a damaged file raises, in an archive of whatever packing: to be told as the file's fault.
READ_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)

_JUNK = {"thumbs.db", "desktop.ini", "__macosx"}
_DIRECTORY_BYTES = 256  # an entry of a zip's directory is 46 bytes and its name; long names are admitted
_NESTED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".npz")


@dataclass(frozen=True)
class Limits:
    """What an upload may cost. The ratio counts only for archives that unpack to more than `ratio_from` bytes.
    `entries` caps the files of an archive or folder, and the images that come as arrays."""

    entries: int = 1_000_000
    unpacked: int = 64 * 2**30
    ratio: float = 200.0
    ratio_from: int = 64 * 2**20
    image_bytes: int = 128 * 2**20
    image_pixels: int = 64_000_000


class Files(Protocol):
    """Named byte streams. `names` are relative, with forward slashes, sorted; `folders` too."""

    label: str  # what people call the source
    names: list[str]
    folders: list[str]

    def open(self, name: str) -> IO[bytes]: ...

    def size(self, name: str) -> int: ...

    def path(self, name: str) -> Path | None:
        """Where the file lies by itself, or None inside an archive."""
        ...

    def fingerprint(self) -> str: ...


def is_junk(name: str) -> bool:
    """Whether a file is an operating system's leftovers: dotfiles, __MACOSX, Thumbs.db, desktop.ini."""
    return any(part.startswith(".") or part.lower() in _JUNK for part in name.split("/"))


def looks_idx(name: str) -> bool:
    """Whether a file is named like MNIST's: train-images-idx3-ubyte, t10k-labels.idx1-ubyte.gz, …"""
    return re.search(r"idx[0-9]?(-ubyte)?(\.gz)?$|ubyte(\.gz)?$", name.lower()) is not None


def read(files: Files, name: str, maximum: int) -> bytes:
    """All bytes of a file; DataError when it is larger than `maximum` or cannot be unpacked."""
    if files.size(name) > maximum:
        raise DataError(f"is larger than {maximum // 2**20} MB", name)
    try:
        with files.open(name) as stream:
            content = stream.read(maximum + 1)
    except READ_ERRORS as error:
        raise DataError(f"cannot be read ({_short(error)})", name) from None
    if len(content) > maximum:
        raise DataError(f"is larger than {maximum // 2**20} MB", name)
    return content


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__


class Folder:
    """The regular files under a folder; links to files are followed, a loop of folders is not."""

    def __init__(self, root: Path, limits: Limits):
        self.root, self.label = root, root.name
        self.names: list[str] = []
        self.folders: list[str] = []
        seen: set[str] = set()
        for where, inner, found in os.walk(root, followlinks=True):
            real = os.path.realpath(where)
            if real in seen:
                inner.clear()
                continue
            seen.add(real)
            inner.sort()
            relative = Path(where).relative_to(root)
            self.folders += [(relative / name).as_posix() for name in inner]
            self.names += [(relative / name).as_posix() for name in found if (Path(where) / name).is_file()]
            if len(self.names) > limits.entries:
                raise DataError(f"holds more than {limits.entries:,} files", self.label)
        self.names = sorted(name for name in self.names if not is_junk(name))
        self.folders = sorted(name for name in self.folders if not is_junk(name))

    def open(self, name: str) -> BufferedReader:
        return (self.root / name).open("rb")

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def path(self, name: str) -> Path:
        return self.root / name

    def fingerprint(self) -> str:
        return _digest((name, self.root / name) for name in self.names)


class Uploads:
    """Files as a browser sent them: the original names are labels only, the paths are our own."""

    def __init__(self, files: Sequence[tuple[str, Path]]):
        self.paths: dict[str, Path] = {}
        for original, path in files:
            name = original.replace("\\", "/").rsplit("/", 1)[-1]
            if name in self.paths:
                raise DataError("was uploaded twice", name)
            if not is_junk(name):
                self.paths[name] = Path(path)
        self.names = sorted(self.paths)
        self.folders: list[str] = []
        self.label = self.names[0] if len(self.names) == 1 else f"{len(self.names)} files"

    def open(self, name: str) -> BufferedReader:
        return self.paths[name].open("rb")

    def size(self, name: str) -> int:
        return self.paths[name].stat().st_size

    def path(self, name: str) -> Path:
        return self.paths[name]

    def fingerprint(self) -> str:
        return _digest((name, self.paths[name]) for name in self.names)


class Archive:
    """A zip archive, checked before anything in it is unpacked.

    Raises DataError naming the entry: encrypted, nested archive, a path that leaves the archive, a name
    twice, too many entries, too large or too strongly packed. Links are left out.
    """

    def __init__(self, path: Path, label: str, limits: Limits):
        self.file, self.label = path, label
        try:
            if _directory_size(path) > _DIRECTORY_BYTES * limits.entries:
                raise DataError(f"holds more than {limits.entries:,} files", label)
            self.zip = zipfile.ZipFile(path)
        except (*READ_ERRORS, OverflowError, ValueError) as error:
            raise DataError(f"is not a readable zip archive ({_short(error)})", label) from None
        entries = self.zip.infolist()
        if len(entries) > limits.entries:
            raise DataError(f"holds more than {limits.entries:,} files", label)
        self.entries: dict[str, zipfile.ZipInfo] = {}
        folders: set[str] = set()
        for entry in entries:
            self._admit(entry, folders)
        self._check_cost(limits)
        self.names, self.folders = sorted(self.entries), sorted(folders)

    def _admit(self, entry: zipfile.ZipInfo, folders: set[str]) -> None:
        name = entry.filename.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        shown = name[:200]
        if ".." in parts or name.startswith("/") or (parts and parts[0].endswith(":")):
            raise DataError("has a path that leads out of the archive", shown)
        clean = "/".join(parts)
        if not clean or is_junk(clean) or stat.S_ISLNK(entry.external_attr >> 16):
            return
        if name.endswith("/"):
            folders.add(clean)
            return
        if entry.flag_bits & 0x1:
            raise DataError("is encrypted; upload the archive without a password", shown)
        if clean.lower().endswith(_NESTED):
            raise DataError("is an archive inside the archive; unpack it first", shown)
        if clean in self.entries:
            raise DataError("is in the archive twice", shown)
        self.entries[clean] = entry

    def _check_cost(self, limits: Limits) -> None:
        unpacked = sum(entry.file_size for entry in self.entries.values())
        packed = max(1, self.file.stat().st_size)
        if unpacked > limits.unpacked:
            raise DataError(f"unpacks to more than {limits.unpacked / 2**30:g} GB", self.label)
        if unpacked > limits.ratio_from and unpacked / packed > limits.ratio:
            raise DataError(f"unpacks to {unpacked / packed:,.0f} times its size, which no photographs do", self.label)

    def open(self, name: str) -> IO[bytes]:
        return self.zip.open(self.entries[name])

    def size(self, name: str) -> int:
        return self.entries[name].file_size

    def path(self, name: str) -> None:
        return None

    def fingerprint(self) -> str:
        return _digest([("archive", self.file)])


def _directory_size(path: Path) -> int:
    """Bytes of a zip's directory as its end record says: zipfile would read all of it into memory. 0 if unknown."""
    with path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        start = max(0, stream.tell() - 2**16 - 42)
        stream.seek(start)
        tail = stream.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22:
            return 0
        size = struct.unpack_from("<I", tail, end + 12)[0]
        locator = end - 20
        if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
            # Just before the locator, where zipfile looks; the offset that the locator tells could lead elsewhere.
            stream.seek(max(0, start + locator - 56))
            record = stream.read(56)
            if len(record) == 56 and record[:4] == b"PK\x06\x06":
                size = struct.unpack_from("<Q", record, 40)[0]
    return size


def open_source(source: Source, limits: Limits | None = None) -> Files:
    """The files of a source. A lone zip archive is opened; a lone idx file brings its folder with it.

    Raises DataError when nothing is there.
    """
    limits = limits or Limits()
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.is_dir():
            return Folder(path, limits)
        if not path.is_file():
            raise DataError("does not exist", str(source))
        if looks_idx(path.name):
            beside = sorted(other for other in path.parent.iterdir() if other.is_file() and looks_idx(other.name))
            return Uploads([(other.name, other) for other in beside])
        return _single(path.name, path, limits)
    files = Uploads(source)
    if not files.names:
        raise DataError("no file was given")
    if len(files.names) == 1:
        return _single(files.names[0], files.paths[files.names[0]], limits)
    return files


def _single(name: str, path: Path, limits: Limits) -> Files:
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic[:2] == b"PK" and not name.lower().endswith(".npz"):
        return Archive(path, name, limits)
    return Uploads([(name, path)])


def _digest(files: Iterator[tuple[str, Path]] | list[tuple[str, Path]]) -> str:
    """SHA-256 over names, sizes and contents."""
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0{path.stat().st_size}\0".encode(errors="surrogateescape"))
        with path.open("rb") as stream:
            while block := stream.read(2**20):
                total.update(block)
    return total.hexdigest()
