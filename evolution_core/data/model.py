"""The canonical form of a data set in memory: what every reader ends in and everything else starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

TRAIN, VALIDATION, TEST = 0, 1, 2  # an image's part, as readers number them
PARTS = ("train", "validation", "test")


@dataclass
class Split:
    """Images and targets of one part, in the same order.

    `images` uint8 [N, C, H, W] (may be memory-mapped; never write to it); `targets` int64 [N]
    for classification, a list of float [n, 5] (class, cx, cy, w, h in 0..1) for detection.
    """

    images: Tensor
    targets: Any

    def __len__(self) -> int:
        return self.images.shape[0]


@dataclass
class Data:
    """A data set ready for training. `mean` and `std` [C] are of training pixels scaled to 0..1.

    A network is fed (pixel / 255 - mean) / std. `fingerprint` is the SHA-256 of the source's content.
    """

    task: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train: Split
    validation: Split
    test: Split
    mean: Tensor
    std: Tensor
    fingerprint: str


@dataclass(frozen=True)
class ClassCount:
    """How many images of a class each part of the source holds."""

    name: str
    train: int
    test: int
    validation: int = 0

    @property
    def images(self) -> int:
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class Sizes:
    """Smallest and largest (width, height) in pixels, each side for itself; `shared` when all images agree."""

    minimum: tuple[int, int]
    maximum: tuple[int, int]

    @property
    def shared(self) -> bool:
        return self.minimum == self.maximum

    def to_json(self) -> dict[str, Any]:
        return {"minimum": list(self.minimum), "maximum": list(self.maximum), "shared": self.shared}


@dataclass(frozen=True)
class Sample:
    """One image to show: the class it is in, its name in the source and a PNG of at most 128 pixels a side."""

    class_name: str
    file: str
    png: bytes = field(repr=False)


@dataclass
class Inspection:
    """What was found in a source. `problems` make it unusable (`fatal`), `notes` do not."""

    task: str = "classification"
    classes: list[ClassCount] = field(default_factory=list)
    images: int = 0
    channels: int = 3
    sizes: Sizes | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    default_input: int = 32
    fingerprint: str = ""
    boxes: dict[str, Any] | None = None  # of pictures with boxes: counts and sizes (detection.inspection)
    samples: list[Sample] = field(default_factory=list)

    @property
    def fatal(self) -> bool:
        return bool(self.problems)

    def to_json(self) -> dict[str, Any]:
        """Everything but the sample pictures, in plain values."""
        return {
            "task": self.task,
            "classes": [
                {"name": c.name, "train": c.train, "validation": c.validation, "test": c.test} for c in self.classes
            ],
            "images": self.images,
            "channels": self.channels,
            "sizes": self.sizes.to_json() if self.sizes else None,
            "problems": [{"file": file, "problem": sentence} for file, sentence in self.problems],
            "notes": [{"file": file, "note": sentence} for file, sentence in self.notes],
            "default_input": self.default_input,
            "fingerprint": self.fingerprint,
            "boxes": self.boxes,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Inspection:
        """The inverse of :meth:`to_json`; keys that it does not know are left alone."""
        sizes = value.get("sizes")
        return cls(
            task=value.get("task", "classification"),
            classes=[
                ClassCount(c["name"], c["train"], c["test"], c.get("validation", 0)) for c in value.get("classes", [])
            ],
            images=value.get("images", 0),
            channels=value.get("channels", 3),
            sizes=Sizes(_pair(sizes["minimum"]), _pair(sizes["maximum"])) if sizes else None,
            problems=[(p["file"], p["problem"]) for p in value.get("problems", [])],
            notes=[(n["file"], n["note"]) for n in value.get("notes", [])],
            default_input=value.get("default_input", 32),
            fingerprint=value.get("fingerprint", ""),
            boxes=value.get("boxes"),
        )


def _pair(value: list[int]) -> tuple[int, int]:
    return value[0], value[1]


def statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of uint8 [N, C, H, W], for pixels scaled to 0..1.

    Computed from exact counts of the 256 values, so that no thread count or order can change a bit.
    """
    channels = images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for start in range(0, len(images), 4096):  # bounded memory on mapped files
        block = images[start : start + 4096]
        for channel in range(channels):
            counts[channel] += torch.bincount(block[:, channel].reshape(-1).to(torch.int64), minlength=256)
    weights = counts.double() / counts.sum(1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64) / 255.0
    mean = weights @ values
    variance = (weights * (values[None] - mean[:, None]) ** 2).sum(1)
    return mean.float(), variance.sqrt().clamp_min(1 / 255).float()
