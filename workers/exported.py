"""How good a network is in its ONNX form: measured by a worker once the file is there, and once more on the test images
when those have been opened for the network. See webapp/networks/exported.py for what is kept."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Q
from django.db.models.fields.files import FieldFile

from webapp.networks.exported import TEST, VALIDATION
from webapp.networks.models import Network
from webapp.runs.models import BaseFile
from workers import materials
from workers.claims import Interrupted, patiently
from workers.exports import SOURCE
from workers.making import Making
from workers.stopping import stopping

if TYPE_CHECKING:
    from torch import nn

    from evolution_core.data import Data

MOST = 10_000  # images of one part
LEAST = 64
WORK = 5 * 10**11  # multiply-adds that one part may take in one form: a quarter of a minute on a slow core

FIGURES = Making("onnx_figures", "Measuring it", Q(onnx_state=Network.Made.READY))


def measure_onnx(network_id: int) -> None:
    """Measure a network's ONNX form where that was requested."""
    FIGURES.make(network_id, _measure)


def _measure(network: Network) -> None:
    """Part by part, each put down at once: what has been measured is not measured again."""
    while not _is_done(network):
        network.refresh_from_db()
        if part := missing(network):
            FIGURES.settle(network.pk, onnx_figures=network.onnx_figures | {part: _measured(network, part)})


@patiently
def _is_done(network: Network) -> bool:
    """Ends the work where nothing is left of it, unless the test images have been opened since the row was read."""
    if missing(network):
        return False
    same = Network.objects.filter(pk=network.pk, test_accuracy=network.test_accuracy)
    return bool(same.update(onnx_figures_state=Network.Made.READY, onnx_figures_message="", onnx_figures_attempts=0))


def missing(network: Network) -> str | None:
    """The part on which the form is to be measured next; None when nothing is left."""
    parts = [VALIDATION] if network.test_accuracy is None else [VALIDATION, TEST]
    return next((part for part in parts if part not in network.onnx_figures), None)


def _measured(network: Network, part: str) -> dict[str, Any]:
    from evolution_core.measurement.exported import measure_exported  # PyTorch: only where it is needed
    from evolution_core.tasks import task_for

    model, data = opened(network)
    found = measure_exported(
        _content(network.onnx),
        model,
        task_for(data.task),
        data.validation if part == VALIDATION else data.test,
        data,
        boxes=_content(network.onnx_nms) if network.onnx_nms else None,
        most=most(network),
        check=check,
    )
    return found.to_json()


def opened(network: Network) -> tuple[nn.Module, Data]:
    """The network as its ONNX form was made of it, and its run's data with the statistics that it is fed by."""
    from evolution_core.architectures.onnx_import import deployed
    from evolution_core.genome import load_network
    from evolution_core.life.images import seen_as

    run = network.run
    with TemporaryDirectory(dir=settings.WORK_ROOT, prefix="figures-") as folder:
        source = Path(folder) / SOURCE
        materials.copy_out(network.file, source, network.sha256)
        loaded = load_network(source)
    brought = materials.brought_file(run, BaseFile.Kind.ONNX, run.run_spec.own)
    data = seen_as(materials.data_for(run, brought, check), loaded.genome.mean, loaded.genome.std)
    return deployed(loaded.model, loaded.genome.final), data


def most(network: Network) -> int:
    """On how many images of a part a form is measured."""
    return max(LEAST, min(MOST, WORK // (network.macs or 1)))


def _content(stored: FieldFile) -> bytes:
    with stored.open("rb") as file:
        return file.read()


def check() -> None:
    """Raises Interrupted once this worker is asked to stop."""
    if stopping.is_set():
        raise Interrupted
