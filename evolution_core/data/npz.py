"""NumPy's .npz: x_train, y_train, x_test, y_test and their like; no pickled object is ever read.

Members are streamed out of the zip in blocks: numpy itself would believe a header's shape before reading a byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from evolution_core.spec import DataError

from .arrays import ArrayReader, ImageArray, check_arrays, shaped
from .files import READ_ERRORS, Archive, Files, Limits
from .model import PARTS, TRAIN
from .readers import Findings, check_classes, natural, number_classes

_BLOCK = 8 * 2**20
_PART_WORDS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_IMAGE_WORDS = ("x", "images", "image", "data")
_LABEL_WORDS = ("y", "labels", "label", "targets", "target")
_NAME_WORDS = ("classes", "class_names", "label_names", "names")
_READ_ERRORS = (*READ_ERRORS, ValueError)


@dataclass
class Member:
    """One array of the file: its header, checked against the bytes that are there."""

    archive: Archive
    name: str  # with .npy
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int

    @property
    def key(self) -> str:
        return self.name.removesuffix(".npy")

    def blocks(self) -> Iterator[np.ndarray]:
        """The array along its first axis, some megabytes at a time; one block when it is in Fortran order."""
        count = self.shape[0] if self.shape else 1
        inner = self.shape[1:]
        each = max(1, math.prod(inner) * self.dtype.itemsize)
        step = max(1, count if self.fortran else _BLOCK // each)
        try:
            with self.archive.open(self.name) as stream:
                stream.read(self.start)
                for first in range(0, count, step):
                    rows = min(step, count - first)
                    content = stream.read(rows * each)
                    values = np.frombuffer(content, self.dtype)
                    order = "F" if self.fortran else "C"
                    yield values.reshape((rows, *inner), order=order)  # type: ignore[call-overload]
        except _READ_ERRORS:
            raise DataError("is broken and cannot be unpacked", self.key) from None

    def values(self) -> np.ndarray:
        found = list(self.blocks())
        return np.concatenate(found) if found else np.zeros(self.shape, self.dtype)


def _open_member(archive: Archive, name: str) -> Member:
    key = name.removesuffix(".npy")
    try:
        with archive.open(name) as stream:
            shape, fortran, dtype = _header(stream)
            start = stream.tell()
    except _READ_ERRORS as error:
        raise DataError(f"is not a readable array ({str(error).splitlines()[0][:80]})", key) from None
    if dtype.hasobject:
        raise DataError("holds Python objects, which are never read", key)
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != archive.size(name) - start:
        raise DataError(f"announces the shape {shape}, which its bytes do not fill", key)
    return Member(archive, name, shape, fortran, dtype, start)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)  # 2.0; other versions raise ValueError


def read_npz(files: Files, name: str, limits: Limits) -> ArrayReader:
    """A reader over one .npz file. Raises DataError naming the array, or the file where an array is missing."""
    path = files.path(name)
    if path is None:
        raise DataError("lies inside an archive; upload the .npz itself", name)
    archive = Archive(path, name, limits)
    members = [_open_member(archive, member) for member in archive.names if member.endswith(".npy")]
    pairs = _pairs(members, name)
    findings = Findings()
    layouts = {part: _layout(images, labels, limits) for part, images, labels in pairs}
    scale = _scale([images for _, images, _ in pairs])
    arrays = [_array(images, part, layouts[part], scale) for part, images, _ in pairs]
    check_arrays(arrays, limits, findings)
    labels = [_plain_labels(member) for _, _, member in pairs]
    parts = np.concatenate([np.full(array.count, array.part) for array in arrays])
    owners = np.repeat(np.arange(len(pairs)), [array.count for array in arrays])
    named = _class_names(members)
    counted, classes = _number(
        np.concatenate(labels), parts, named, lambda index: pairs[owners[index]][2].key, findings, name
    )
    if classes or not findings.problems:
        check_classes(classes, findings, name)
    return ArrayReader(arrays, counted, classes, findings)


def _spellings(words: tuple[str, ...], part: str | None) -> list[str]:
    if part is None:
        return list(words)
    return [text for word in words for side in _PART_WORDS[part] for text in (f"{word}_{side}", f"{side}_{word}")]


def _pairs(members: list[Member], name: str) -> list[tuple[int, Member, Member]]:
    """(part, images, labels) found by name; the training part first."""
    by_key = {member.key.lower(): member for member in members}

    def find(words: tuple[str, ...], part: str | None) -> Member | None:
        return next((by_key[text] for text in _spellings(words, part) if text in by_key), None)

    pairs = []
    for number, part in enumerate(PARTS):
        images, labels = find(_IMAGE_WORDS, part), find(_LABEL_WORDS, part)
        if part == "train" and images is None:
            images, labels = find(_IMAGE_WORDS, None), find(_LABEL_WORDS, None)
        if images is None:
            continue
        if labels is None:
            raise DataError(f"comes without its labels, such as y_{part}", images.key)
        pairs.append((number, images, labels))
    if not pairs or pairs[0][0] != TRAIN:
        held = ", ".join(sorted(by_key)[:8]) or "nothing"
        raise DataError(f"holds no arrays named x_train and y_train (or images and labels), but {held}", name)
    return pairs


def _layout(images: Member, labels: Member, limits: Limits) -> str:
    """'NHW', 'NHWC' or 'NCHW' of an image array. Raises DataError on other shapes or a wrong number of labels."""
    shape = images.shape
    if len(shape) == 3:
        layout = "NHW"
    elif len(shape) == 4 and shape[3] in (1, 3, 4):
        layout = "NHWC"
    elif len(shape) == 4 and shape[1] in (1, 3, 4):
        layout = "NCHW"
    else:
        raise DataError(f"has the shape {shape}; images are [N, H, W], [N, H, W, C] or [N, C, H, W]", images.key)
    if shape[0] == 0:
        raise DataError("holds no images", images.key)
    if not labels.shape or labels.shape[0] != shape[0]:
        held = labels.shape[0] if labels.shape else 0
        raise DataError(f"holds {held:,} labels, but {images.key} {shape[0]:,} images", labels.key)
    height, width = _size(shape, layout)
    if not height or not width or height * width > limits.image_pixels:
        raise DataError(f"holds images of an impossible size, {width}x{height}", images.key)
    return layout


def _scale(arrays: list[Member]) -> float:
    """What makes 0..255 of the values: 255 for booleans and for floats that stay within 0..1. One for all parts."""
    largest = 0.0
    for member in arrays:
        kind = member.dtype.kind
        if kind not in "buif":
            raise DataError(f"holds {member.dtype} values; numbers are needed", member.key)
        if member.dtype == np.uint8:
            largest = 255.0
            continue
        for block in member.blocks():
            low, high = float(block.min()), float(block.max())
            if not (math.isfinite(low) and math.isfinite(high)) or low < 0 or high > 255:
                raise DataError(f"holds values from {low:g} to {high:g}; 0 to 1 or 0 to 255 are expected", member.key)
            largest = max(largest, high)
    if all(member.dtype.kind == "f" for member in arrays):
        return 255.0 if largest <= 1.0 else 1.0
    return 255.0 if all(member.dtype.kind == "b" for member in arrays) else 1.0


def _array(member: Member, part: int, layout: str, scale: float) -> ImageArray:
    def blocks() -> Iterator[np.ndarray]:
        for block in member.blocks():
            values = block if block.dtype == np.uint8 else np.rint(block * np.float64(scale)).astype(np.uint8)
            yield shaped(values.transpose(0, 2, 3, 1) if layout == "NCHW" else values)

    return ImageArray(member.key, part, member.shape[0], _size(member.shape, layout), blocks)


def _size(shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    """Height and width."""
    first = layout.index("H")
    return shape[first], shape[first + 1]


def _plain_labels(member: Member) -> np.ndarray:
    """Labels [N]: one column is flattened, one-hot rows become numbers."""
    if member.dtype.kind not in "buifU":
        raise DataError(f"holds {member.dtype} values; labels are whole numbers or names", member.key)
    values = member.values()
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind != "U" and bool(((values == 0) | (values == 1)).all()):
        if not bool((values.sum(1) == 1).all()):
            raise DataError("marks several classes, or none, for one image", member.key)
        values = values.argmax(1)
    if values.ndim != 1:
        raise DataError(f"has the shape {member.shape}; one label for each image is expected", member.key)
    return values


def _class_names(members: list[Member]) -> list[str] | None:
    for member in members:
        if member.key.lower() in _NAME_WORDS and member.dtype.kind == "U" and len(member.shape) == 1:
            return [str(name) for name in member.values()]
    return None


def _number(
    labels: np.ndarray,
    parts: np.ndarray,
    named: list[str] | None,
    file: Callable[[int], str],
    findings: Findings,
    name: str,
) -> tuple[np.ndarray, list[str]]:
    """Labels from 0 and class names, whether labels are numbers, numbers into `named`, or names themselves."""
    if labels.dtype.kind == "U":
        classes = sorted({str(label) for label in labels[parts == TRAIN]}, key=natural)
        number = {label: index for index, label in enumerate(classes)}
        for index in np.flatnonzero(~np.isin(labels, classes)):
            findings.problem(
                file(int(index)), f"holds the label {str(labels[index])[:60]!r}, which has no training images"
            )
        return np.array([number.get(str(label), 0) for label in labels], np.int64), classes
    counted, classes = number_classes(labels, parts, file, findings)
    if named is None or findings.problems:
        return counted, classes
    if len(named) != len(classes) or len(set(named)) != len(named):
        findings.problem(name, f"names {len(named)} classes, but its labels number {len(classes)}")
        return counted, classes
    return counted, named
