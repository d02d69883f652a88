"""Looking through a whole source once: what is in it, and everything that is wrong with it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from evolution_core.spec import DataError

from . import detection
from .files import Files, Limits, Source, open_source
from .folders import ClassFolders, is_picture
from .idx import idx_names, read_idx
from .images import SAMPLE_SIDE, is_gray, original_size, thumbnail
from .model import TEST, TRAIN, VALIDATION, ClassCount, Inspection, Sample, Sizes
from .npz import read_npz
from .readers import Progress, Reader, printable

LARGEST_OWN_SIZE = 64
USUAL_SIZE = 32
_SAMPLES = 48


def open_reader(files: Files, limits: Limits | None = None) -> Reader:
    """The reader that understands these files. Raises DataError when none does."""
    limits = limits or Limits()
    archives = [name for name in files.names if name.lower().endswith(".npz")]
    pictures = any(is_picture(name) for name in files.names)
    if len(archives) == 1 and not pictures:
        return read_npz(files, archives[0], limits)
    if len(archives) > 1 and not pictures:
        raise DataError("is one of several .npz files; give one", archives[1])
    if not pictures and idx_names(files):
        return read_idx(files, limits)
    if not pictures and not files.folders:
        raise DataError("holds no images: pictures in class folders, idx files or an .npz file are read", files.label)
    return ClassFolders(files, limits)


def inspect(source: Source, *, progress: Progress | None = None, limits: Limits | None = None) -> Inspection:
    """Read every image of `source` and report; never raises DataError, its problems are in the report.

    `progress(done, total)` is called every hundred images. A report with `problems` is `fatal`: nothing
    can be loaded until they are solved.
    """
    limits = limits or Limits()
    found = Inspection()
    try:
        files = open_source(source, limits)
        if detection.understands(files, limits):
            return detection.inspect_boxes(files, progress=progress, limits=limits)
        reader = open_reader(files, limits)
        found.fingerprint = files.fingerprint()
        found.classes = _count(reader)
        found.images = len(reader.labels)
        _survey(reader, found, progress)
        _check_parts(reader)
        found.problems, found.notes = reader.findings.listed(), reader.findings.listed_notes()
    except DataError as error:
        found.problems = error.problems
    found.problems = [(printable(file), printable(sentence)) for file, sentence in found.problems]
    found.notes = [(printable(file), printable(sentence)) for file, sentence in found.notes]
    return found


def _count(reader: Reader) -> list[ClassCount]:
    counts = np.zeros((3, len(reader.classes)), np.int64)
    known = (reader.labels >= 0) & (reader.labels < len(reader.classes))
    np.add.at(counts, (reader.parts[known], reader.labels[known]), 1)
    return [
        ClassCount(printable(name), int(counts[TRAIN, i]), int(counts[TEST, i]), int(counts[VALIDATION, i]))
        for i, name in enumerate(reader.classes)
    ]


def _survey(reader: Reader, found: Inspection, progress: Progress | None) -> None:
    """Sizes, gray or colour, broken files and samples, in one pass over all images."""
    total = len(reader.labels)
    wanted = _sample_indices(reader)
    gray = True
    low, high = [2**31, 2**31], [0, 0]
    for index, image in enumerate(reader.images(near=SAMPLE_SIDE)):
        if isinstance(image, DataError):
            for file, sentence in image.problems:
                reader.findings.problem(file, sentence)
            continue
        gray = gray and is_gray(image)
        width, height = original_size(image)
        low = [min(low[0], width), min(low[1], height)]
        high = [max(high[0], width), max(high[1], height)]
        if index in wanted:
            found.samples.append(_sample(reader, index, image))
        if progress and index % 100 == 0:
            progress(index, total)
    if progress:
        progress(total, total)
    found.channels = 1 if gray else 3
    if high[0]:
        found.sizes = Sizes((low[0], low[1]), (high[0], high[1]))
        own = found.sizes.shared and low[0] == low[1] <= LARGEST_OWN_SIZE
        found.default_input = low[0] if own else USUAL_SIZE


def _sample_indices(reader: Reader) -> set[int]:
    """Up to four images a class, spread over its training images; up to 48 in all."""
    classes = len(reader.classes)
    each = max(1, min(4, _SAMPLES // max(1, classes)))
    chosen: set[int] = set()
    for label in range(min(classes, _SAMPLES)):
        rows = np.flatnonzero((reader.labels == label) & (reader.parts == TRAIN))
        if rows.size:
            chosen.update(int(rows[i]) for i in np.linspace(0, rows.size - 1, min(each, rows.size)).astype(int))
    return chosen


def _sample(reader: Reader, index: int, image: Image.Image) -> Sample:
    label = int(reader.labels[index])
    return Sample(printable(reader.classes[label]), printable(reader.name(index)), thumbnail(image))


def _check_parts(reader: Reader) -> None:
    """Too few training images for the parts that have to come out of them."""
    held = set(np.unique(reader.parts).tolist())
    needed = 1 + (VALIDATION not in held) + (TEST not in held)
    train = reader.labels[reader.parts == TRAIN]
    known = train[(train >= 0) & (train < len(reader.classes))]  # a stray label may be any number
    if len(reader.classes) > 1 and np.bincount(known).max(initial=0) < needed:
        reader.findings.problem("", f"no class has {needed} training images, so none is left to compare networks with")
