"""Which format a source is in, and its boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PIL import Image

from evolution_core.spec import DataError

from ..files import Files, Limits, read
from ..images import decode
from .annotations import Annotations, Boxes, checked
from .coco import is_coco, read_coco
from .voc import is_voc, read_voc
from .yolo import is_yolo, read_yolo

Recognise = Callable[[Files, Limits], bool]
Read = Callable[[Files, Limits], Annotations]

FORMATS: tuple[tuple[Recognise, Read], ...] = ((is_voc, read_voc), (is_coco, read_coco), (is_yolo, read_yolo))


def understands(files: Files, limits: Limits) -> bool:
    """Whether the source has boxes in a known format."""
    return any(recognise(files, limits) for recognise, _ in FORMATS)


def read_boxes(files: Files, limits: Limits) -> Boxes:
    """The boxes of a source, checked. Raises DataError when no format fits."""
    for recognise, reader in FORMATS:
        if recognise(files, limits):
            found = reader(files, limits)
            boxes = checked(found)
            if not boxes.pictures and not boxes.findings.problems:
                boxes.findings.problem(files.label, f"holds no picture with boxes ({boxes.format})")
            return boxes
    raise DataError("holds no boxes in a known format (Pascal VOC, COCO JSON, YOLO text)", files.label)


def images_of(files: Files, boxes: Boxes, limits: Limits, near: int | None = None) -> Iterator[Image.Image | DataError]:
    """Every picture in order as mode L or RGB, or why it cannot be read. `near` as in images.decode."""
    for path in boxes.pictures:
        try:
            yield decode(read(files, path, limits.image_bytes), path, pixels=limits.image_pixels, near=near)
        except DataError as error:
            yield error
