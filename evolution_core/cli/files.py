"""The commands that work on one network file: measure and export."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..spec import NetworkError, SpecError
from .terminal import aligned

if TYPE_CHECKING:
    from ..genome import LoadedNetwork


def measure_command(options: argparse.Namespace) -> int:
    """Print what a network costs, its latency in turns with another's where one is given."""
    from ..export import export_onnx
    from ..measurement import latency_ms, measure
    from ..tasks import task_for

    network = _load(options.file)
    other = _load(options.against) if options.against else None
    against = export_onnx(other.model, other.genome.shape) if other else None
    found = measure(network.model, network.genome.shape, against)
    told: dict[str, Any] = {
        "id": network.genome.id,
        "generation": network.genome.generation,
        "parents": list(network.genome.parents),
        "architecture": network.genome.architecture,
        "task": network.genome.task,
        "input": list(network.genome.shape),
        "classes": list(network.genome.classes),
        "parameters": found.parameters,
        "macs": found.macs,
        "bytes": found.bytes,
        "peak_activation_bytes": found.peak_activation_bytes,
        "latency_ms": found.latency_ms,
        "clusters": network.clusters.counts(),
        "layers": found.layers,
    }
    whole = task_for(network.genome.task).deployed(network.model, network.genome)
    if whole is not None:
        told["whole_latency_ms"] = latency_ms({"network": whole}, seconds=1.0)["network"]
    if network.masks:
        told["masked_synapses"] = sum(int((~mask).sum()) for mask in network.masks.values())
    if against is not None:
        told["against_latency_ms"] = found.ancestor_latency_ms
        told["speed_up"] = found.speed_up
    print(json.dumps(told, indent=1) if options.json else _told(told))
    return 0


def _told(about: dict[str, Any]) -> str:
    genome = f"{about['id']}, generation {about['generation']}, from {about['architecture']}"
    lines = [
        f"{genome}; input {'x'.join(str(side) for side in about['input'])}, {len(about['classes'])} classes",
        f"parameters        {about['parameters']:,}",
        f"multiply-adds     {about['macs']:,} (one image; one multiply-add is one)",
        f"bytes             {about['bytes']:,} (tensors as saved)",
        f"peak activations  {about['peak_activation_bytes']:,} bytes",
        f"latency           {about['latency_ms']:.4f} ms (one image, one thread, ONNX Runtime)",
    ]
    if "whole_latency_ms" in about:
        lines.append(f"whole             {about['whole_latency_ms']:.4f} ms (with decoding and suppression of boxes)")
    if "masked_synapses" in about:
        lines.append(f"masked synapses   {about['masked_synapses']:,} (zero, but still there)")
    if "speed_up" in about:
        lines.append(f"against           {about['against_latency_ms']:.4f} ms: {about['speed_up']:.2f}x faster")
    rows = [("layer", "kind", "clusters", "parameters", "multiply-adds", "ms")]
    rows += [
        (
            row["layer"],
            row["kind"],
            str(row["clusters"] or ""),
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            f"{row['milliseconds']:.4f}" if "milliseconds" in row else "",
        )
        for row in about["layers"]
    ]
    return "\n".join([*lines, aligned(rows, left={0, 1})])


def _export_onnx(network: LoadedNetwork, path: Path) -> None:
    """With class names and input normalisation inside, and with the last step that an own network's file had."""
    from ..architectures.onnx_import import deployed
    from ..export import export_onnx

    export_onnx(deployed(network.model, network.genome.final), network.genome, path)


def _export_genome(network: LoadedNetwork, path: Path) -> None:
    from ..records import write_json

    write_json(path, json.loads(network.genome.to_json()))


def _export_boxes(network: LoadedNetwork, path: Path) -> None:
    """A detector with decoding and suppression inside; NetworkError for any other network."""
    from ..export import export_detector

    export_detector(network.model, network.genome, path)


def _export_integers(network: LoadedNetwork, path: Path, data: str) -> None:
    """In 8-bit integers, whose steps are set by training images of `data`."""
    from ..architectures.onnx_import import deployed
    from ..data import load
    from ..export import export_onnx, quantize
    from ..export.onnx_file import write_atomically
    from ..life.images import seen_as
    from ..measurement.exported import Exported, training_images
    from ..spec import RunSpec
    from ..tasks import task_for
    from ..tasks.memory import images_at_once

    genome = network.genome
    images = seen_as(load(Path(data), spec=RunSpec(), shape=genome.shape), genome.mean, genome.std)
    model = deployed(network.model, genome.final)
    whole = export_onnx(model, genome)
    together = images_at_once(model, genome.shape, task_for(genome.task).most_at_once)
    batches = training_images(images, Exported(whole, model), QUANTIZED_BY, 0, together)
    write_atomically(path, quantize(whole, batches, whole_last=genome.task == "detection"))


QUANTIZED_BY = 256  # training images
INTEGERS = "onnx-int8"
EXPORTS: dict[str, Callable[[LoadedNetwork, Path], None]] = {
    "onnx": _export_onnx,
    "onnx-nms": _export_boxes,
    "genome": _export_genome,
}


def export_command(options: argparse.Namespace) -> int:
    out = Path(options.out)
    if out.is_dir() or not out.parent.is_dir():
        raise SpecError({"--out": f"{out} cannot be written; name a file in a folder that exists"})
    if (options.format == INTEGERS) != (options.data is not None):
        raise SpecError({"--data": f"goes with --format {INTEGERS}, which needs the images that it was trained on"})
    network = _load(options.file)
    if options.format == INTEGERS:
        _export_integers(network, out, options.data)
    else:
        EXPORTS[options.format](network, out)
    print(out)
    return 0


def _load(name: str) -> LoadedNetwork:
    """The network in a file. SpecError or NetworkError names the file."""
    from ..genome import load_network

    if not Path(name).is_file():
        raise SpecError({name: "is not a file"})
    try:
        return load_network(name)
    except NetworkError as error:
        raise NetworkError(f"{name}: {error}") from None
