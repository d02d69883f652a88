"""What is made of a measured network for people: its ONNX form, and of a detector a form that puts out boxes and what
it finds in validation pictures."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from webapp.dispatch import dispatch
from webapp.networks.models import Network
from workers import materials, predictions
from workers.making import Making

SOURCE = "network.safetensors"
log = logging.getLogger(__name__)


ONNX = Making("onnx", "Exporting")


def export_onnx(network_id: int) -> None:
    """Export a network whose ONNX form was requested; then it is to be measured in that form."""
    if ONNX.make(network_id, _made):
        dispatch("workers.measure_onnx", network_id)


def _made(network: Network) -> dict[str, Any]:
    """The fields of its files. Doing it twice leaves the same."""
    with TemporaryDirectory(dir=settings.WORK_ROOT, prefix="onnx-") as folder:
        path = _export(network, Path(folder))
        boxes = _for_boxes(network, Path(folder)) if network.run.dataset.task == "detection" else {}
        stored = materials.store(path, f"runs/{network.run_id}/{network.name}.onnx")
        unmeasured = {"onnx_figures_state": Network.Made.REQUESTED, "onnx_figures": {}, "onnx_figures_message": ""}
        return {"onnx": stored, "onnx_sha256": materials.sha256(path), **boxes, **unmeasured}


def _export(network: Network, folder: Path) -> Path:
    from evolution_core.architectures.onnx_import import deployed  # PyTorch: only where it is needed
    from evolution_core.export import export_onnx as write_onnx
    from evolution_core.genome import load_network

    source, target = folder / SOURCE, folder / "network.onnx"
    materials.copy_out(network.file, source, network.sha256)
    loaded = load_network(source)
    write_onnx(deployed(loaded.model, loaded.genome.final), loaded.genome, target)
    return target


def _for_boxes(network: Network, folder: Path) -> dict[str, str]:
    """A detector's fields: the form with decoding and suppression inside, and its predictions, if they can be made."""
    from evolution_core.export import export_detector  # PyTorch: only where it is needed
    from evolution_core.genome import load_network

    loaded = load_network(folder / SOURCE)
    target = folder / "network.nms.onnx"
    export_detector(loaded.model, loaded.genome, target)
    stored = materials.store(target, f"runs/{network.run_id}/{network.name}.nms.onnx")
    fields = {"onnx_nms": stored, "onnx_nms_sha256": materials.sha256(target)}
    try:
        fields["predictions"] = predictions.keep(network, loaded)
    except Exception:  # pictures to look at are worth less than the network's files
        log.exception("What network %s finds could not be kept", network.pk)
    return fields
