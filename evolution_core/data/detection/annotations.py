"""What every box format is read into, and the checks that are the same for all of them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..model import TEST, TRAIN, VALIDATION
from ..readers import MAXIMUM_CLASSES, Findings, natural

MAXIMUM_NOTES = 200
MAXIMUM_BOXES = 1000  # of one image
SLACK = 0.01  # of the image: what boxes may stick out without a word, from rounding and counting from 1
LEAST_SIDE = 1e-4  # of the image; below it a box has no area

PART_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}


@dataclass(frozen=True)
class RawBox:
    """A box as it was written: its class (a name or the format's own number) and corners left, top, right, bottom."""

    label: str
    corners: tuple[float, float, float, float]


@dataclass
class Annotated:
    """One picture and its boxes. Corners are in pixels of `size` (width, height), or fractions where that is None."""

    file: str  # where the annotation stands
    picture: str  # the picture's name in the source
    size: tuple[float, float] | None
    boxes: list[RawBox]
    part: int = TRAIN


@dataclass
class Annotations:
    """Everything that one format's reader found. `classes` in the format's order, or None where boxes name them."""

    format: str
    images: list[Annotated]
    findings: Findings
    classes: dict[str, str] | None = None  # a box's label -> the class's name


@dataclass
class Boxes:
    """The canonical form. boxes[i] float32 [n, 5] of image i: class, centre x, centre y, width, height (0..1)."""

    format: str
    classes: list[str]
    pictures: list[str]
    sizes: list[tuple[float, float] | None]  # what the annotation says of the picture's size
    boxes: list[np.ndarray]
    parts: np.ndarray
    findings: Findings
    left_out: int = 0  # boxes that cannot be used
    empty: int = 0  # images without any box

    @property
    def strata(self) -> np.ndarray:
        """int64 [N]: each image's rarest class, so that splits share out rare ones too; K where it has no box."""
        count = len(self.classes)
        totals = Counter(int(label) for boxes in self.boxes for label in boxes[:, 0])
        rarest = [
            min((int(label) for label in boxes[:, 0]), key=lambda label: (totals[label], label), default=count)
            for boxes in self.boxes
        ]
        return np.asarray(rarest, dtype=np.int64)


@dataclass
class _Notes:
    """Notes of one kind are listed by file up to a number, and then counted."""

    findings: Findings
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, file: str, kind: str, sentence: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= MAXIMUM_NOTES:
            self.findings.note(file, sentence)

    def close(self) -> None:
        for kind, count in self.counts.items():
            if count > MAXIMUM_NOTES:
                self.findings.note("", f"{count - MAXIMUM_NOTES:,} more boxes {kind} are not listed")


def checked(found: Annotations) -> Boxes:
    """The canonical form, in natural order of the pictures' names; what cannot be used is left out and noted by file.

    Left out: boxes of no area, wholly outside the image, of an unknown class or with numbers that are none.
    Clipped: boxes that stick out by more than a hundredth of the image. Problems: no classes, absurdly many.
    """
    findings, notes = found.findings, _Notes(found.findings)
    rows: list[tuple[Annotated, list[tuple[str, np.ndarray]]]] = []
    left_out = 0
    for image in sorted(found.images, key=lambda image: (image.part, natural(image.picture))):
        kept: list[tuple[str, np.ndarray]] = []
        for raw in image.boxes[:MAXIMUM_BOXES]:
            name = _class_of(raw, found.classes)
            box = None if name is None else _fractions(raw, image, notes)
            if name is None:
                notes.add(image.file, "of unknown classes", f"has a box of the unknown class {raw.label[:60]!r}")
            if name is None or box is None:
                left_out += 1
            else:
                kept.append((name, box))
        if len(image.boxes) > MAXIMUM_BOXES:
            extra = len(image.boxes) - MAXIMUM_BOXES
            left_out += extra
            notes.add(image.file, "too many", f"has more than {MAXIMUM_BOXES:,} boxes; {extra:,} are left out")
        rows.append((image, kept))
    notes.close()
    classes = _used_classes(found, rows)
    numbers = {name: index for index, name in enumerate(classes)}
    boxes = [
        np.asarray([[numbers[name], *box] for name, box in kept], dtype=np.float32).reshape(-1, 5) for _, kept in rows
    ]
    return Boxes(
        found.format,
        classes,
        [image.picture for image, _ in rows],
        [image.size for image, _ in rows],
        boxes,
        np.asarray([image.part for image, _ in rows], dtype=np.uint8),
        findings,
        left_out,
        sum(1 for part in boxes if len(part) == 0),
    )


def _class_of(raw: RawBox, classes: dict[str, str] | None) -> str | None:
    name = raw.label if classes is None else classes.get(raw.label)
    return name if name and name.isprintable() and len(name) <= 100 else None


def _fractions(raw: RawBox, image: Annotated, notes: _Notes) -> np.ndarray | None:
    """[4] centre and size as fractions of the image, clipped to it; None (with a note) where nothing is left."""
    width, height = image.size or (1.0, 1.0)
    corners = np.asarray(raw.corners, dtype=np.float64) / (width, height, width, height)
    shown = "(" + ", ".join(f"{value:g}" for value in raw.corners) + ")"
    if not np.isfinite(corners).all():
        notes.add(image.file, "without numbers", f"has a box with numbers that are none: {shown}")
        return None
    left, top, right, bottom = corners
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        notes.add(image.file, "of no area", f"has a box of no area: {shown}")
        return None
    if right <= 0 or bottom <= 0 or left >= 1 or top >= 1:
        notes.add(image.file, "outside", f"has a box outside the image: {shown}")
        return None
    inside = np.clip(corners, 0.0, 1.0)
    if np.abs(inside - corners).max() > SLACK:
        notes.add(image.file, "that stick out", f"has a box that sticks out of the image and is cut off there: {shown}")
    left, top, right, bottom = inside
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        notes.add(image.file, "of no area", f"has a box of no area inside the image: {shown}")
        return None
    return np.asarray([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])


def _used_classes(found: Annotations, rows: Iterable[tuple[Annotated, list[tuple[str, np.ndarray]]]]) -> list[str]:
    """Classes that have boxes: in the format's own order, or by name. Notes and problems about the rest."""
    findings = found.findings
    parts: dict[str, set[int]] = defaultdict(set)
    for image, kept in rows:
        for name, _ in kept:
            parts[name].add(image.part)
    if found.classes is None:
        names = sorted(parts, key=natural)
    else:
        names = list(dict.fromkeys(name for name in found.classes.values() if name in parts))
        unused = [name for name in found.classes.values() if name not in parts]
        if unused:
            listed = ", ".join(repr(name[:40]) for name in unused[:5])
            findings.note("", f"{len(unused)} classes have no boxes and are left out: {listed}")
    if not names:
        findings.problem("", "holds no box that can be used")
    elif len(names) > MAXIMUM_CLASSES:
        findings.problem("", f"holds {len(names):,} classes; at most {MAXIMUM_CLASSES:,} are possible")
    for name in names:
        if TRAIN not in parts[name]:
            findings.problem("", f"the class {name!r} has no boxes in the training part")
    return names


def part_of(path: str) -> int | None:
    """The part that a file's folders tell, the innermost first: train/…, valid/…, images/val2017/…; None where they say
    nothing. Its own name tells none: a picture called crash-test-1.jpg is a picture of a crash test."""
    return _told_by(path.lower().split("/")[:-1])


def part_of_document(path: str) -> int | None:
    """The part of all that one document speaks of: its own name comes before its folders (instances_val2017.json)."""
    return _told_by(path.lower().split("/"))


def _told_by(pieces: list[str]) -> int | None:
    for piece in reversed(pieces):
        word = piece.rsplit(".", 1)[0].strip("0123456789_-")
        for token in (word, *word.replace("-", "_").split("_")):
            if token in PART_NAMES:
                return PART_NAMES[token]
    return None


def number(text: object) -> float:
    """A coordinate; not-a-number where it is none."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        try:
            return float(text)
        except OverflowError:
            return math.nan
    try:
        return float(str(text).strip()[:40])
    except ValueError:
        return math.nan
