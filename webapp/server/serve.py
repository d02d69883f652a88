"""The web process: uvicorn on a socket that the supervisor has already bound.

The supervisor keeps the socket, so a taken port is told before anything starts, and while a web process that
died is being replaced, browsers wait instead of being refused.
"""

from __future__ import annotations

import argparse
import os
import socket
from importlib import import_module

import uvicorn
from django.conf import settings

from webapp.server import memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the listening socket, inherited from the supervisor")
    listener = socket.socket(fileno=parser.parse_args().fd)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    config = configured()
    config.load()
    be_ready()
    uvicorn.Server(config).run(sockets=[listener])


def configured() -> uvicorn.Config:
    return uvicorn.Config(
        "webapp.asgi:application",
        lifespan="off",
        log_level="info",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,  # seconds for open event streams to end
        # Behind a proxy every request comes from the proxy's address: limits of sign-in would be one for all people.
        forwarded_allow_ips=settings.EUSTRESS_PROXIES,
    )


def be_ready() -> None:
    """Loads what lives as long as the process, every view too, so that nobody's first page waits for it."""
    import_module(settings.ROOT_URLCONF)
    memory.settle()


if __name__ == "__main__":
    main()
