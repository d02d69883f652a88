"""Images that come as whole arrays: the reader that idx and npz files end in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from evolution_core.spec import DataError

from .files import Limits
from .readers import Findings


@dataclass
class ImageArray:
    """One part's images. `blocks()` yields uint8 [n, H, W] or [n, H, W, 3] in order; it may raise DataError."""

    file: str
    part: int
    count: int
    size: tuple[int, int]  # height, width
    blocks: Callable[[], Iterator[np.ndarray]]


class ArrayReader:
    """A reader over image arrays. `labels` follow the arrays' order."""

    def __init__(self, arrays: list[ImageArray], labels: np.ndarray, classes: list[str], findings: Findings):
        self.arrays, self.labels, self.classes, self.findings = arrays, labels, classes, findings
        self.parts = np.concatenate([np.full(array.count, array.part, np.uint8) for array in arrays])

    def name(self, index: int) -> str:
        for array in self.arrays:
            if index < array.count:
                return f"{array.file} (image {index})"
            index -= array.count
        raise IndexError(index)

    def images(self, near: int | None = None) -> Iterator[Image.Image | DataError]:
        for array in self.arrays:
            for block in array.blocks():
                for pixels in block:
                    yield Image.fromarray(pixels)


def check_arrays(arrays: list[ImageArray], limits: Limits, findings: Findings) -> None:
    """All parts hold images of one size; a difference is a mistake in the files, not a choice. Raises DataError where
    all parts together hold more images than are allowed."""
    if sum(array.count for array in arrays) > limits.entries:
        largest = max(arrays, key=lambda array: array.count)
        raise DataError(f"brings more than {limits.entries:,} images", largest.file)
    for array in arrays[1:]:
        if array.size != arrays[0].size:
            findings.problem(
                array.file,
                f"holds images of {array.size[1]}x{array.size[0]} pixels, "
                f"but {arrays[0].file} of {arrays[0].size[1]}x{arrays[0].size[0]}",
            )


def on_white(block: np.ndarray) -> np.ndarray:
    """uint8 [n, H, W, 4] laid on white: [n, H, W, 3]."""
    colour, alpha = block[..., :3].astype(np.uint16), block[..., 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def shaped(block: np.ndarray) -> np.ndarray:
    """uint8 [n, H, W(, C)] with C of 1, 3 or 4 as [n, H, W] or [n, H, W, 3]."""
    if block.ndim == 3:
        return np.ascontiguousarray(block)
    if block.shape[-1] == 1:
        return np.ascontiguousarray(block[..., 0])
    return np.ascontiguousarray(on_white(block) if block.shape[-1] == 4 else block)
