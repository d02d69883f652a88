"""Taking a network away: its files, streamed from storage, with a name that says what they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.core.files.storage import Storage
from django.core.handlers.asgi import ASGIRequest
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from webapp.networks import header
from webapp.networks.models import Network

CHUNK = 256 * 1024
KINDS = {
    "safetensors": ".safetensors",
    "genome": ".genome.json",
    "onnx": ".onnx",
    "onnx-nms": ".nms.onnx",
    "onnx-int8": ".int8.onnx",
    "card": ".md",
    "card-json": ".card.json",
}


@dataclass(frozen=True)
class Download:
    """One file offered on a network's page. `size` is bytes; `state` says why it is not there yet."""

    kind: str
    label: str
    summary: str
    url: str = ""
    size: int | None = None
    sha256: str = ""
    state: str = ""
    message: str = ""
    make: str = ""  # the address that asks for it, by POST
    more: tuple[tuple[str, str], ...] = ()  # the same in other forms: (label, address)
    worth: tuple[str, ...] = ()  # how good it is in this form, in sentences


def file_name(network: Network, kind: str) -> str:
    """RUN-NETWORK.ENDING in plain ASCII, so that no browser or shell stumbles over it."""
    run = re.sub(r"[^A-Za-z0-9]+", "-", network.run.name).strip("-").lower()[:60] or f"run-{network.run_id}"
    return f"{run}-{network.name}{KINDS[kind]}"


def download_response(request: HttpRequest, network: Network, kind: str) -> HttpResponseBase:
    """The file as an attachment. Raises Http404 where there is none; the caller has checked who asks."""
    if kind == "genome":
        return _genome(network)
    if kind in ("card", "card-json"):
        return _card(network, kind)
    if kind not in KINDS:
        raise Http404("There is no such file.")
    fields: dict[str, tuple[FieldFile, str, str]] = {
        "safetensors": (network.file, network.sha256, Network.Made.READY),
        "onnx": (network.onnx, network.onnx_sha256, network.onnx_state),
        "onnx-nms": (network.onnx_nms, network.onnx_nms_sha256, network.onnx_state),
        "onnx-int8": (network.int8, network.int8_sha256, network.int8_state),
    }
    field, digest, state = fields[kind]
    if not field or state != Network.Made.READY:
        raise Http404("There is no such file.")
    response = stored_file(request, field.storage, str(field.name))
    if digest:
        response["ETag"] = f'"{digest}"'
    return _attached(response, file_name(network, kind))


def stored_file(request: HttpRequest, storage: Storage, name: str) -> HttpResponseBase:
    """Streams a stored file in pieces, whatever its size; under ASGI without gathering it in memory first."""
    try:
        file = storage.open(name, "rb")
        size = storage.size(name)
    except FileNotFoundError:
        raise Http404("The file is gone from the storage.") from None
    if not isinstance(request, ASGIRequest):
        return FileResponse(file, content_type="application/octet-stream")  # type: ignore[arg-type]
    response = StreamingHttpResponse(_pieces(file), content_type="application/octet-stream")  # type: ignore[arg-type]
    response["Content-Length"] = str(size)
    return response


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with contextlib.closing(file):
        while piece := await asyncio.to_thread(file.read, CHUNK):
            yield piece


def _genome(network: Network) -> HttpResponse:
    genome = read_genome(network)
    if genome is None:
        raise Http404("There is no genome to take.")
    content = json.dumps(genome, indent=1)
    response = HttpResponse(content, content_type="application/json")
    return _attached(response, file_name(network, "genome"))  # type: ignore[return-value]


def _card(network: Network, kind: str) -> HttpResponseBase:
    from webapp.networks.card import card_response  # it needs this module's names of files

    if network.state != Network.State.MEASURED:
        raise Http404("There is no card before it has been measured.")
    return _attached(card_response(network, kind), file_name(network, kind))


def read_genome(network: Network) -> dict[str, Any] | None:
    """The genome from the network's file; None where the file is missing or damaged."""
    if not network.file:
        return None
    try:
        with network.file.open("rb") as file:
            return header.genome(file)  # type: ignore[arg-type]  # Django's File reads as one
    except (OSError, header.HeaderError):
        return None


def _attached(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    return response


def stored_size(field: FieldFile) -> int | None:
    try:
        return field.size if field else None
    except OSError:
        return None
