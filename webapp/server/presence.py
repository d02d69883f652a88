"""Who is alive: every worker process keeps a short-lived key in Redis, and health and supervisor read them.

Liveness is the one thing that may live in Redis alone: it is worth nothing once it is old.
"""

from __future__ import annotations

import contextlib
import threading
from functools import cache

import redis

PREFIX = "eustress:alive:"
LIFETIME = 15  # seconds that a key outlives its last refresh
REFRESH = 4  # seconds between two refreshes

TRAINER = "trainer"  # trains networks, and does short jobs when it has none to train
CLERK = "clerk"  # does short jobs only, so that an upload never waits behind hours of training
BEAT = "beat"  # sends the sweeper's schedule


@cache
def client(url: str) -> redis.Redis:
    """One client (a pool of connections) a process and address; gives up within a second."""
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, decode_responses=True)


def answers(url: str) -> bool:
    """Whether a Redis answers at the address."""
    try:
        return bool(client(url).ping())
    except redis.RedisError:
        return False


def living(url: str) -> dict[str, list[str]]:
    """Names of the living processes by role. Raises :class:`redis.RedisError` when Redis is away."""
    found: dict[str, list[str]] = {TRAINER: [], CLERK: [], BEAT: []}
    for key in client(url).scan_iter(match=f"{PREFIX}*", count=1000):
        role, _, name = key.removeprefix(PREFIX).partition(":")
        found.setdefault(role, []).append(name)
    return found


class Announcer:
    """Keeps one process's key fresh from a thread of its own until :meth:`leave`. A Redis that is away is awaited."""

    def __init__(self, url: str, role: str, name: str):
        self._key = f"{PREFIX}{role}:{name}"
        self._url = url
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="presence", daemon=True)

    def start(self) -> Announcer:
        self._thread.start()
        return self

    def leave(self) -> None:
        self._left.set()
        with contextlib.suppress(redis.RedisError):
            client(self._url).delete(self._key)

    def _refresh(self) -> None:
        while not self._left.is_set():
            with contextlib.suppress(redis.RedisError):
                client(self._url).set(self._key, "1", ex=LIFETIME)
            self._left.wait(REFRESH)
