"""COCO: one JSON document for many pictures, boxes as left, top, width, height in pixels (https://cocodataset.org)."""

from __future__ import annotations

import json
from typing import Any

from evolution_core.spec import DataError

from ..files import Files, Limits, read
from ..model import TRAIN
from ..readers import Findings
from .annotations import MAXIMUM_NOTES, Annotated, Annotations, RawBox, number, part_of, part_of_document
from .pictures import Pictures

MAXIMUM_JSON = 768 * 2**20


def documents_of(files: Files) -> list[str]:
    return [name for name in files.names if name.lower().endswith(".json")]


def is_coco(files: Files, limits: Limits) -> bool:
    """Whether there is a JSON file that looks like COCO's, or one that is broken beside pictures alone."""
    for name in documents_of(files)[:20]:
        try:
            with files.open(name) as stream:
                head = stream.read(2**20)
        except Exception:  # a broken archive entry is reported when it is read in full
            return True
        if b'"annotations"' in head or b'"images"' in head or b'"categories"' in head:
            return True
    return False


def read_coco(files: Files, limits: Limits) -> Annotations:
    """All documents together; a document's part comes from its name or folder. Crowd regions are left out."""
    findings, pictures = Findings(), Pictures(files)
    images: list[Annotated] = []
    classes: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in documents_of(files):
        try:
            document = _parse(files, name)
            if document is None:
                continue
            _add_classes(document, name, classes)
            for image in _images(document, name, pictures, findings):
                if image.picture in taken:
                    findings.problem(name, f"speaks of {image.picture[:80]!r}, as {taken[image.picture]} does")
                    continue
                taken[image.picture] = name
                images.append(image)
        except DataError as error:
            for file, sentence in error.problems:
                findings.problem(file, sentence)
    bare = [name for name in pictures.names if name not in taken]
    if bare and images:
        findings.note(bare[0], f"and {len(bare) - 1:,} other pictures are in no list and are left out")
    return Annotations("COCO", images, findings, classes)


def _parse(files: Files, name: str) -> dict[str, Any] | None:
    """The document, or None for a JSON file about something else."""
    try:
        document = json.loads(read(files, name, MAXIMUM_JSON))
    except (ValueError, RecursionError) as error:
        raise DataError(f"is no readable JSON ({str(error)[:80]})", name) from None
    if not isinstance(document, dict) or not {"images", "annotations", "categories"} & set(document):
        return None
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            raise DataError(f"has no list {key!r}, so it is no annotation of COCO", name)
        if not all(isinstance(item, dict) for item in document[key]):
            raise DataError(f"has a list {key!r} that holds other things than objects", name)
    return document


def _add_classes(document: dict[str, Any], name: str, classes: dict[str, str]) -> None:
    """Category numbers mean the same in every document of a set; names decide where they do not."""
    for item in sorted(document["categories"], key=lambda item: number(item.get("id"))):
        key, label = _key(item.get("id")), str(item.get("name", "")).strip()
        if not key or not label:
            raise DataError("has a category without number or name", name)
        if classes.setdefault(key, label) != label:
            raise DataError(f"calls category {key} {label[:40]!r}, another document {classes[key][:40]!r}", name)


def _key(value: Any) -> str:
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""


def _images(document: dict[str, Any], name: str, pictures: Pictures, findings: Findings) -> list[Annotated]:
    part = part_of_document(name)
    found: dict[str, Annotated] = {}
    missing = 0
    for item in document["images"]:
        wanted, key = str(item.get("file_name", "")), _key(item.get("id"))
        if not wanted or not key:
            raise DataError("has an image without number or file name", name)
        if key in found:
            raise DataError(f"has two images of the number {key}", name)
        picture = pictures.find(wanted, name)
        width, height = number(item.get("width")), number(item.get("height"))
        if picture is None:
            missing += 1
            if missing <= MAXIMUM_NOTES:
                findings.note(name, f"lists {wanted[:80]!r}, which is not there; its boxes are left out")
            continue
        if not (width > 0 and height > 0):
            raise DataError(f"does not say the size of {wanted[:80]!r}", name)
        own = part if part is not None else part_of(picture)
        found[key] = Annotated(f"{name} ({wanted})", picture, (width, height), [], TRAIN if own is None else own)
    if missing > MAXIMUM_NOTES:
        findings.note(name, f"lists {missing - MAXIMUM_NOTES:,} more pictures that are not there")
    _add_boxes(document, name, found, findings, {_key(item.get("id")) for item in document["images"]})
    return list(found.values())


def _add_boxes(
    document: dict[str, Any], name: str, found: dict[str, Annotated], findings: Findings, listed: set[str]
) -> None:
    crowds = strays = 0
    for item in document["annotations"]:
        key = _key(item.get("image_id"))
        if key not in listed:
            strays += 1
            continue
        if key not in found:
            continue  # its picture is not there, which was said
        if item.get("iscrowd"):
            crowds += 1
            continue
        box = item.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            raise DataError(f"has an annotation of {found[key].picture[:80]!r} without a box of four numbers", name)
        left, top, width, height = (number(value) for value in box)
        found[key].boxes.append(RawBox(_key(item.get("category_id")), (left, top, left + width, top + height)))
    if crowds:
        findings.note(name, f"has {crowds:,} crowd regions, which are left out")
    if strays:
        findings.note(name, f"has {strays:,} boxes of pictures that it does not list; they are left out")
