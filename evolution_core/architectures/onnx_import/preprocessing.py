"""What an own network expects its pixels to be: told by the file, or found by trying.

Nothing in ONNX says whether a network was trained on 0..255, on 0..1 or on standardised pixels. A file
may tell it (metadata "mean" and "std", of pixels scaled to 0..1); otherwise each usual normalisation is
tried on a few training images and the one that the network recognises most with is taken.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evolution_core.tasks.pixels import normalise

if TYPE_CHECKING:
    from evolution_core.tasks import Data

    from .network import OwnNetwork

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEFAULT_IMAGES = 512


@dataclass(frozen=True)
class Normalisation:
    """A network is fed (pixel / 255 - mean) / std, per channel. `name` says it in words."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def tensors(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.mean), torch.tensor(self.std)


def candidate_normalisations(channels: int, mean: Tensor, std: Tensor) -> tuple[Normalisation, ...]:
    """The usual ones for 1 or 3 channels, and the data's own `mean` and `std` [channels]; the likeliest first.

    Of equals the first is taken, so "0 to 1" is the documented default.
    """
    gray = channels == 1
    imagenet_mean = (sum(IMAGENET_MEAN) / 3,) if gray else IMAGENET_MEAN
    imagenet_std = (sum(IMAGENET_STD) / 3,) if gray else IMAGENET_STD
    return (
        Normalisation("0 to 1", (0.0,) * channels, (1.0,) * channels),
        Normalisation("ImageNet's mean and deviation", imagenet_mean, imagenet_std),
        Normalisation("the data's own mean and deviation", tuple(mean.tolist()), tuple(std.tolist())),
        Normalisation("-1 to 1", (0.5,) * channels, (0.5,) * channels),
        Normalisation("0 to 255", (0.0,) * channels, (1.0 / 255.0,) * channels),
    )


def best_normalisation(network: OwnNetwork, data: Data, *, images: int = DEFAULT_IMAGES) -> Normalisation:
    """The file's own normalisation, or the one with the highest accuracy on `images` training images.

    The images are spread evenly over the training part; equal accuracies are told apart by the lower
    cross-entropy, then by order. With as many outputs as classes only: before a new head is trained
    (:func:`heads.fitted`) there is nothing to measure, and "0 to 1" is taken.
    """
    if network.normalisation is not None:
        return network.normalisation
    candidates = candidate_normalisations(network.shape[0], data.mean, data.std)
    if network.outputs != len(data.classes):
        return candidates[0]
    from .heads import fitted  # which imports the network, which imports this

    network = fitted(network, data.classes, seed=0)  # as many outputs: at most put in the data's order
    count = min(images, len(data.train))
    places = (torch.arange(count, dtype=torch.float64) * (len(data.train) / count)).long()
    pixels, targets = data.train.images.index_select(0, places), data.train.targets.index_select(0, places).long()
    scores = [_score(network, pixels, targets, candidate) for candidate in candidates]
    return max(zip(scores, candidates, strict=True), key=lambda pair: pair[0])[1]


def _score(network: OwnNetwork, pixels: Tensor, targets: Tensor, candidate: Normalisation) -> tuple[float, float]:
    """(accuracy, minus the cross-entropy) on uint8 [n, C, H, W]."""
    module, was_training = network.module, network.module.training
    module.eval()
    try:
        with torch.inference_mode():
            outputs = torch.cat([module(normalise(part, *candidate.tensors())) for part in pixels.split(64)])
    finally:
        module.train(was_training)
    loss = float(torch.nn.functional.cross_entropy(outputs.double(), targets))
    accuracy = float((outputs.argmax(1) == targets).double().mean())
    return accuracy, -loss if math.isfinite(loss) else -math.inf


def declared_normalisation(metadata: dict[str, str], channels: int) -> Normalisation | None:
    """The normalisation in the file's metadata: "mean" and "std" as numbers, one or one a channel.

    Numbers beyond 2 are taken to be of pixels 0..255. Files that Eustress exported say it under "eustress".
    Anything unreadable counts as not said.
    """
    if "eustress" in metadata:
        ours = _exported_by_us(metadata["eustress"])
        if ours is not None:
            metadata = metadata | ours
    mean, std = _numbers(metadata.get("mean"), channels), _numbers(metadata.get("std"), channels)
    if mean is None or std is None or min(std) <= 0:
        return None
    if max(*mean, *std) > 2.0:
        mean, std = [value / 255.0 for value in mean], [value / 255.0 for value in std]
    return Normalisation("the file's own", tuple(mean), tuple(std))


def exported_facts(text: str) -> dict[str, Any]:
    """What our own exporter wrote about the input and the classes; empty where it did not."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _exported_by_us(text: str) -> dict[str, str] | None:
    """ "mean" and "std" of an exported file: none of its own where it takes pixels and normalises them inside."""
    given = exported_facts(text).get("input")
    if not isinstance(given, dict):
        return None
    if given.get("range") == "pixels 0..255":
        return {"mean": "0", "std": repr(1.0 / 255.0)}
    if not given.get("mean") or not given.get("std"):
        return None
    return {"mean": json.dumps(given["mean"]), "std": json.dumps(given["std"])}


def _numbers(text: str | None, channels: int) -> list[float] | None:
    if not text or len(text) > 200:
        return None
    try:
        value = json.loads(text if text.lstrip().startswith("[") else f"[{text}]")
        numbers = [float(item) for item in value]
    except (ValueError, TypeError):
        return None
    if len(numbers) == 1:
        numbers *= channels
    return numbers if len(numbers) == channels and all(math.isfinite(number) for number in numbers) else None
