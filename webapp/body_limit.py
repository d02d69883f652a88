"""Refuses request bodies that are too large before they reach Django, which would first write them all to disk."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import parse_cookie
from django.template.loader import render_to_string

from webapp.live.reading import release_connections
from webapp.runs.templatetags.figures import size

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL = 10 * 1000**2  # bytes: forms without files, and everybody without a session
DRAINED = 200 * 1000**2
ROOM_FOR_FORM = 1000**2  # a multipart body is a little longer than its files


class TooLarge(Exception):
    """The body went on past its limit."""


class BodyLimit:
    """ASGI middleware: 413 beyond EUSTRESS_MAX_UPLOAD, 507 when the disk could not hold it (twice, while it is parsed).

    Only who is signed in may send more than 10 MB, and only to addresses below LARGE_UPLOAD_PATHS.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        announced = int(length) if length.isdigit() else 0
        # Django spools the body of every method; of these none need one, but nothing keeps anybody from sending it.
        asks = scope["method"] in ("GET", "HEAD", "OPTIONS")
        limit = SMALL if asks or (length and announced <= SMALL) else await self.limit(scope["path"], headers)
        if announced > limit:
            await drain(receive)
            await refuse(send, *why(scope["path"], limit))
        elif announced > SMALL and 2 * announced > shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free:
            await drain(receive)
            await refuse(send, 507, "The disk is too full", "The server has too little free space for these files.")
        else:
            await self.counted(scope, receive, send, limit)

    async def limit(self, path: str, headers: dict[bytes, bytes]) -> int:
        if takes_files(path) and await sync_to_async(is_signed_in)(headers):
            return settings.EUSTRESS_MAX_UPLOAD + ROOM_FOR_FORM
        return SMALL

    async def counted(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Passes the request on and stops a body that announced no length, or a false one, at the limit."""
        received = 0
        answered = False

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge
            return message

        async def watching(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.application(scope, counting, watching)
        except TooLarge:
            if not answered:
                await drain(receive)
                await refuse(send, *why(scope["path"], limit))


def takes_files(path: str) -> bool:
    return path.startswith(tuple(settings.LARGE_UPLOAD_PATHS))


def is_signed_in(headers: dict[bytes, bytes]) -> bool:
    """Whether the request's session is somebody's: a cookie that anyone can make up does not count."""
    key = parse_cookie(headers.get(b"cookie", b"").decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    try:
        return bool(key) and SESSION_KEY in import_module(settings.SESSION_ENGINE).SessionStore(key)
    finally:
        release_connections()


def why(path: str, limit: int) -> tuple[int, str, str]:
    """Status, title and sentence for a body beyond its limit."""
    if limit > SMALL:
        most = size(settings.EUSTRESS_MAX_UPLOAD)
        return (
            413,
            "That is too large",
            f"One upload may hold at most {most} in all. EUSTRESS_MAX_UPLOAD sets the limit.",
        )
    if takes_files(path):
        return 401, "You are signed out", "Sign in, then send the files again. Nothing of them was kept."
    return 413, "That is too large", f"No files are taken here; a request may hold at most {size(SMALL)}."


async def drain(receive: Receive) -> None:
    """Reads some of the body and forgets it: a browser that is still sending when the connection closes shows its own
    error and not our page."""
    left = DRAINED
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


async def refuse(send: Send, status: int, title: str, sentence: str) -> None:
    body = render_to_string("413.html", {"title": title, "sentence": sentence}).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of the body is not worth reading
        (b"content-security-policy", b"default-src 'self'"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
