"""YOLO: one text file a picture, each line a class number and centre x, y, width, height as fractions."""

from __future__ import annotations

import math
import re

from evolution_core.spec import DataError

from ..files import Files, Limits, read
from ..model import TRAIN
from ..readers import Findings
from .annotations import Annotated, Annotations, RawBox, number, part_of
from .pictures import Pictures, stem

MAXIMUM_TEXT = 4 * 2**20
_NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")


def is_yolo(files: Files, limits: Limits) -> bool:
    """Whether text files stand beside pictures of the same names (or in labels/ for images/), or a data.yaml does."""
    pictures = Pictures(files)
    if not pictures.names:
        return False
    texts = {name for name in files.names if name.lower().endswith(".txt")}
    labelled = sum(1 for name in pictures.names if _label_file(name, texts) is not None)
    return labelled > 0 and (2 * labelled >= len(pictures.names) or _names_file(files) is not None)


def read_yolo(files: Files, limits: Limits) -> Annotations:
    """Every picture with its text file; one without is an image without boxes. Outlines become their boxes."""
    findings, pictures = Findings(), Pictures(files)
    texts = {name for name in files.names if name.lower().endswith(".txt")}
    classes = _class_names(files, findings)
    images: list[Annotated] = []
    used: set[str] = set()
    numbers: set[int] = set()
    for picture in pictures.names:
        label = _label_file(picture, texts)
        part = part_of(picture)
        image = Annotated(label or picture, picture, None, [], TRAIN if part is None else part)
        if label is not None:
            used.add(label)
            try:
                image.boxes = _read_one(files, label)
            except DataError as error:
                for file, sentence in error.problems:
                    findings.problem(file, sentence)
                continue
            numbers |= {int(box.label) for box in image.boxes}
        images.append(image)
    known = {stem(name) for name in pictures.names}
    for name in sorted(texts - used):
        if stem(name) not in known and part_of(name) is not None and "/labels/" in f"/{name}":
            findings.note(name, "has no picture; its boxes are left out")
    if classes is None:
        classes = {str(index): str(index) for index in sorted(numbers)}
        findings.note("", "no list of class names (data.yaml, classes.txt or obj.names); classes are called by number")
    return Annotations("YOLO", images, findings, classes)


def _label_file(picture: str, texts: set[str]) -> str | None:
    base = picture.rsplit(".", 1)[0] + ".txt"
    swapped = re.sub(r"(^|/)(images|JPEGImages)/(?!.*/(?:images|JPEGImages)/)", r"\1labels/", base)
    return next((name for name in (swapped, base) if name in texts), None)


def _read_one(files: Files, name: str) -> list[RawBox]:
    boxes = []
    text = read(files, name, MAXIMUM_TEXT).decode("utf-8", "replace")
    for index, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        values = [number(word) for word in words]
        if len(values) < 5 or any(value != value for value in values) or not _is_class_number(values[0]):
            raise DataError(f"line {index} is no class number with four fractions: {line.strip()[:60]!r}", name)
        label = str(int(values[0]))
        if len(values) > 6 and len(values) % 2 == 1:  # an outline: x, y, x, y, …
            across, down = values[1::2], values[2::2]
            boxes.append(RawBox(label, (min(across), min(down), max(across), max(down))))
        else:
            x, y, width, height = values[1:5]
            boxes.append(RawBox(label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)))
    return boxes


def _is_class_number(value: float) -> bool:
    return math.isfinite(value) and value >= 0 and value == int(value)


def _names_file(files: Files) -> str | None:
    for name in files.names:
        base = name.rsplit("/", 1)[-1].lower()
        if base in _NAME_FILES or base in ("data.yaml", "data.yml", "dataset.yaml"):
            return name
    return next((name for name in files.names if name.lower().endswith((".yaml", ".yml", ".names"))), None)


def _class_names(files: Files, findings: Findings) -> dict[str, str] | None:
    name = _names_file(files)
    if name is None:
        return None
    text = read(files, name, MAXIMUM_TEXT).decode("utf-8", "replace")
    if name.lower().endswith((".yaml", ".yml")):
        listed = yaml_names(text)
        if listed is None:
            findings.problem(name, "has no list 'names' that can be read")
            return {}
        return listed
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return {str(index): line for index, line in enumerate(lines)}


def yaml_names(text: str) -> dict[str, str] | None:
    """The `names` of a data.yaml: [a, b], a block of "- a", or a block of "0: a". None where there is no such list."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    start = next((index for index, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return None
    rest = lines[start].split(":", 1)[1].strip()
    if rest.startswith(("[", "{")):
        inside = " ".join([rest, *lines[start + 1 :]])
        close = inside.find("]" if rest[0] == "[" else "}")
        if close < 0:
            return None
        items = [_unquoted(item) for item in re.findall(r"\"[^\"]*\"|'[^']*'|[^,]+", inside[1:close])]
        items = [item for item in items if item]
        return _numbered(items, mapping=rest[0] == "{")
    block = []
    for line in lines[start + 1 :]:
        if not line.startswith((" ", "\t", "-")):
            break
        block.append(line.strip())
    if block and all(line.startswith("-") for line in block):
        return _numbered([_unquoted(line[1:]) for line in block], mapping=False)
    return _numbered(block, mapping=True) if block else None


def _numbered(items: list[str], *, mapping: bool) -> dict[str, str] | None:
    if not mapping:
        return {str(index): item for index, item in enumerate(items)}
    pairs = [item.split(":", 1) for item in items]
    if not all(len(pair) == 2 and _unquoted(pair[0]).isdecimal() for pair in pairs):
        return None
    return {str(int(_unquoted(key))): _unquoted(value) for key, value in pairs}


def _unquoted(text: str) -> str:
    text = text.split(" #")[0].strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
