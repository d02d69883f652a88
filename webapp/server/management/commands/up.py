"""`manage.py up`: everything that one installation needs, under one supervisor. `make run` becomes this."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from webapp.server import presence
from webapp.server.demo import start_demo
from webapp.server.leftovers import clear_leftovers
from webapp.server.processes import other_children, redis_child
from webapp.server.redis_server import RedisUnable
from webapp.server.supervisor import HomeLock, Supervisor, Trouble
from webapp.teams.owner import ensure_owner, first_owner_link

REDIS_LIMIT = 10.0  # seconds that somebody else's Redis may take to answer


class Command(BaseCommand):
    help = "Starts everything: Redis, the web server, the workers and the sweeper's clock. Ctrl-C stops it."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # whatever we and our children write below EUSTRESS_HOME holds secrets
        try:
            lock = HomeLock(settings.EUSTRESS_HOME)  # held until this process ends
            listener = listen(settings.EUSTRESS_BIND, settings.PORT)
            settings.PORT = listener.getsockname()[1]  # PORT=0 takes any that is free
            self._run(listener)
            del lock
        except (Trouble, RedisUnable) as trouble:
            self.stderr.write(f"eustress: {trouble}")
            sys.exit(1)
        except KeyboardInterrupt:  # before there was anything to stop
            sys.exit(130)

    def _run(self, listener: socket.socket) -> None:
        clear_leftovers()
        self._prepare_database()
        expect_redis()
        link = first_owner_link()
        children = other_children(listener.fileno(), reachable(listener))
        supervisor = Supervisor(redis_child(), children, self._tell)
        supervisor.listen()
        try:
            if supervisor.start():
                self._start_demo()
                self._welcome(link)
                supervisor.watch()
                self._tell("stopping")
        finally:
            supervisor.stop()
        self._tell("stopped")

    def _start_demo(self) -> None:
        """A demo that cannot be made (the disk is full, say) is told, and is no reason to stop the rest."""
        try:
            if settings.EUSTRESS_DEMO:
                start_demo()
        except (OSError, DatabaseError) as error:
            self._tell(f"the demo could not be made: {error}")
        finally:
            connections.close_all()

    def _prepare_database(self) -> None:
        """Bring the database up to date, and make the owner that the environment names."""
        try:
            call_command("migrate", interactive=False, verbosity=0)
            if settings.EUSTRESS_OWNER_EMAIL:
                ensure_owner(settings.EUSTRESS_OWNER_EMAIL, settings.EUSTRESS_OWNER_PASSWORD)
        except DatabaseError as error:
            raise Trouble(f"The database cannot be used: {str(error).strip()}. Is DATABASE_URL right?") from None
        finally:
            connections.close_all()

    def _tell(self, text: str) -> None:
        self.stdout.write(f"  {text}")
        self.stdout.flush()

    def _welcome(self, link: str | None) -> None:
        address = settings.EUSTRESS_URL or f"http://localhost:{settings.PORT}"
        lines = ["", f"Eustress {settings.VERSION} runs at", "", f"    {address}", ""]
        if link:
            lines += ["Make the first owner's account with this link. It works once, and for a day:", ""]
            lines += [f"    {link}", ""]
        lines += [f"Everything is kept in {shown(settings.EUSTRESS_HOME)}. Ctrl-C stops it.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def expect_redis() -> None:
    """Wait a moment for the Redis that REDIS_URL names. Raises :class:`Trouble`, without the address: it may hold a
    password."""
    until = time.monotonic() + REDIS_LIMIT
    while settings.REDIS_SOCKET is None and not presence.answers(settings.REDIS_URL):
        if time.monotonic() > until:
            raise Trouble("No Redis answers at REDIS_URL. Start it, or unset REDIS_URL to use the embedded one.")
        time.sleep(0.5)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for the web process. Raises :class:`Trouble` when the port is taken or not ours to take."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except socket.gaierror:
        raise Trouble(f"EUSTRESS_BIND must be an address of this machine, not {host!r}.") from None
    except PermissionError:
        raise Trouble(f"Port {port} may not be used without more rights. Choose one above 1023: PORT=8080.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Trouble(
                f"Port {port} is taken by another program. Stop that, or choose another port: PORT={port + 1} make run."
            ) from None
        raise Trouble(f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}.") from None
    return listener


def reachable(listener: socket.socket) -> tuple[str, int]:
    """Where this machine itself reaches the listening socket."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def shown(folder: Path) -> str:
    """A folder as short as it can be written from here."""
    with contextlib.suppress(ValueError):
        return f"./{folder.relative_to(Path.cwd())}"
    return str(folder)
