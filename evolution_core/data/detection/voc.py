"""Pascal VOC: one XML file a picture, boxes in pixels (http://host.robots.ox.ac.uk/pascal/VOC/)."""

from __future__ import annotations

from xml.etree import ElementTree

from evolution_core.spec import DataError

from ..files import Files, Limits, read
from ..model import TEST, TRAIN, VALIDATION
from ..readers import Findings
from .annotations import Annotated, Annotations, RawBox, number, part_of
from .pictures import Pictures, stem

MAXIMUM_XML = 4 * 2**20
_LISTS = {"train": TRAIN, "val": VALIDATION, "test": TEST, "trainval": TRAIN}


def is_voc(files: Files, limits: Limits) -> bool:
    """Whether there are XML files and the first of them is an annotation (or cannot be read at all)."""
    documents = [name for name in files.names if name.lower().endswith(".xml")]
    if not documents:
        return False
    try:
        return b"<annotation" in read(files, documents[0], MAXIMUM_XML)[:4096] or "annotations/" in documents[0].lower()
    except DataError:
        return True


def read_voc(files: Files, limits: Limits) -> Annotations:
    """Every XML file's boxes. Parts come from ImageSets/Main/*.txt, or from folders named train, valid, test.

    A file that is no annotation is a problem; a picture that is missing is noted, and its boxes are left out.
    """
    findings, pictures = Findings(), Pictures(files)
    lists = _image_sets(files)
    images: list[Annotated] = []
    taken: dict[str, str] = {}
    unlisted = 0
    for name in files.names:
        if not name.lower().endswith(".xml"):
            continue
        try:
            found = _read_one(files, name, pictures, findings)
        except DataError as error:
            for file, sentence in error.problems:
                findings.problem(file, sentence)
            continue
        if found is None:
            continue
        if found.picture in taken:
            findings.problem(name, f"speaks of the same picture as {taken[found.picture]}")
            continue
        taken[found.picture] = name
        listed = lists.get(stem(name)) if lists else part_of(name)
        unlisted += bool(lists) and listed is None
        found.part = TRAIN if listed is None else listed
        images.append(found)
    if unlisted:
        findings.note("ImageSets", f"{unlisted:,} pictures are in no list of ImageSets and train with the others")
    bare = [name for name in pictures.names if name not in taken]
    if bare and images:
        findings.note(bare[0], f"and {len(bare) - 1:,} other pictures have no annotation and are left out")
    return Annotations("Pascal VOC", images, findings)


def _read_one(files: Files, name: str, pictures: Pictures, findings: Findings) -> Annotated | None:
    root = _parse(read(files, name, MAXIMUM_XML), name)
    if root.tag != "annotation":
        raise DataError("is no annotation of Pascal VOC", name)
    wanted = (root.findtext("filename") or "").strip() or stem(name)
    picture = pictures.find(wanted, name) or pictures.find(stem(name), name)
    if picture is None:
        findings.note(name, f"is about {wanted[:80]!r}, which is not there; its boxes are left out")
        return None
    width, height = number(root.findtext("size/width")), number(root.findtext("size/height"))
    size = (width, height) if width > 0 and height > 0 else None
    boxes = []
    for item in root.iter("object"):
        box = item.find("bndbox")
        if box is None:
            raise DataError("has an object without a box (bndbox)", name)
        corners = [number(box.findtext(key)) for key in ("xmin", "ymin", "xmax", "ymax")]
        boxes.append(RawBox((item.findtext("name") or "").strip(), (corners[0], corners[1], corners[2], corners[3])))
    if size is None and boxes:
        raise DataError("does not say its picture's size, so its boxes mean nothing", name)
    return Annotated(name, picture, size, boxes)


def _parse(content: bytes, name: str) -> ElementTree.Element:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DataError("defines entities, which no annotation needs", name)
    try:
        return ElementTree.fromstring(content)  # noqa: S314  (see above)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"is no readable XML ({str(error)[:80]})", name) from None


def _image_sets(files: Files) -> dict[str, int]:
    """Stem -> part, from ImageSets/Main/{train,val,test}.txt; `trainval` counts where `train` is not there."""
    found: dict[str, int] = {}
    paths = [name for name in files.names if "imagesets/main/" in name.lower() and name.lower().endswith(".txt")]
    named = {stem(path).lower(): path for path in paths if stem(path).lower() in _LISTS}
    if "train" in named:
        named.pop("trainval", None)
    for word, path in named.items():
        text = read(files, path, 64 * 2**20).decode("utf-8", "replace")
        for line in text.splitlines():
            if line.strip():
                found.setdefault(line.split()[0], _LISTS[word])
    return found
