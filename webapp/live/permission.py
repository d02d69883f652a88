"""Streams live long; the permission to watch may end sooner."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

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


def is_signed_in(user: Any, session_key: str | None) -> bool:
    """Whether that session is (still) the person's: it is gone once she has signed out, and hers no longer once her
    password is another. Unlike Django's own look, which answers a request, it leaves the session as it is."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    if session.get(SESSION_KEY) != str(user.pk):
        return False
    known = session.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(known, one) for one in hashes)


def _ask(allowed: Callable[[], bool]) -> bool:
    """Asks and gives the connection back: a stream that waits must hold none."""
    try:
        return allowed()
    finally:
        release_connections()
