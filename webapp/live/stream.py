"""A run's events as server-sent events: replay from a number, then follow live until the run has ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from webapp.live import hub as hubs
from webapp.live.permission import while_allowed
from webapp.live.reading import BATCH, Change, events_after, has_ended, living, release_connections

HEARTBEAT = 15.0  # seconds of silence after which a comment keeps proxies from hanging up
MOST = 400  # streams a process carries at once: each holds a connection and a thread, also for who has only a link
RETRY = 3000  # milliseconds after which a browser comes back


def event_stream(request: HttpRequest, run_id: int, allowed: Callable[[], bool]) -> HttpResponseBase:
    """The stream of one run; the caller has decided that this person may see it now.

    `allowed` (which may ask the database) is asked again and again: permission can end sooner than the run.

    Starts after the number in Last-Event-ID (a browser that comes back) or `?after=`. Outside ASGI a stream would
    block a whole worker: there it answers 501 and the page polls instead, as it does at 503 when too many are open.
    """
    if not isinstance(request, ASGIRequest):
        return HttpResponse("No stream here; ask for events.json instead.", status=501, content_type="text/plain")
    if hubs.hub().viewers >= MOST:
        text = "Too many streams are open; ask for events.json instead."
        busy = HttpResponse(text, status=503, content_type="text/plain", headers={"Retry-After": "60"})
        busy._has_been_logged = True  # type: ignore[attr-defined]  # an answer, no error of ours
        return busy
    after = _number(request.headers.get("Last-Event-ID") or request.GET.get("after"))
    response = StreamingHttpResponse(
        while_allowed(stream(run_id, after), allowed), content_type="text/event-stream; charset=utf-8"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


def events_json(request: HttpRequest, run_id: int) -> JsonResponse:
    """The same for a page that polls: {"events", "last", "more", "living", "ended"}. `more`: ask again at once."""
    after = _number(request.GET.get("after"))
    ended = has_ended(run_id)  # before the events, so that none written before the end is missed
    changes = events_after(run_id, after)
    lives = living([run_id]).get(run_id, {"networks": []})
    response = JsonResponse(
        {
            "events": [change.data for change in changes],
            "last": changes[-1].number if changes else after,
            "more": len(changes) == BATCH,
            "living": lives["networks"],
            "ended": ended,
        }
    )
    response["Cache-Control"] = "no-store"
    return response


def _number(text: str | None) -> int:
    """A number of an event; whatever else was sent means from the beginning."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


async def stream(run_id: int, after: int, heartbeat: float = HEARTBEAT) -> AsyncGenerator[bytes, None]:
    """Replay, then follow. Subscribes before it replays, so that nothing falls between; numbers tell repeats."""
    reader = hubs.hub()
    subscription = await reader.subscribe(run_id)
    try:
        yield f"retry: {RETRY}\n\n".encode()
        async for change in _replay(run_id, after):
            after = change.number or after
            yield encode(change)
        if await _query(has_ended, run_id):
            async for change in _replay(run_id, after):
                yield encode(change)
            yield encode(Change(run_id, "end"))
            return
        lives = (await _query(living, [run_id])).get(run_id)
        if lives:
            yield encode(Change(run_id, "living", None, lives))
        async for news in _follow(subscription, after, heartbeat):
            if news is None:
                yield b": still here\n\n"
                continue
            if news.kind == "living" and news.number is None:
                if news.data == lives:
                    continue  # the reader's first look says what we have just said
                lives = news.data
            yield encode(news)
            if news.kind == "end" and news.number is None:
                return
    finally:
        reader.unsubscribe(subscription)


async def _follow(subscription: hubs.Subscription, after: int, heartbeat: float) -> AsyncIterator[Change | None]:
    """Changes as they come, None for a silence. After an overflow or a gap, what was missed is read again."""
    while True:
        try:
            change = await asyncio.wait_for(subscription.queue.get(), heartbeat)
        except TimeoutError:
            yield None
            continue
        if subscription.lagging or (change.number or 0) > after + 1:  # numbers have no gaps
            subscription.lagging = False
            async for missed in _replay(subscription.run_id, after):
                after = missed.number or after
                yield missed
        if change.number is not None:
            if change.number <= after:
                continue
            after = change.number
        yield change


async def _replay(run_id: int, after: int) -> AsyncIterator[Change]:
    while True:
        changes = await _query(events_after, run_id, after)
        for change in changes:
            yield change
        if len(changes) < BATCH:
            return
        after = changes[-1].number


async def _query(function: Callable[..., Any], *arguments: Any) -> Any:
    """One read whose connection is given back at once: a stream that waits must hold none."""
    return await sync_to_async(partial(_read_and_release, function))(*arguments)


def _read_and_release(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    finally:
        release_connections()


def encode(change: Change) -> bytes:
    """One server-sent event. JSON holds no line breaks, so one data line is enough."""
    number = f"id: {change.number}\n" if change.number is not None else ""
    return f"{number}event: {change.kind}\ndata: {json.dumps(change.data, separators=(',', ':'))}\n\n".encode()
