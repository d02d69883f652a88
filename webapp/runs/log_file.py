"""A run's whole log as a file: a line an event for people, or JSON for programs; read and sent in pieces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from webapp.live.reading import release_connections

from .models import Run, RunEvent
from .sentences import event_json, sentence

BATCH = 1000  # events read at once
TYPES = {"txt": "text/plain; charset=utf-8", "json": "application/json"}


def log_response(request: HttpRequest, run: Run, ending: str) -> HttpResponseBase:
    """The log as an attachment. `ending`: txt or json."""
    encode = {"txt": _text, "json": _json}[ending]
    pieces = _pieces(run, encode)
    body = _for_asgi(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(body, content_type=TYPES[ending])
    response["Content-Disposition"] = f'attachment; filename="log-{run.pk}.{ending}"'
    return response


def _pieces(run: Run, encode: Callable[[list[RunEvent], bool], str]) -> Iterator[bytes]:
    """Read by number, so that no query stays open while a slow reader takes it in."""
    after = 0
    while True:
        events = list(run.events.filter(number__gt=after).select_related("network").order_by("number")[:BATCH])
        text = encode(events, after == 0)
        if text:
            yield text.encode()
        if len(events) < BATCH:
            break
        after = events[-1].number
    if encode is _json:
        yield b"\n]\n"


def _text(events: list[RunEvent], first: bool) -> str:
    """Number, time (UTC), sentence."""
    return "".join(f"{e.number:>6}  {e.at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}  {sentence(e)}\n" for e in events)


def _json(events: list[RunEvent], first: bool) -> str:
    rows = [json.dumps(event_json(event), ensure_ascii=False) for event in events]
    return ("[\n" if first else ",\n" if rows else "") + ",\n".join(rows)


async def _for_asgi(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same without gathering it in memory first."""

    def take() -> bytes | None:
        try:
            return next(pieces, None)
        finally:
            release_connections()

    while (piece := await sync_to_async(take)()) is not None:
        yield piece
