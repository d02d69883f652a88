"""Refuses request bodies that are too large before they reach Django, which would first write them all to disk."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

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

    Only addresses below LARGE_UPLOAD_PATHS, and only requests that carry a session cookie, may send more than 10 MB.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.application(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limit = self.limit(scope["path"], headers)
        length = headers.get(b"content-length", b"")
        announced = int(length) if length.isdigit() else 0
        if announced > limit:
            await drain(receive)
            await refuse(send, 413, *too_large())
        elif announced > SMALL and 2 * announced > shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free:
            await drain(receive)
            await refuse(send, 507, "The disk is too full", "The server has too little free space for these files.")
        else:
            await self.counted(scope, receive, send, limit)

    def limit(self, path: str, headers: dict[bytes, bytes]) -> int:
        known = settings.SESSION_COOKIE_NAME.encode() in headers.get(b"cookie", b"")
        if known and path.startswith(tuple(settings.LARGE_UPLOAD_PATHS)):
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
                await refuse(send, 413, *too_large())


def too_large() -> tuple[str, str]:
    most = size(settings.EUSTRESS_MAX_UPLOAD)
    return "That is too large", f"One upload may hold at most {most} in all. EUSTRESS_MAX_UPLOAD sets the limit."


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
