"""What is made of a measured network for people: its ONNX form, and of a detector a form that puts out boxes and what
it finds in validation pictures."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db.models import F

from evolution_core.spec import EustressError
from webapp.dispatch import dispatch
from webapp.networks.models import Network
from workers import materials, pace, predictions
from workers.claims import patiently

SOURCE = "network.safetensors"
log = logging.getLogger(__name__)


def export_onnx(network_id: int) -> None:
    """Export a network whose ONNX form was requested, unless another process is at it (the sweeper may ask again)."""
    network = Network.objects.select_related("run__dataset").filter(pk=network_id).first()
    if network is None:
        return
    with suppress(materials.InUse), materials.alone(materials.run_folder(network.run), f"{network.name}.onnx"):
        _export_alone(network)


def _export_alone(network: Network) -> None:
    wanted = Network.objects.filter(
        pk=network.pk, onnx_state=Network.OnnxState.REQUESTED, state=Network.State.MEASURED
    ).exclude(file="")
    if not wanted.filter(attempts__lt=pace.ATTEMPTS).update(attempts=F("attempts") + 1):
        # attempts that killed their processes left their count behind; who asks again starts a new one
        message = "Exporting ended its worker, most likely for want of memory."
        wanted.update(onnx_state=Network.OnnxState.FAILED, onnx_message=message, attempts=0)
        return
    with TemporaryDirectory(dir=settings.WORK_ROOT, prefix="onnx-") as folder:
        try:
            path = _export(network, Path(folder))
            more = _for_boxes(network, Path(folder)) if network.run.dataset.task == "detection" else {}
        except EustressError as refusal:
            _settle(network.pk, onnx_state=Network.OnnxState.FAILED, onnx_message=str(refusal))
        except Exception:
            log.exception("Network %s could not be exported", network.pk)
            message = "An unexpected error; the worker's log has the details."
            _settle(network.pk, onnx_state=Network.OnnxState.FAILED, onnx_message=message)
        else:
            stored = materials.store(path, f"runs/{network.run_id}/{network.name}.onnx")
            digest = materials.sha256(path)
            ready = {"onnx_state": Network.OnnxState.READY, "onnx_message": ""}
            unmeasured = {"onnx_figures_state": Network.Made.REQUESTED, "onnx_figures": {}, "onnx_figures_message": ""}
            _settle(network.pk, **ready, onnx=stored, onnx_sha256=digest, **more, **unmeasured)
            dispatch("workers.measure_onnx", network.pk)


def _export(network: Network, folder: Path) -> Path:
    from evolution_core.architectures.onnx_import import deployed  # PyTorch: only where it is needed
    from evolution_core.export import export_onnx as write_onnx
    from evolution_core.genome import load_network

    source, target = folder / SOURCE, folder / "network.onnx"
    materials.copy_out(network.file, source)
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


@patiently
def _settle(network_id: int, **fields: Any) -> None:
    Network.objects.filter(pk=network_id).update(attempts=0, **fields)
