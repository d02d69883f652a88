"""What workers keep of a look inside, for tests: six images of three classes, and a graph with a residual join."""

from __future__ import annotations

import io
import json
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from webapp.networks.inside_files import answers_name, filters_name, index_name, inside_name, pack_name
from webapp.networks.models import Network
from webapp.runs.models import Run

CLASSES = ["open", "closed", "point"]
LABELS = [0, 0, 1, 1, 2, 2]
# what each network says to each image, and how sure it is; the offspring loses image 1 and, less surely, image 3, is
# wrong otherwise than the ancestor on image 4, and wins image 5
ANCESTOR = ([0, 0, 1, 1, 0, 1], [990, 800, 900, 700, 600, 550])
OFFSPRING = ([0, 2, 1, 0, 1, 2], [980, 950, 910, 640, 500, 770])
PARTS = [
    {"name": "", "kind": "input", "sources": [], "output": [3, 32, 32]},
    {"name": "conv1", "kind": "conv 5x5", "sources": [0], "output": [8, 32, 32]},
    {"name": "conv2", "kind": "conv 5x5, 2 groups", "sources": [1], "output": [8, 16, 16]},
    {"name": "", "kind": "add", "sources": [1, 2], "output": [8, 16, 16]},
    {"name": "fc8", "kind": "full", "sources": [3], "output": [10]},
    {"name": "", "kind": "output", "sources": [4], "output": []},
]
ALIVE = [False, True, True, False]


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (4, 4), shade).save(out, "PNG")
    return out.getvalue()


def write_questions(run: Run, labels: list[int] | None = None, classes: list[str] | None = None) -> None:
    labels = LABELS if labels is None else labels
    pictures = [png(number % 256) for number in range(len(labels))]
    offsets = [0]
    for picture in pictures:
        offsets.append(offsets[-1] + len(picture))
    put(pack_name(run.pk), b"".join(pictures))
    index: dict[str, Any] = {"classes": classes or CLASSES, "images": 60, "labels": labels}
    put(index_name(run.pk), json.dumps(index | {"width": 32, "height": 32, "offsets": offsets}).encode())


def write_answers(network: Network, said: tuple[list[int], list[int]]) -> None:
    content = json.dumps({"classes": said[0], "sure": said[1]}).encode()
    name = put(answers_name(network.run_id, network.name), content)
    Network.objects.filter(pk=network.pk).update(answers=name, inside_state=Network.Made.READY)
    network.refresh_from_db()


def write_inside(network: Network, parts: list[dict[str, Any]] | None = None) -> None:
    filters = {"layer": "conv1", "columns": 2, "width": 5, "height": 5, "alive": ALIVE}
    value = {"parts": PARTS if parts is None else parts, "filters": filters}
    name = put(inside_name(network.run_id, network.name), json.dumps(value).encode())
    put(filters_name(network.run_id, network.name), png(127))
    Network.objects.filter(pk=network.pk).update(inside=name, inside_state=Network.Made.READY)
    network.refresh_from_db()


def write_all(run: Run, name: str = "5-2") -> Network:
    """Questions, both networks' answers, and a look inside the offspring, which is returned."""
    network = Network.objects.get(run=run, name=name)
    write_questions(run)
    write_answers(Network.objects.get(run=run, name="ancestor"), ANCESTOR)
    write_answers(network, OFFSPRING)
    write_inside(network)
    return network


def put(name: str, content: bytes) -> str:
    default_storage.delete(name)
    return default_storage.save(name, ContentFile(content))
