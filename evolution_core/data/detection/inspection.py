"""Looking through pictures with boxes once: counts, sizes, previews with boxes drawn, and what is wrong."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from evolution_core.spec import DataError

from ..files import Files, Limits
from ..images import is_gray
from ..model import TEST, TRAIN, VALIDATION, ClassCount, Inspection, Sample, Sizes
from ..readers import Progress, printable
from .annotations import Boxes
from .reading import images_of, read_boxes

DEFAULT_INPUT = 224
_SAMPLES = 24
_SIDE = 320
_COLOURS = ("#e4572e", "#17bebb", "#ffc914", "#2e86ab", "#8ac926", "#9d4edd", "#ff6b9d", "#6c757d")


def inspect_boxes(files: Files, *, progress: Progress | None = None, limits: Limits | None = None) -> Inspection:
    """Report on a source with boxes; never raises DataError, its problems are in the report.

    Boxes that cannot be used are `notes` and counted in `boxes["left_out"]`: the rest can be trained on.
    A picture or an annotation file that cannot be read is a problem. Classes count boxes, not images.
    """
    limits = limits or Limits()
    found = Inspection(task="detection", default_input=DEFAULT_INPUT)
    try:
        boxes = read_boxes(files, limits)
        found.fingerprint = files.fingerprint()
        found.images = len(boxes.pictures)
        found.classes = _count(boxes)
        if not boxes.findings.problems:
            _survey(files, boxes, found, limits, progress)
            _check_parts(boxes)
    except DataError as error:
        found.problems += [(printable(file), printable(sentence)) for file, sentence in error.problems]
        return found
    found.boxes = statistics_of(boxes)
    found.problems += [(printable(file), printable(sentence)) for file, sentence in boxes.findings.listed()]
    found.notes += [(printable(file), printable(sentence)) for file, sentence in boxes.findings.listed_notes()]
    return found


def _count(boxes: Boxes) -> list[ClassCount]:
    counts = np.zeros((3, len(boxes.classes)), np.int64)
    for part, listed in zip(boxes.parts, boxes.boxes, strict=True):
        counts[int(part)] += np.bincount(listed[:, 0].astype(np.int64), minlength=len(boxes.classes))
    return [
        ClassCount(name, int(counts[TRAIN, i]), int(counts[TEST, i]), int(counts[VALIDATION, i]))
        for i, name in enumerate(boxes.classes)
    ]


def statistics_of(boxes: Boxes) -> dict[str, Any]:
    """What a page shows of the boxes, in plain values. Sizes are the side of a square of the same area, as a
    fraction of the image's side: median, and a histogram over ten equal steps; widths over heights as a median."""
    everything = np.concatenate([np.zeros((0, 5), np.float32), *boxes.boxes])
    sides = np.sqrt(everything[:, 3] * everything[:, 4])
    histogram = np.histogram(sides, bins=10, range=(0.0, 1.0))[0]
    per_class = {}
    for index, name in enumerate(boxes.classes):
        own = sides[everything[:, 0] == index]
        per_class[name] = {"boxes": int(own.size), "median_side": round(float(np.median(own)), 4) if own.size else None}
    return {
        "format": boxes.format,
        "count": len(everything),
        "left_out": boxes.left_out,
        "images_without": boxes.empty,
        "most_in_an_image": max((len(part) for part in boxes.boxes), default=0),
        "median_side": round(float(np.median(sides)), 4) if sides.size else None,
        "sides": [int(count) for count in histogram],
        "median_aspect": round(float(np.median(everything[:, 3] / everything[:, 4])), 4) if sides.size else None,
        "classes": per_class,
    }


def _survey(files: Files, boxes: Boxes, found: Inspection, limits: Limits, progress: Progress | None) -> None:
    """Picture sizes, gray or colour, broken files and previews, in one pass over all pictures."""
    total = len(boxes.pictures)
    wanted = _sample_indices(boxes)
    gray, turned = True, 0
    low, high = [2**31, 2**31], [0, 0]
    for index, image in enumerate(images_of(files, boxes, limits)):
        if isinstance(image, DataError):
            for file, sentence in image.problems:
                boxes.findings.problem(file, sentence)
            continue
        turned += _other_shape(image, boxes.sizes[index])
        gray = gray and is_gray(image)
        low = [min(low[0], image.width), min(low[1], image.height)]
        high = [max(high[0], image.width), max(high[1], image.height)]
        if index in wanted:
            found.samples.append(_sample(boxes, index, image))
        if progress and index % 100 == 0:
            progress(index, total)
    if progress:
        progress(total, total)
    if turned:
        boxes.findings.note("", f"{turned:,} pictures have another shape than their annotations say; look at them")
    found.channels = 1 if gray else 3
    if high[0]:
        found.sizes = Sizes((low[0], low[1]), (high[0], high[1]))


def _other_shape(image: Image.Image, size: tuple[float, float] | None) -> bool:
    return size is not None and abs(image.width * size[1] / (image.height * size[0]) - 1.0) > 0.02


def _sample_indices(boxes: Boxes) -> set[int]:
    """Up to 24 training pictures: each class's first ones, then others, spread evenly."""
    train = [index for index, part in enumerate(boxes.parts) if part == TRAIN and len(boxes.boxes[index])]
    chosen: list[int] = []
    seen: Counter[int] = Counter()
    for index in train:
        labels = {int(label) for label in boxes.boxes[index][:, 0]}
        if any(seen[label] < 2 for label in labels) and len(chosen) < _SAMPLES // 2:
            chosen.append(index)
            seen.update(labels)
    others = [index for index in train if index not in set(chosen)]
    wanted = min(_SAMPLES - len(chosen), len(others))
    chosen += [others[position] for position in np.linspace(0, len(others) - 1, wanted).astype(int)] if wanted else []
    return set(chosen)


def _sample(boxes: Boxes, index: int, image: Image.Image) -> Sample:
    """A preview with the boxes drawn; it is filed under the class of its first box."""
    drawn = draw(image, boxes.boxes[index], boxes.classes, side=_SIDE)
    out = io.BytesIO()
    drawn.save(out, "PNG", optimize=True)
    return Sample(boxes.classes[int(boxes.boxes[index][0, 0])], printable(boxes.pictures[index]), out.getvalue())


def draw(image: Image.Image, boxes: np.ndarray, classes: list[str], side: int) -> Image.Image:
    """The picture at most `side` pixels large, with each box [class, cx, cy, w, h] in its class's colour and name."""
    shown = image.convert("RGB")
    shown.thumbnail((side, side))
    pen = ImageDraw.Draw(shown)
    width, height = shown.size
    named: set[int] = set()
    for label, x, y, w, h in boxes:
        index = int(label)
        colour = _COLOURS[index % len(_COLOURS)]
        corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        pen.rectangle(corners, outline=colour, width=2)
        if index not in named:  # each class is named once, or a crowd would be covered by words
            named.add(index)
            at = (max(0.0, corners[0]), max(0.0, corners[1] - 11))
            pen.rectangle(pen.textbbox(at, classes[index][:24]), fill=colour)
            pen.text(at, classes[index][:24], fill="white")
    return shown


def _check_parts(boxes: Boxes) -> None:
    """Too few training pictures for the parts that have to come out of them."""
    held = set(np.unique(boxes.parts).tolist())
    needed = 1 + (VALIDATION not in held) + (TEST not in held)
    if int((boxes.parts == TRAIN).sum()) < 2 * needed:
        boxes.findings.problem("", f"has fewer than {2 * needed} training pictures, so none is left to compare with")
