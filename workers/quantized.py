"""A network's ONNX form in 8-bit integers: made of the other form, with training images to set its steps by, and
measured beside it. See webapp/networks/quantized.py for what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Q

from webapp.networks.exported import VALIDATION
from webapp.networks.models import Network
from workers import materials
from workers.exported import check, most, opened
from workers.making import Making

if TYPE_CHECKING:
    import numpy as np

IMAGES = 256  # training images that set the steps
LEAST = 32
WORK = 2 * 10**11  # multiply-adds that they may take
LATENCY = 1.0  # seconds given to both forms' pace

INT8 = Making("int8", "Quantizing it", Q(onnx_state=Network.Made.READY) & ~Q(onnx=""))


def quantize(network_id: int) -> None:
    """Make the 8-bit form of a network where that was requested."""
    INT8.make(network_id, _made)


def _made(network: Network) -> dict[str, Any]:
    """The fields of its file. Doing it twice leaves the same file."""
    from evolution_core.export import quantize as in_integers  # PyTorch: only where it is needed
    from evolution_core.measurement import latency_ms
    from evolution_core.measurement.exported import Exported, measure_exported, training_images
    from evolution_core.tasks import task_for
    from evolution_core.tasks.memory import images_at_once

    model, data = opened(network)
    task = task_for(data.task)
    count = min(len(data.train), max(LEAST, min(IMAGES, WORK // (network.macs or 1))))
    with TemporaryDirectory(dir=settings.WORK_ROOT, prefix="int8-") as folder:
        path = Path(folder) / "network.onnx"
        materials.copy_out(network.onnx, path, network.onnx_sha256)
        whole = path.read_bytes()
        together = images_at_once(model, data.shape, task.most_at_once)
        batches = training_images(data, Exported(whole, model), count, network.run.run_spec.seed, together)
        small = in_integers(whole, _until_stopped(batches), whole_last=data.task == "detection", folder=Path(folder))
        found = measure_exported(small, model, task, data.validation, data, most=most(network), check=check)
        times = latency_ms({"int8": small, "onnx": whole}, seconds=LATENCY)
        path.write_bytes(small)
        figures = {
            VALIDATION: found.to_json(),
            "latency_ms": round(times["int8"], 5),
            "onnx_latency_ms": round(times["onnx"], 5),
            "images": count,
        }
        stored = materials.store(path, f"runs/{network.run_id}/{network.name}.int8.onnx")
        return {"int8": stored, "int8_sha256": materials.sha256(path), "int8_figures": figures}


def _until_stopped(batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for batch in batches:
        check()
        yield batch
