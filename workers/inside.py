"""What a measured network is like inside, and what it answers: its wiring, its first filters, its answers on validation
images. Kept for its page and for comparisons; see webapp/networks/inside_files.py for the files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from evolution_core.records import ANCESTOR
from webapp.networks.inside_files import answers_name, filters_name, index_name, inside_name, pack_name, read_json
from webapp.networks.models import Network
from webapp.runs.models import BaseFile, Run
from workers import materials
from workers.making import Making

if TYPE_CHECKING:
    from evolution_core.data import Data
    from evolution_core.genome import LoadedNetwork

MOST = 10_000  # validation images that are asked about
LEAST = 200
WORK = 10**12  # multiply-adds that asking the ancestor about all of them may take: half a minute on a slow core
SIDE = 96  # pixels of a thumbnail's longer side
EXACT = 48  # pixels a side up to which thumbnails are kept without loss
QUALITY = 85
COLUMNS = 16  # of filters, at most

INSIDE = Making("inside", "Looking inside")


def look_inside(network_id: int) -> None:
    """Look into a network where that was requested."""
    INSIDE.make(network_id, _made)


def _made(network: Network) -> dict[str, str]:
    """The storage names of what was made, by the fields that hold them. Doing it twice leaves the same files."""
    with TemporaryDirectory(dir=settings.WORK_ROOT, prefix="inside-") as folder:
        own = _loaded(network, Path(folder))
        made = {"inside": _keep_inside(network, own, Path(folder))}
    if network.run.dataset.task == "classification":
        made["answers"] = _keep_answers(network, own)
    return made


def _loaded(network: Network, folder: Path) -> LoadedNetwork:
    from evolution_core.genome import load_network  # PyTorch: only where it is needed

    path = folder / f"{network.name}.safetensors"
    materials.copy_out(network.file, path, network.sha256)
    return load_network(path)


# --- wiring and filters -------------------------------------------------------------------


def _keep_inside(network: Network, own: LoadedNetwork, folder: Path) -> str:
    from evolution_core.measurement.wiring import wiring

    parts = wiring(own.model, own.genome.shape)
    value: dict[str, Any] = {"parts": [part.to_json() for part in parts], "filters": None}
    first = next((part.name for part in parts if part.name and part.sources == (0,)), None)
    if first is not None:
        value["filters"] = _keep_filters(network, own, folder, first)
    return _save(inside_name(network.run_id, network.name), _json(value))


def _keep_filters(network: Network, own: LoadedNetwork, folder: Path, layer: str) -> dict[str, Any] | None:
    """Store the first layer's filters in one picture, in rows; None where they are no pictures."""
    from evolution_core.genome.filters import first_filters

    elder = Network.objects.filter(run=network.run_id, name=ANCESTOR).exclude(file="").first()
    ancestor = own if elder is None or elder.pk == network.pk else _loaded(elder, folder)
    found = first_filters(own, ancestor, layer)
    if found is None:
        return None
    pictures = found.pictures.numpy()
    count, height, width, channels = pictures.shape
    rows = -(-count // COLUMNS)
    columns = -(-count // rows)
    sheet = np.full((rows * columns, height, width, channels), 127, np.uint8)
    sheet[:count] = pictures
    sheet = sheet.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    whole = sheet.reshape(rows * height, columns * width, channels)
    out = io.BytesIO()
    Image.fromarray(whole[..., 0] if channels == 1 else whole).save(out, "PNG", optimize=True)
    _save(filters_name(network.run_id, network.name), out.getvalue())
    return {"layer": layer, "columns": columns, "width": width, "height": height, "alive": list(found.alive)}


# --- answers ------------------------------------------------------------------------------


def _keep_answers(network: Network, own: LoadedNetwork) -> str:
    import torch

    from evolution_core.life.images import seen_as
    from evolution_core.tasks.classification import answers

    run = network.run
    brought = materials.brought_file(run, BaseFile.Kind.ONNX, run.run_spec.own)
    data = seen_as(materials.data_for(run, brought, lambda: None), own.genome.mean, own.genome.std)
    rows = _questions(run, data)
    classes, sure = answers(own.model, data.validation.images, data, rows=torch.tensor(rows, dtype=torch.long))
    value = {"classes": classes.tolist(), "sure": (sure * 1000).round().int().tolist()}
    return _save(answers_name(run.pk, network.name), _json(value))


def _questions(run: Run, data: Data) -> list[int]:
    """Which validation images the run's networks are asked about; the first time they are stored, with thumbnails.

    The same for every network of the run: they follow from the data and the ancestor's cost alone.
    """
    from evolution_core.data.splits import spread_rows

    cost = Network.objects.filter(run=run, name=ANCESTOR).values_list("macs", flat=True).first() or 1
    rows = spread_rows(len(data.validation), max(LEAST, min(MOST, WORK // cost)))
    if not _are_stored(run, rows):
        with materials.alone(materials.run_folder(run), "validation"):
            if not _are_stored(run, rows):  # another worker may just have done it
                _store_questions(run, data, rows)
    return rows


def _are_stored(run: Run, rows: list[int]) -> bool:
    known = read_json(index_name(run.pk))
    return isinstance(known, dict) and len(known["labels"]) == len(rows)


def _store_questions(run: Run, data: Data, rows: list[int]) -> None:
    """The pack first, the index last: where the index is, all is there."""
    _, height, width = data.shape
    offsets, pieces = [0], []
    for row in rows:
        pieces.append(thumbnail(data.validation.images[row].numpy()))
        offsets.append(offsets[-1] + len(pieces[-1]))
    _save(pack_name(run.pk), b"".join(pieces))
    index = {
        "classes": list(data.classes),
        "images": len(data.validation),
        "labels": [int(data.validation.targets[row]) for row in rows],
        "width": width,
        "height": height,
        "offsets": offsets,
    }
    _save(index_name(run.pk), _json(index))


def thumbnail(pixels: np.ndarray) -> bytes:
    """An image uint8 [C, H, W], as networks see it: small ones as PNG, larger ones scaled down, as JPEG."""
    shown = pixels[0] if pixels.shape[0] == 1 else pixels[:3].transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(shown))
    out = io.BytesIO()
    if max(image.size) <= EXACT:
        image.save(out, "PNG")
    else:
        image.thumbnail((SIDE, SIDE))
        image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _save(name: str, content: bytes) -> str:
    default_storage.delete(name)
    return default_storage.save(name, ContentFile(content))
