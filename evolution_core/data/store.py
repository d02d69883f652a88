"""The canonical store: all images of a source at one size, as plain arrays that can be memory-mapped.

A store is a folder `images.npy`, `labels.npy`, `parts.npy`, `store.json`, written beside its place and
renamed into it, so that a reader sees all of it or nothing and two writers do not collide.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FORMAT = 2  # raise it when decoding, resizing or the order of images changes: old stores are then passed over
_DOCUMENT = "store.json"


@dataclass
class Store:
    """uint8 images [N, C, H, W], int64 labels [N], uint8 parts [N] and the classes' names."""

    images: np.ndarray
    labels: np.ndarray
    parts: np.ndarray
    classes: list[str]
    folder: Path | None = None  # where it lies, if it does


def place(cache: Path, fingerprint: str, shape: tuple[int, int, int], reading: str = "") -> Path:
    """Where the store of this content and shape lies or would lie.

    `reading` digests the images' order and labels, where they are read anew each time and could come out otherwise.
    """
    read_as = f"-{reading[:16]}" if reading else ""
    return cache / f"{fingerprint[:40]}-{shape[0]}x{shape[1]}x{shape[2]}-v{FORMAT}{read_as}"


def open_store(folder: Path) -> Store | None:
    """The store in `folder`, mapped copy-on-write, or None when there is none (or not a whole one)."""
    try:
        document = json.loads((folder / _DOCUMENT).read_text())
        images = np.load(folder / "images.npy", mmap_mode="c", allow_pickle=False)
        labels, parts = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("labels", "parts"))
    except (OSError, ValueError):
        return None
    if not len(images) == len(labels) == len(parts) == document.get("images"):
        return None
    return Store(images, labels, parts, document["classes"], folder)


def new_store(
    folder: Path | None,
    shape: tuple[int, ...],
    labels: np.ndarray,
    parts: np.ndarray,
    classes: list[str],
    fill: Callable[[np.ndarray], None],
) -> Store:
    """Make a store of images `shape` [N, C, H, W] by `fill(images)`; in memory where `folder` is None.

    Whatever `fill` raises leaves nothing behind.
    """
    if folder is None:
        images = np.empty(shape, np.uint8)
        fill(images)
        return Store(images, labels, parts, classes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        images = np.lib.format.open_memmap(building / "images.npy", "w+", np.uint8, shape)
        fill(images)
        images.flush()
        del images
        np.save(building / "labels.npy", labels, allow_pickle=False)
        np.save(building / "parts.npy", parts, allow_pickle=False)
        (building / _DOCUMENT).write_text(json.dumps({"images": shape[0], "classes": classes, "format": FORMAT}))
        _settle(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    made = open_store(folder)
    if made is None:
        raise OSError(f"{folder} could not be read back")
    return made


def _settle(building: Path, folder: Path) -> None:
    """Rename into place; where another process was first, its store stays, where an unreadable one lies, it goes."""
    for name in os.listdir(building):
        with (building / name).open("rb") as stream:
            os.fsync(stream.fileno())
    try:
        building.rename(folder)
    except OSError:
        if open_store(folder) is not None:
            return
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)


def gathered(store: Store, rows: np.ndarray, *, mapped_from: int = 2**28) -> np.ndarray:
    """The images of `rows`. Contiguous rows are a view; many others go to a mapped file beside the store.

    `mapped_from`: bytes above which memory is spared, where the store lies on disk.
    """
    if rows.size and rows[-1] - rows[0] + 1 == rows.size:
        return store.images[rows[0] : rows[-1] + 1]
    size = rows.size * int(np.prod(store.images.shape[1:]))
    if store.folder is None or size < mapped_from:
        return store.images[rows]
    with tempfile.NamedTemporaryFile(dir=store.folder, suffix=".rows") as file:
        picked = np.memmap(file, np.uint8, "w+", shape=(rows.size, *store.images.shape[1:]))
        for start in range(0, rows.size, 1024):
            picked[start : start + 1024] = store.images[rows[start : start + 1024]]
        return picked  # the name goes at once, the mapping keeps the bytes until the process lets go
