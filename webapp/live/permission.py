"""Streams live long; the permission to watch may end sooner."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async

from webapp.live.reading import release_connections

EVERY = 15.0  # seconds between two looks; a stream says something at least as often


async def while_allowed(
    pieces: AsyncGenerator[bytes, Any], allowed: Callable[[], bool], every: float = EVERY
) -> AsyncGenerator[bytes, None]:
    """The same pieces, ended soon after `allowed()` has turned false."""
    looked = time.monotonic()
    async with aclosing(pieces):
        async for piece in pieces:
            if time.monotonic() - looked >= every:
                looked = time.monotonic()
                if not await sync_to_async(_ask)(allowed):
                    return
            yield piece


def _ask(allowed: Callable[[], bool]) -> bool:
    """Asks and gives the connection back: a stream that waits must hold none."""
    try:
        return allowed()
    finally:
        release_connections()
