"""Validation pictures to look at: the originals, small enough for a page, in the order of the validation part."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from evolution_core.spec import DataError, RunSpec

from ..files import Limits, Source, open_source, read
from ..images import decode
from ..readers import printable
from ..splits import split
from .reading import read_boxes

SHOWN = 60
SIDE = 560  # pixels of the longer side
QUALITY = 82


@dataclass(frozen=True)
class Shown:
    """One picture as it is shown: its name in the source, size in pixels, boxes [n, 5] (class, cx, cy, w, h)."""

    file: str
    width: int
    height: int
    boxes: np.ndarray
    jpeg: bytes = field(repr=False)


def shown_rows(count: int, most: int = SHOWN) -> list[int]:
    """Which of `count` validation images are shown: all, or `most` of them spread evenly, in order."""
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).round().astype(int).tolist()


def validation_pictures(
    source: Source, spec: RunSpec, *, most: int = SHOWN, side: int = SIDE, limits: Limits | None = None
) -> Iterator[Shown]:
    """The pictures behind `load(source, spec=spec).validation` at :func:`shown_rows`, in that order. Raises DataError.

    They keep the shape that they were brought in; networks see them squashed to the input size.
    """
    limits = limits or Limits()
    files = open_source(source, limits)
    boxes = read_boxes(files, limits)
    if boxes.findings.problems:
        raise DataError(boxes.findings.listed())
    rows = split(boxes.strata, boxes.parts, seed=spec.seed, validation_share=spec.validation_share, limit=spec.limit)[1]
    for place in shown_rows(len(rows), most):
        index = int(rows[place])
        path = boxes.pictures[index]
        image = decode(read(files, path, limits.image_bytes), path, pixels=limits.image_pixels, near=side)
        image = image.convert("RGB")
        image.thumbnail((side, side))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=QUALITY)
        yield Shown(printable(path), image.width, image.height, boxes.boxes[index], out.getvalue())
