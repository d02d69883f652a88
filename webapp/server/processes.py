"""The processes of one installation: what each is called, how it starts, and when it counts as ready."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable
from pathlib import Path

import redis
from django.conf import settings

from webapp.server import presence, redis_server
from webapp.server.children import Child


def redis_child() -> list[Child]:
    """The embedded Redis, or nothing when REDIS_URL names another."""
    socket = settings.REDIS_SOCKET
    if socket is None:
        return []
    folder = settings.EUSTRESS_HOME / "redis"
    redis_server.prepare(socket, folder)
    redis_server.stop_leftover(socket, settings.REDIS_URL)
    return [_child("Redis", redis_server.command(socket, folder), lambda: presence.answers(settings.REDIS_URL))]


def other_children(listener: int, address: tuple[str, int]) -> list[Child]:
    """The web process on the listening socket, EUSTRESS_WORKERS trainers, the clerk and the beat.

    `listener` is the socket's descriptor, `address` where it can be asked for /healthz.
    """
    web = _child(
        "the web server",
        [sys.executable, "-m", "webapp.server.serve", "--fd", str(listener)],
        lambda: _answers(address),
        passed=(listener,),
        log="web",
        PORT=str(address[1]),
    )
    trainers = [
        _worker(f"worker {number}", presence.TRAINER, f"worker-{number}", "short,live")
        for number in range(1, settings.EUSTRESS_WORKERS + 1)
    ]
    beat = [*_celery("beat"), "--scheduler", "celery.beat:Scheduler", "--loglevel", "INFO", "--pidfile", ""]
    return [
        web,
        *trainers,
        _worker("the clerk", presence.CLERK, "clerk", "short"),
        _child("the sweeper's clock", beat, _lives(presence.BEAT, "beat"), log="beat"),
    ]


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "workers.app", command]


def _worker(name: str, role: str, label: str, queues: str) -> Child:
    """A worker is one process that does one task at a time on one thread: two such beat one of two threads."""
    return _child(
        name,
        [
            *_celery("worker"),
            *("--pool", "solo", "--queues", queues, "--hostname", f"{label}@%h", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        _lives(role, label),
        log=label,
        EUSTRESS_ROLE=role,
        EUSTRESS_NAME=label,
        OMP_NUM_THREADS="1",
        MKL_NUM_THREADS="1",
    )


def _child(
    name: str,
    command: list[str],
    ready: Callable[[], bool],
    *,
    passed: tuple[int, ...] = (),
    log: str | None = None,
    **environment: str,
) -> Child:
    return Child(
        name=name,
        command=command,
        ready=ready,
        log=Path(settings.EUSTRESS_HOME) / "logs" / f"{log or name.lower()}.log",
        environment={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        folder=settings.BASE_DIR,
        passed=passed,
    )


def _lives(role: str, name: str) -> Callable[[], bool]:
    def lives() -> bool:
        try:
            return name in presence.living(settings.REDIS_URL)[role]
        except redis.RedisError:
            return False

    return lives


def _answers(address: tuple[str, int]) -> bool:
    """Whether the web process answers at all; a worker that is still missing is not its fault."""
    connection = http.client.HTTPConnection(*address, timeout=3)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status in (200, 400, 503)
    except OSError:
        return False
    finally:
        connection.close()
