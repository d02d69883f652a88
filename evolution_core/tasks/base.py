"""What a network is trained to do: one class for each task.

The engine knows a task only through :class:`Task`. Everything that differs between telling classes apart and finding
boxes (how many outputs, what a batch of targets is, the loss, the measure, how a picture may be varied without making
its target wrong) is behind this interface; the loop, the stress signals and the selection never ask which it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ..spec.errors import NetworkError
from . import photographs, pixels

if TYPE_CHECKING:
    from collections.abc import Sequence


class Split(Protocol):
    """A part of the data, in memory. `images` is uint8 [N, C, H, W]; `targets` is the task's own, indexed as images."""

    @property
    def images(self) -> Tensor: ...
    @property
    def targets(self) -> Any: ...
    def __len__(self) -> int: ...


class Data(Protocol):
    """What a task needs to know of the data: class names, pixel statistics (of 0..1) and the parts."""

    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def train(self) -> Split: ...
    @property
    def validation(self) -> Split: ...
    @property
    def mean(self) -> Tensor: ...
    @property
    def std(self) -> Tensor: ...


class Task(ABC):
    """The contract of a task. A task holds no state: every method is a function of its arguments.

    * `metric` names the one fraction (0..1, higher is better) that networks are compared by; `evaluate` returns it
      under that key, beside whatever else is worth showing.
    * `outputs` is how many numbers the last layer makes (channels of a map, for a detector).
    * `batch` picks the targets of a step from a split's; its result goes to `augment`, `loss` and `distil` unread.
    * `loss` gets the model too, because a detector keeps its anchors in it. It returns a scalar, the mean over the
      images of the batch, that is finite for finite outputs.
    * `augment` varies uint8 images *with* their targets (a mirrored picture has mirrored boxes).
    * Targets must not depend on the image size in pixels (boxes are fractions), so that `pixels.resize` may come last.
    """

    name: str
    metric: str
    most_at_once: int  # images that a network is measured on at once, where memory bears as many

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """How many outputs a network has for `classes` classes."""

    def prepare(self, model: nn.Module, data: Data, seed: int) -> None:
        """Give a new network, in place, what it has to know of its training data before it learns (a detector: the
        shapes that its boxes start from). Nothing by default."""
        return None

    @abstractmethod
    def batch(self, targets: Any, indices: Tensor) -> Any:
        """The targets of the images `indices` (int64 [B]) of a split."""

    @abstractmethod
    def loss(self, outputs: Any, targets: Any, model: nn.Module) -> Tensor:
        """Scalar training loss of a batch."""

    @abstractmethod
    def distil(self, outputs: Any, teacher: Any) -> Tensor:
        """Scalar loss that is least where `outputs` say what the teacher's do."""

    @abstractmethod
    def evaluate(
        self, model: nn.Module, split: Split, data: Data, *, limit: int | None = None, batch_size: int | None = None
    ) -> dict[str, float]:
        """Measure the model, in evaluation mode and without changing it, on a split's images: all, or `limit` of them
        spread evenly over it. `batch_size` at once: by default as many as memory bears, `most_at_once` at most."""

    def deployed(self, model: nn.Module, network: Any) -> bytes | None:
        """The ONNX file of all that a device has to compute, where that is more than the network itself (a detector's
        decoding and suppression); None where it is not. `network` is a genome, or an input shape (C, H, W)."""
        return None

    def evaluate_deployed(self, content: bytes, split: Split, data: Data) -> dict[str, float]:
        """What :meth:`evaluate` measures, of a file that :meth:`deployed` made, in ONNX Runtime. Raises NetworkError
        where the task knows no such files, or when ONNX Runtime cannot run this one."""
        raise NetworkError(f"for {self.name} the network itself is all that a device computes")

    @abstractmethod
    def chance(self, data: Data) -> float:
        """The metric that a network which has learnt nothing can reach: the floor of every comparison."""

    def augment(self, images: Tensor, targets: Any, kind: str, generator: torch.Generator) -> tuple[Tensor, Any]:
        """uint8 images [B, C, H, W] and their targets, varied; `kind` is one of catalogue.AUGMENTATIONS.

        Targets stay as they are: a shifted nine is a nine. Where they have a place in the image, the task has an
        `augment` of its own.
        """
        if kind == "none":
            return images, targets
        if kind == "photo":
            framed = photographs.framed_images(images, photographs.draw_frames(len(images), kind, generator))
            return photographs.vary_colours(framed, generator), targets
        batch, _, height, width = images.shape
        down = pixels.shifts(batch, height, generator)
        right = pixels.shifts(batch, width, generator)
        mirrored = pixels.coins(batch, generator) if kind == "flip-shift" else None
        return pixels.move(images, down, right, mirrored), targets
