"""Finding and naming objects: YOLOv2's loss and COCO's average precision, behind the interface of every task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evolution_core.architectures.region import ANCHORS, channels_for, region_of
from evolution_core.data.splits import spread_rows
from evolution_core.spec import DataError

from .. import layouts, memory, pixels
from ..base import Data, Split, Task
from ..photographs import draw_frames, framed_images, vary_colours
from .anchors import find_anchors
from .augmentation import framed_targets
from .decoding import Detections, detect, raw
from .loss import yolo_loss
from .metrics import average_precision, precision_and_recall

FAINT = 0.005  # confidence from which detections count for average precision
AT_ONCE = 64  # images, at most
OVERLAP = 0.45  # boxes of one class that overlap more are the same object


class Detection(Task):
    """Outputs are maps [B, 5 * (5 + K), H, W]; targets are lists of [n, 5] class, centre x, y, width, height (0..1)."""

    name = "detection"
    metric = "map50"
    most_at_once = AT_ONCE

    def outputs(self, classes: int) -> int:
        return channels_for(classes)

    def prepare(self, model: nn.Module, data: Data, seed: int) -> None:
        """Give a new detector the box shapes of its training data."""
        sizes = torch.cat([torch.zeros(0, 2), *(boxes[:, 3:5] for boxes in data.train.targets)])
        region = region_of(model)
        with torch.no_grad():
            region.anchors.copy_(find_anchors(sizes, len(region.anchors), seed))

    def batch(self, targets: list[Tensor], indices: Tensor) -> list[Tensor]:
        return [targets[index] for index in indices.tolist()]

    def loss(self, outputs: Tensor, targets: list[Tensor], model: nn.Module) -> Tensor:
        return yolo_loss(outputs, targets, region_of(model).anchors)

    def distil(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Squared differences of what the maps mean, where the teacher sees objects (our formalisation): objectness
        everywhere, places, sizes and class probabilities weighted by the teacher's objectness; a mean over images."""
        anchors = outputs.new_zeros(ANCHORS, 2)  # only their number matters here, not their shapes
        ours, aim = raw(outputs, anchors), raw(teacher, anchors).detach()
        weight = torch.sigmoid(aim[..., 4])
        objectness = (torch.sigmoid(ours[..., 4]) - weight).square()
        places = (torch.sigmoid(ours[..., :2]) - torch.sigmoid(aim[..., :2])).square().sum(-1)
        sizes = (ours[..., 2:4] - aim[..., 2:4]).square().sum(-1)
        ours_log, aim_log = F.log_softmax(ours[..., 5:], -1), F.log_softmax(aim[..., 5:], -1)
        classes = F.kl_div(ours_log, aim_log, reduction="none", log_target=True).sum(-1)
        return (objectness + weight * (places + sizes + classes)).sum() / len(outputs)

    def evaluate(
        self, model: nn.Module, split: Split, data: Data, *, limit: int | None = None, batch_size: int | None = None
    ) -> dict[str, float]:
        """`map50`, `map`, `precision`, `recall`, each also as NAME/CLASS, and `boxes/CLASS`. Raises DataError on an
        empty split."""
        rows = spread_rows(len(split), limit or len(split))
        if not rows:
            raise DataError("there are no images to measure detections on")
        chosen = torch.tensor(rows)
        found = detections(model, split.images, data, rows=chosen, threshold=FAINT, batch_size=batch_size)
        truths = [split.targets[row] for row in rows]
        return average_precision(found, truths, data.classes) | precision_and_recall(found, truths, data.classes)

    def deployed(self, model: nn.Module, network: Any) -> bytes | None:
        """The form with decoding and suppression inside. Raises NetworkError when nothing can export it."""
        from evolution_core.export.detector import export_detector

        return export_detector(model, network)

    def evaluate_deployed(self, content: bytes, split: Split, data: Data) -> dict[str, float]:
        """Of the form with decoding and suppression inside, image by image, at the confidence of :meth:`evaluate`."""
        found = deployed_detections(content, split.images, threshold=FAINT, overlap=OVERLAP)
        truths = list(split.targets)
        return average_precision(found, truths, data.classes) | precision_and_recall(found, truths, data.classes)

    def chance(self, data: Data) -> float:
        """Boxes drawn blindly hit next to nothing."""
        return 0.0

    def augment(self, images: Tensor, targets: list[Tensor], kind: str, generator: torch.Generator) -> Any:
        """Images and boxes framed anew; "photo" also varies colours. Boxes cut off by a frame keep what shows."""
        if kind == "none":
            return images, targets
        frames = draw_frames(len(images), kind, generator)
        images, targets = framed_images(images, frames), framed_targets(targets, frames)
        return (vary_colours(images, generator) if kind == "photo" else images), targets


def detections(
    model: nn.Module,
    images: Tensor,
    data: Data,
    *,
    rows: Tensor | None = None,
    threshold: float = 0.25,
    overlap: float = OVERLAP,
    batch_size: int | None = None,
) -> list[Detections]:
    """What `model` finds in the uint8 `images` [N, C, H, W], or in their `rows` (int64 [n]); the model's mode is
    restored."""
    anchors = region_of(model).anchors
    found: list[Detections] = []
    for outputs in _maps(model, images, data, rows, batch_size):
        found += detect(outputs, anchors, threshold=threshold, overlap=overlap)
    return found


def deployed_detections(content: bytes, images: Tensor, *, threshold: float, overlap: float) -> list[Detections]:
    """What a file that puts out boxes finds in uint8 images [N, C, H, W], in ONNX Runtime."""
    from evolution_core.measurement.latency import session

    runner = session(content)
    limits = {
        "score_threshold": np.array([threshold], np.float32),
        "overlap_threshold": np.array([overlap], np.float32),
    }
    height, width = images.shape[-2:]
    sides = np.array([width, height] * 2, np.float32)
    found = []
    for image in images.split(1):
        feed = {runner.get_inputs()[0].name: image.float().numpy(), **limits}
        boxes, scores, classes = runner.run(["boxes", "scores", "classes"], feed)
        found.append(Detections(*(torch.from_numpy(part) for part in (boxes / sides, scores, classes))))
    return found


def _maps(
    model: nn.Module, images: Tensor, data: Data, rows: Tensor | None, batch_size: int | None
) -> Iterator[Tensor]:
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    modes = {module: module.training for module in model.modules()}
    shape = (images.shape[1], images.shape[2], images.shape[3])
    layout = layouts.layout_for(model, shape)
    batch_size = batch_size or memory.images_at_once(model, shape, AT_ONCE)
    model.eval()
    try:
        with torch.inference_mode():
            for batch in pixels.batches(images, rows, batch_size):
                yield model(pixels.normalise(batch.to(device), data.mean, data.std, layout))
    finally:
        for module, mode in modes.items():
            module.training = mode
