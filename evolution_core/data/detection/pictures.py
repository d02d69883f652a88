"""Finding the picture that an annotation speaks of."""

from __future__ import annotations

from collections import defaultdict

from ..files import Files
from ..folders import is_picture


def stem(name: str) -> str:
    """The file's name without folders and ending."""
    base = name.rsplit("/", 1)[-1]
    return base.rsplit(".", 1)[0] if "." in base else base


class Pictures:
    """The pictures of a source by name. Several may share one in different folders: the nearest is meant."""

    def __init__(self, files: Files):
        self.names = [name for name in files.names if is_picture(name)]
        self._exact = set(self.names)
        self._bases: dict[str, list[str]] = defaultdict(list)
        self._stems: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            self._bases[name.rsplit("/", 1)[-1]].append(name)
            self._stems[stem(name)].append(name)

    def find(self, wanted: str, near: str) -> str | None:
        """The picture called `wanted` (with or without folders and ending), nearest to the file `near`."""
        wanted = wanted.replace("\\", "/").strip().lstrip("/")
        folder = near.rsplit("/", 1)[0] if "/" in near else ""
        for path in (f"{folder}/{wanted}".lstrip("/"), wanted):
            if path in self._exact:
                return path
        found = self._bases.get(wanted.rsplit("/", 1)[-1]) or self._stems.get(stem(wanted), [])
        return max(found, key=lambda name: (_alike(name, near, wanted), name), default=None)


def _alike(name: str, near: str, wanted: str) -> tuple[int, int]:
    """How many folders two paths share from the front, and how many names the wish shares from the back."""
    front = 0
    for one, other in zip(name.split("/")[:-1], near.split("/")[:-1], strict=False):
        if one != other:
            break
        front += 1
    back = 0
    for one, other in zip(reversed(name.split("/")), reversed(wanted.split("/")), strict=False):
        if one != other:
            break
        back += 1
    return back, front
