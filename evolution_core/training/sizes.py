"""Image sizes of a training: small images first, and multi-scale, where the size changes every few steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..seeds import generator
from ..spec import RunSpec
from ..spec.catalogue import ARCHITECTURES
from ..tasks import pixels

EVERY = 10  # steps at one of several sizes, as YOLOv2 was trained (Redmon & Farhadi 2016, section 2)
MOST_SCALES = 9  # different sizes


def output_shape(model: nn.Module, shape: tuple[int, int, int]) -> tuple[int, ...] | None:
    """The shape of the output for two images of `shape`, in evaluation mode; None when the network does not take
    them. The model is left as it was."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return tuple(model(torch.zeros(2, *shape, device=device)).shape)
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return None  # a full layer of another width, or an image smaller than a window
    finally:
        model.train(was_training)


def accepts(model: nn.Module, shape: tuple[int, int, int], size: int) -> bool:
    """Whether `model`, made for images of `shape`, also works on images whose shorter side is `size` pixels: it must
    run, and still take two images as two (a hard-coded view may fold pixels into the batch)."""
    _, height, width = shape
    scale = size / min(height, width)
    usual, other = (
        output_shape(model, shape),
        output_shape(model, (shape[0], round(height * scale), round(width * scale))),
    )
    return usual is not None and other is not None and other[:2] == usual[:2] and len(other) == len(usual)


def scales_around(size: int, share: float, multiple: int) -> list[int]:
    """At most MOST_SCALES sizes from (1 - share) to (1 + share) of `size`, `size` among them, all as many multiples
    of `multiple` apart; only `size` where the share is less than one multiple."""
    reach = math.floor(share * size / multiple + 1e-9)
    stride = max(1, math.ceil(2 * reach / (MOST_SCALES - 1)))
    return [size + step * multiple for step in range(-(reach // stride) * stride, reach + 1, stride)]


class SizeSchedule:
    """The image size of each step: spec.progressive_size for the first spec.progressive_share of the steps, the full
    size after; and with spec.multi_scale one of the sizes around it, drawn from (seed, phase, step) every EVERY steps.

    What the network cannot take is left out, with a notice. `teacher_follows` says whether a teacher can take the
    same sizes; otherwise it is shown full-size images.
    """

    def __init__(
        self,
        model: nn.Module,
        shape: tuple[int, int, int],
        spec: RunSpec,
        steps: int,
        teacher: nn.Module | None = None,
        *,
        phase: str = "",
        seed: int = 0,
    ) -> None:
        self.notices: list[str] = []
        self._model, self._shape, self._phase, self._seed = model, shape, phase, seed
        self.full = min(shape[1:])
        self.first, self.until = self._first(spec, steps)
        self.sizes = {size: self._around(size, spec) for size in {self.first, self.full}}
        if spec.multi_scale and max(map(len, self.sizes.values())) == 1:
            self.notices.append(
                f"Multi-scale was ignored: within {spec.multi_scale:.0%} of {self.full} pixels there is no other size "
                "that this network takes."
            )
        used = {size for sizes in self.sizes.values() for size in sizes} - {self.full}
        self.teacher_follows = teacher is None or all(accepts(teacher, shape, size) for size in sorted(used))

    def _first(self, spec: RunSpec, steps: int) -> tuple[int, int]:
        """The size of the first steps, and how many they are."""
        wanted = spec.progressive_size
        if wanted is None or wanted >= self.full:
            return self.full, 0
        if not accepts(self._model, self._shape, wanted):
            self.notices.append(
                f"The first image size of {wanted} was ignored: this network only takes images of "
                f"{self._shape[2]}x{self._shape[1]} pixels."
            )
            return self.full, 0
        return wanted, round(spec.progressive_share * steps)

    def _around(self, size: int, spec: RunSpec) -> list[int]:
        card = ARCHITECTURES.get(spec.architecture)
        listed = scales_around(size, spec.multi_scale, card.size_multiple if card else 1)
        return [other for other in listed if other == size or accepts(self._model, self._shape, other)]

    def size_at(self, step: int) -> int:
        """The shorter side in pixels of the images of a step."""
        sizes = self.sizes[self.first if step < self.until else self.full]
        if len(sizes) == 1:
            return sizes[0]
        luck = generator(self._seed, self._phase, "size", step // EVERY)
        return sizes[int(torch.randint(len(sizes), (1,), generator=luck))]

    def apply(self, images: Tensor, step: int) -> Tensor:
        """Float images [B, C, H, W] at the size of the step."""
        return pixels.resize(images, self.size_at(step))
