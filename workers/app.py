"""The Celery application: how messages reach the tasks. Its settings are Django's, with the prefix CELERY_.

A worker is one process that does one task at a time (`--pool solo`), takes no message that it is not about to
work on (prefetch 1 with late acknowledgement), and may be killed at any moment: rows, not messages, say what
is to be done, and the sweeper sends again what a lost process held.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from django.conf import settings

from webapp.server.presence import BEAT, TRAINER, Announcer
from workers import pace
from workers.stopping import stopping

app = Celery("eustress")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    "sweep": {"task": "workers.sweep", "schedule": pace.SWEEP, "options": {"expires": pace.SWEEP}},
}
app.conf.imports = ["workers.tasks"]

# A sweep every few seconds is no news; everything else that a worker takes is.
for _name in ("celery.app.trace", "celery.worker.strategy"):
    logging.getLogger(_name).addFilter(lambda record: "workers.sweep[" not in record.getMessage())

_announcers: dict[str, Announcer] = {}


def _announce(role: str, name: str) -> None:
    if name not in _announcers:  # a worker becomes ready again each time it finds its broker again
        _announcers[name] = Announcer(settings.REDIS_URL, role, name).start()


@signals.worker_ready.connect
def _worker_is_ready(**_more: Any) -> None:
    name = os.environ.get("EUSTRESS_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    _announce(os.environ.get("EUSTRESS_ROLE") or TRAINER, name)


@signals.beat_init.connect
def _beat_is_ready(**_more: Any) -> None:
    _announce(BEAT, os.environ.get("EUSTRESS_NAME") or "beat")


@signals.worker_shutting_down.connect
def _worker_stops(**_more: Any) -> None:
    """Within the signal's handler: only tell the task under way, which hands its work back at its next event."""
    stopping.set()


@signals.worker_shutdown.connect
def _worker_has_stopped(sender: Any = None, **_more: Any) -> None:
    """The last that is to be done: queues are given back, claims too. Taking PyTorch down would take seconds more."""
    for announcer in _announcers.values():
        announcer.leave()
    logging.shutdown()
    os._exit(getattr(sender, "exitcode", None) or 0)
