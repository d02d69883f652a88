"""Sends work to the workers by task name. The dashboard never imports their code, and never waits for the broker."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from django.db import transaction

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)


def dispatch(task: str, *ids: int) -> None:
    """Sends `task` with row ids once the present transaction has committed (at once when there is none).

    The row is the truth and the message only a hint: when the broker is away the message is dropped with a
    warning, and the sweeper finds the row and puts the work back. Never raises.
    """
    transaction.on_commit(lambda: publish(task, *ids))


def publish(task: str, *ids: int) -> bool:
    """Sends now; says whether the broker took it."""
    try:
        _producer().send_task(task, args=list(ids), retry=False, ignore_result=True)
    except Exception as error:  # whatever a broker's death looks like, the page must not die of it
        log.warning("The broker did not take %s%s (%s); the sweeper will.", task, ids, error)
        return False
    return True


@cache
def _producer() -> Celery:
    from celery import Celery  # takes a third of a second; most processes that import us never send

    app = Celery("eustress-web", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "socket_connect_timeout": 1,
        "socket_timeout": 3,
        "max_retries": 0,
    }
    return app
