"""Small pictures of our own making, in class folders: what a user would upload."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circles", "squares", "triangles")


def picture(kind: str, luck: np.random.Generator, size: int = 28) -> Image.Image:
    """A bright shape of that class somewhere on a dark, noisy ground."""
    noise = luck.integers(0, 60, (size, size, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    draw = ImageDraw.Draw(image)
    side = int(luck.integers(size // 2, size * 3 // 4))
    left, top = (int(luck.integers(0, size - side)) for _ in range(2))
    colour = tuple(int(value) for value in luck.integers(150, 255, 3))
    box = (left, top, left + side, top + side)
    if kind == "circles":
        draw.ellipse(box, fill=colour)
    elif kind == "squares":
        draw.rectangle(box, fill=colour)
    else:
        draw.polygon([(left, top + side), (left + side, top + side), (left + side // 2, top)], fill=colour)
    return image


def encoded(image: Image.Image, form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=90)
    return buffer.getvalue()


def picture_zip(each: int = 60, size: int = 28, seed: int = 7, **extra: bytes) -> bytes:
    """A zip of `each` JPEGs a class in class folders; `extra` are further entries by name."""
    luck = np.random.default_rng(seed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for kind in CLASSES:
            for number in range(each):
                archive.writestr(f"shapes/{kind}/{number:03}.jpg", encoded(picture(kind, luck, size)))
        for name, content in extra.items():
            archive.writestr(name, content)
    return buffer.getvalue()
