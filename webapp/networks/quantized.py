"""How good a network is in 8-bit integers, as a worker measured it, in words.

`Network.int8_figures` holds {"validation": evolution_core's ExportedFigures, "latency_ms", "onnx_latency_ms" (in turns
on the worker), "images": how many training images set its steps}.
"""

from __future__ import annotations

from collections.abc import Iterator

from webapp.networks import exported
from webapp.networks.models import Network
from webapp.runs.templatetags.figures import compared, milliseconds, percent, points


def sentences(network: Network, metric: str) -> Iterator[str]:
    """What the 8-bit file is worth beside the network in PyTorch, and how fast it is beside the other file."""
    figures = network.int8_figures if isinstance(network.int8_figures, dict) else {}
    found = exported.readable(figures.get(exported.VALIDATION))
    if found is not None:
        yield (
            f"{percent(found['onnx'], 2)} {metric} on {exported.of_images(found)} validation images, "
            f"{points(100 * (found['onnx'] - found['torch']))} points against PyTorch."
        )
    if isinstance(figures.get("images"), int):
        yield f"Its steps were set by {figures['images']:,} training images."
    own, other = figures.get("latency_ms"), figures.get("onnx_latency_ms")
    if isinstance(own, (int, float)) and isinstance(other, (int, float)) and own > 0:
        pace = compared(other / own, "milliseconds")
        joint = "as" if pace == "the same" else "than"
        yield f"{milliseconds(own)} an image on the worker, {pace} {joint} in float32."
