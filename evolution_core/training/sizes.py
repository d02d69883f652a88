"""Progressive image size: small images first, which is faster and often as good."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..spec import RunSpec
from ..tasks import pixels


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


class SizeSchedule:
    """The image size of each step: spec.progressive_size for the first spec.progressive_share of the steps.

    Ignored, with a notice, when the network cannot take the smaller images. `teacher_follows` says whether a teacher
    can take them; otherwise it is shown full-size ones.
    """

    def __init__(
        self, model: nn.Module, shape: tuple[int, int, int], spec: RunSpec, steps: int, teacher: nn.Module | None = None
    ) -> None:
        self.notices: list[str] = []
        self.size, self.until, self.teacher_follows = 0, 0, True
        wanted = spec.progressive_size
        if wanted is None or wanted >= min(shape[1:]):
            return
        if not accepts(model, shape, wanted):
            self.notices.append(
                f"The first image size of {wanted} was ignored: this network only takes images of "
                f"{shape[2]}x{shape[1]} pixels."
            )
            return
        self.size, self.until = wanted, round(spec.progressive_share * steps)
        self.teacher_follows = teacher is None or accepts(teacher, shape, wanted)

    def apply(self, images: Tensor, step: int) -> Tensor:
        """Float images [B, C, H, W], resized if `step` is one of the first."""
        return pixels.resize(images, self.size) if step < self.until else images
