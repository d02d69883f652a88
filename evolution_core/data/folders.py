"""Pictures in class folders: CLASS/*.jpg, or train|validation|test/CLASS/*.jpg, inside any wrapping folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from PIL import Image

from evolution_core.spec import DataError

from .files import Files, Limits, read
from .images import SUFFIXES, decode
from .model import TEST, TRAIN, VALIDATION
from .readers import Findings, check_classes, natural

_PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "test": TEST,
    "testing": TEST,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
}
_PART_NAMES = {TRAIN: "training", TEST: "test", VALIDATION: "validation"}


def is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


class ClassFolders:
    """A reader over class folders. Classes are in natural order of their folders' names.

    A class is the first folder below the part (or the root); pictures deeper in it belong to it.
    Pictures outside class folders and files of other kinds are left out and noted.
    """

    def __init__(self, files: Files, limits: Limits):
        self.files, self.limits = files, limits
        self.findings = Findings()
        pictures = [name for name in files.names if is_picture(name)]
        self._note_others([name for name in files.names if not is_picture(name)])
        depth = _wrapping(pictures, files.folders)
        loose = [name for name in pictures if name.count("/") < depth]  # beside the wrapping folders
        pictures = [name for name in pictures if name.count("/") >= depth]
        cut = [name.split("/")[depth:] for name in pictures]
        split = _has_parts(cut)
        if cut and not split and all(path[0].lower() in _PARTS for path in cut):
            self.findings.problem(files.label, "holds no folder 'train' with a folder for each class")
        rows: list[tuple[int, str, str]] = []  # part, class, file
        for name, path in zip(pictures, cut, strict=True):
            part = _PARTS.get(path[0].lower()) if split else TRAIN
            inner = path[1:] if split else path
            if part is None:
                self.findings.problem(name, f"is in {path[0]!r}, which is neither train, validation nor test")
            elif len(inner) < 2:
                loose.append(name)
            else:
                rows.append((part, inner[0], name))
        if loose:
            self.findings.note(loose[0], _left_out(len(loose), "picture", "in no class folder"))
        self._take(rows, _empty_folders(files.folders, depth, split))

    def _take(self, rows: list[tuple[int, str, str]], folders: set[tuple[int, str]]) -> None:
        trained = {name for part, name, _ in rows if part == TRAIN}
        filled = {(part, name) for part, name, _ in rows}
        for part, name in sorted(folders - filled):
            if part == TRAIN:
                self.findings.problem(name, "is an empty class: its folder holds no pictures")
            else:
                self.findings.note(name, f"has no pictures in the {_PART_NAMES[part]} part")
        for part, name in sorted(filled, key=lambda pair: natural(pair[1])):
            if name not in trained and (TRAIN, name) not in folders:
                self.findings.problem(name, f"is in the {_PART_NAMES[part]} part only and has no training pictures")
        self.classes = sorted({name for _, name, _ in rows}, key=natural)
        for name in self.classes:
            if len(name) > 100 or not name.isprintable():
                self.findings.problem(name[:100], "is not a class name: at most 100 printable characters, please")
        check_classes(self.classes, self.findings, self.files.label)
        number = {name: index for index, name in enumerate(self.classes)}
        rows.sort(key=lambda row: (row[0], number[row[1]], row[2]))
        self.paths = [name for _, _, name in rows]
        self.labels = np.array([number[name] for _, name, _ in rows], dtype=np.int64)
        self.parts = np.array([part for part, _, _ in rows], dtype=np.uint8)

    def _note_others(self, names: list[str]) -> None:
        kinds = Counter("." + name.rsplit(".", 1)[-1] if "." in name.rsplit("/", 1)[-1] else "" for name in names)
        if names:
            kind = ", ".join(kind or "no ending" for kind, _ in kinds.most_common(3))
            self.findings.note(names[0], _left_out(len(names), "file", f"not a picture ({kind})"))

    def name(self, index: int) -> str:
        return self.paths[index]

    def images(self, near: int | None = None) -> Iterator[Image.Image | DataError]:
        for path in self.paths:
            try:
                content = read(self.files, path, self.limits.image_bytes)
                yield decode(content, path, pixels=self.limits.image_pixels, near=near)
            except DataError as error:
                yield error


def _left_out(count: int, noun: str, why: str) -> str:
    return f"was left out: {why}" if count == 1 else f"and {count - 1:,} other {noun}s were left out: {why}"


def _wrapping(pictures: list[str], folders: list[str]) -> int:
    """How many folders wrap everything: a lone top folder is one unless it is the only class.

    A class holds pictures of its own and at most one folder of them; a part is never a wrapping.
    """
    depth = 0
    paths = [name.split("/") for name in pictures]
    inner = [name.split("/") for name in folders]
    while True:
        deep = [path for path in paths if len(path) > depth + 2]
        own = any(len(path) == depth + 2 for path in paths)
        tops = {path[depth] for path in paths if len(path) > depth + 1}
        tops |= {path[depth] for path in inner if len(path) > depth}
        if len(tops) != 1 or not deep or next(iter(tops)).lower() in _PARTS:
            return depth
        if own and len({path[depth + 1] for path in deep}) < 2:
            return depth
        depth += 1


def _has_parts(paths: list[list[str]]) -> bool:
    """Whether the first folders are parts: a training part is among them and none holds pictures itself."""
    named = [path for path in paths if path[0].lower() in _PARTS]
    if not any(_PARTS[path[0].lower()] == TRAIN for path in named):
        return False
    return any(len(path) > 2 for path in named)


def _empty_folders(folders: list[str], depth: int, split: bool) -> set[tuple[int, str]]:
    """(part, class) of every folder that stands where a class should, filled or not."""
    found = set()
    for name in folders:
        path = name.split("/")[depth:]
        if split and len(path) == 2 and path[0].lower() in _PARTS:
            found.add((_PARTS[path[0].lower()], path[1]))
        elif not split and len(path) == 1:
            found.add((TRAIN, path[0]))
    return found
