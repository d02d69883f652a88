"""How good an exported file is: the task's measure taken in ONNX Runtime, beside that of the network it was made of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from evolution_core.architectures.region import Region
from evolution_core.data.splits import spread_over
from evolution_core.spec import NetworkError

from .latency import session

if TYPE_CHECKING:
    from evolution_core.data import Data, Split
    from evolution_core.tasks import Task

COMPARED = 64  # images on which outputs are compared number by number
BATCH = 16


@dataclass(frozen=True)
class ExportedFigures:
    """The task's `metric` on the same `images` (spread over the `of` that there are) in both forms, as fractions.

    `onnx` is the file's in ONNX Runtime, `torch` the network's; `boxes` that of the file which decodes and suppresses
    inside, None where there is none. `difference` is the largest between the outputs of the two on the first `compared`
    of the images, `largest` the largest output there, beside which the difference is to be seen.
    """

    metric: str
    images: int
    of: int
    torch: float
    onnx: float
    boxes: float | None
    compared: int
    difference: float
    largest: float

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Exported(nn.Module):
    """An ONNX file as a module, so that a task measures it as it does any network. It computes in ONNX Runtime.

    Takes what the file takes; `like` is the network that the file was made of, whose region a detector's task asks for.
    """

    def __init__(self, content: bytes, like: nn.Module) -> None:
        super().__init__()
        self.session = session(content)
        self.source = self.session.get_inputs()[0].name
        self.takes_pixels = _takes_pixels(self.session)
        self.region = next((module for module in like.modules() if isinstance(module, Region)), None)

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run(None, {self.source: np.ascontiguousarray(images.numpy())})[0])


def measure_exported(
    content: bytes,
    model: nn.Module,
    task: Task,
    split: Split,
    data: Data,
    *,
    boxes: bytes | None = None,
    most: int = 10_000,
    check: Callable[[], None] = lambda: None,
) -> ExportedFigures:
    """Measure the file `content` and the `model` it was made of on at most `most` images of `split`.

    `data` has the pixel statistics that the model is fed with. `boxes` is a detector's other file. `check` is called
    between the parts; what it raises ends the measuring. Raises NetworkError when ONNX Runtime cannot run a file, or
    when what comes out of it is not finite.
    """
    from evolution_core.tasks.memory import images_at_once

    part = spread_over(split, most)
    together = images_at_once(model, data.shape, task.most_at_once)  # of both: nothing tells what a file needs
    file = Exported(content, model)
    fed = as_taken(data, file)
    try:
        difference, largest = _compared(file, model, part, fed, data)
        check()
        onnx = task.evaluate(file, part, fed, batch_size=together)[task.metric]
        check()
        own = task.evaluate(model, part, data, batch_size=together)[task.metric]
        check()
        put_out = task.evaluate_deployed(boxes, part, data)[task.metric] if boxes is not None else None
    except Exception as error:
        if type(error).__module__.startswith("onnxruntime"):  # a dozen types and no common base
            raise NetworkError(f"ONNX Runtime stopped: {str(error).splitlines()[0][:200]}") from None
        raise
    return ExportedFigures(
        task.metric, len(part), len(split), own, onnx, put_out, min(COMPARED, len(part)), difference, largest
    )


def _takes_pixels(runner: Any) -> bool:
    """Whether the file normalises pixels of 0..255 itself, as it says of itself."""
    about = json.loads(runner.get_modelmeta().custom_metadata_map.get("eustress", "{}"))
    return str(about.get("input", {}).get("range", "")).startswith("pixels")


def training_images(data: Data, file: Exported, count: int, seed: int, batch: int) -> Iterator[np.ndarray]:
    """float32 [n, C, H, W], `batch` at a time: at most `count` training images, drawn by seed, as `file` takes them."""
    from evolution_core.life.images import sample
    from evolution_core.tasks import pixels

    fed = as_taken(data, file)
    for images in sample(data, count, seed, "quantizing").images.split(batch):
        yield pixels.normalise(images, fed.mean, fed.std).contiguous().numpy()


def as_taken(data: Data, file: Exported) -> Data:
    """`data`, normalised as `file` takes images: by nothing, exactly, where it takes pixels."""
    channels = data.shape[0]
    if not file.takes_pixels:
        return data
    return dataclasses.replace(data, mean=torch.zeros(channels), std=torch.full((channels,), 1 / 255))


def _compared(file: Exported, model: nn.Module, part: Split, fed: Data, data: Data) -> tuple[float, float]:
    """(the largest difference, the largest output) over the first images. Raises NetworkError when the file puts out
    what is no number: of that, nothing could be compared."""
    from evolution_core.tasks import pixels

    difference = largest = 0.0
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for images in part.images[:COMPARED].split(BATCH):
                wanted = model(pixels.normalise(images, data.mean, data.std))
                given = file(pixels.normalise(images, fed.mean, fed.std))
                if not given.isfinite().all():
                    raise NetworkError("in ONNX Runtime it puts out numbers that are not finite")
                difference = max(difference, float((given - wanted).abs().max()))
                largest = max(largest, float(wanted.abs().max()))
    finally:
        model.train(was_training)
    return difference, largest
