"""MNIST's file format (idx), gzipped or not: http://yann.lecun.com/exdb/mnist/

Files find each other by name (train-images…, train-labels…, t10k-images…), what they are by content.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

import numpy as np

from evolution_core.spec import DataError

from .arrays import ArrayReader, ImageArray, check_arrays, shaped
from .files import READ_ERRORS, Files, Limits, looks_idx
from .model import TEST, TRAIN, VALIDATION
from .readers import Findings, check_classes, number_classes

_BLOCK = 4 * 2**20
_UNSIGNED_BYTE = 8


@dataclass
class IdxFile:
    """A checked idx file: its dimensions and whose part it is. The first dimension counts examples."""

    name: str
    files: Files
    dimensions: tuple[int, ...]
    start: int  # bytes before the values

    @property
    def key(self) -> str:
        """What is left of the name without the words that tell images from labels: equal for a pair."""
        stem = re.sub(r"\.gz$", "", self.name.lower())
        return re.sub(r"images?|labels?|idx[0-9]?|ubyte|[-_. ]", "", stem)

    @property
    def part(self) -> int:
        if re.search(r"t10k|test", self.key):
            return TEST
        return VALIDATION if "val" in self.key else TRAIN

    @property
    def channels_first(self) -> bool:
        """Of images: whether they are [N, C, H, W]; [N, H, W, C] where both ends could be channels."""
        return len(self.dimensions) == 4 and self.dimensions[3] not in (1, 3, 4)

    @property
    def size(self) -> tuple[int, int]:
        """Of images: height and width."""
        _, *inner = self.dimensions
        return (inner[1], inner[2]) if self.channels_first else (inner[0], inner[1])

    def stream(self) -> IO[bytes]:
        return _unpacked(self.files, self.name)

    def blocks(self) -> Iterator[np.ndarray]:
        """uint8 [n, ...] blocks of some megabytes; DataError when the file ends early."""
        inner = self.dimensions[1:]
        each = math.prod(inner)
        step = max(1, _BLOCK // max(1, each))
        try:
            with self.stream() as stream:
                stream.read(self.start)
                for first in range(0, self.dimensions[0], step):
                    count = min(step, self.dimensions[0] - first)
                    content = stream.read(count * each)
                    if len(content) != count * each:
                        raise DataError(f"is cut short: {self.dimensions[0]:,} entries were announced", self.name)
                    yield np.frombuffer(content, np.uint8).reshape(count, *inner)
        except READ_ERRORS:
            raise DataError("is broken and cannot be unpacked", self.name) from None


def _unpacked(files: Files, name: str) -> IO[bytes]:
    with files.open(name) as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    raw = files.open(name)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw


def open_idx(files: Files, name: str, limits: Limits) -> IdxFile:
    """Read and check a header, and that exactly the announced bytes follow. Raises DataError naming the file."""
    try:
        with _unpacked(files, name) as stream:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
                raise DataError("is not an idx file", name)
            if magic[2] != _UNSIGNED_BYTE:
                raise DataError("does not hold unsigned bytes; other kinds of idx files cannot be used", name)
            header = stream.read(4 * magic[3])
            if len(header) < 4 * magic[3]:
                raise DataError("is cut short: its header ends early", name)
            dimensions = struct.unpack(f">{magic[3]}I", header)
            announced = math.prod(dimensions)
            if announced > limits.unpacked:
                raise DataError(f"announces more than {limits.unpacked / 2**30:g} GB", name)
            held = _count(stream, announced)
    except READ_ERRORS:
        raise DataError("is broken and cannot be unpacked", name) from None
    if held < announced:
        raise DataError(f"is cut short: {announced:,} bytes were announced, {held:,} are there", name)
    if held > announced:
        raise DataError(f"holds more than the {announced:,} bytes that its header announces", name)
    return IdxFile(name, files, dimensions, 4 + len(header))


def _count(stream: IO[bytes], enough: int) -> int:
    """How many bytes follow, as far as one more than `enough`."""
    total = 0
    while total <= enough and (block := stream.read(min(_BLOCK, enough + 1 - total))):
        total += len(block)
    return total


def idx_names(files: Files) -> list[str]:
    """The files of a source that are named like idx files; a gzipped one beside its unpacked twin is left out."""
    found = [name for name in files.names if looks_idx(name)]
    return [name for name in found if not (name.lower().endswith(".gz") and name[:-3] in found)]


def read_idx(files: Files, limits: Limits) -> ArrayReader:
    """A reader over all idx files of a source. Raises DataError where the files cannot be put together."""
    opened = [open_idx(files, name, limits) for name in idx_names(files)]
    images = sorted((file for file in opened if len(file.dimensions) >= 3), key=lambda file: file.part)
    labels = {file.key: file for file in opened if len(file.dimensions) == 1}
    for file in opened:
        if len(file.dimensions) == 2:
            raise DataError("holds a table, neither images nor labels", file.name)
    if not images:
        raise DataError("is not enough: no idx file with images came with it", opened[0].name)
    findings = Findings()
    pairs = [(file, _labels_of(file, labels)) for file in images]
    _check_pairs(pairs, set(labels) - {file.key for file in images}, labels, limits)
    arrays = [_array(file) for file, _ in pairs]
    check_arrays(arrays, limits, findings)
    values = [np.concatenate(list(file.blocks()) or [np.zeros(0, np.uint8)]) for _, file in pairs]
    owners = np.repeat(np.arange(len(pairs)), [array.count for array in arrays])
    parts = np.concatenate([np.full(array.count, array.part) for array in arrays])
    counted, classes = number_classes(
        np.concatenate(values), parts, lambda index: pairs[owners[index]][1].name, findings
    )
    if classes or not findings.problems:
        check_classes(classes, findings, files.label)
    return ArrayReader(arrays, counted, classes, findings)


def _labels_of(images: IdxFile, labels: dict[str, IdxFile]) -> IdxFile:
    found = labels.get(images.key)
    if found is None:
        wanted = re.sub("idx[34]", "idx1", re.sub("images?", "labels", images.name))
        raise DataError(f"comes without its labels; {wanted} is expected beside it", images.name)
    return found


def _check_pairs(
    pairs: list[tuple[IdxFile, IdxFile]], orphans: set[str], labels: dict[str, IdxFile], limits: Limits
) -> None:
    for key in orphans:
        raise DataError("comes without its images", labels[key].name)
    seen: dict[int, str] = {}
    for images, names in pairs:
        count, (height, width) = images.dimensions[0], images.size
        if count != names.dimensions[0]:
            raise DataError(f"holds {names.dimensions[0]:,} labels, but {images.name} {count:,} images", names.name)
        if images.part in seen:
            raise DataError(f"is a second {('training', 'validation', 'test')[images.part]} part", images.name)
        seen[images.part] = images.name
        if count == 0:
            raise DataError("holds no images", images.name)
        if not height or not width or height * width > limits.image_pixels:
            raise DataError(f"holds images of an impossible size, {width}x{height}", images.name)
        if len(images.dimensions) == 4 and not {images.dimensions[1], images.dimensions[3]} & {1, 3, 4}:
            raise DataError("holds images with neither 1, 3 nor 4 channels", images.name)
    if TRAIN not in seen:
        raise DataError("comes without a training part", next(iter(seen.values())))


def _array(file: IdxFile) -> ImageArray:
    def blocks() -> Iterator[np.ndarray]:
        for block in file.blocks():
            yield shaped(block.transpose(0, 2, 3, 1) if file.channels_first else block)

    return ImageArray(file.name, file.part, file.dimensions[0], file.size, blocks)
