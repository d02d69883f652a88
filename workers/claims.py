"""A worker's hold on one row: taken by compare-and-set, kept by a heartbeat, given back by compare-and-set.

Networks, data sets and base files all have the same four fields for it: `state`, `claimed_by` (a token that no
other claim ever had), `heartbeat_at` and `attempts` (starts since the last progress; what is made of a
measured network has counters of its own, see workers/making.py).
"""

from __future__ import annotations

import functools
import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from django.db import DatabaseError, OperationalError, connection
from django.db.models import F, Model
from django.utils import timezone

from workers import pace
from workers.stopping import stopping

log = logging.getLogger(__name__)
Given = ParamSpec("Given")
Result = TypeVar("Result")


class Interrupted(Exception):
    """This process was asked to stop, or the run to pause: the work goes back, and whoever takes it next goes on from
    its checkpoint."""


class ClaimLost(Exception):
    """Another process holds the row now (we were taken for lost, or the row is gone): nothing may be written."""


class Cancelled(Exception):
    """Someone asked for the run to be cancelled."""


def patiently(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Repeat a short transaction that met a busy or briefly absent database; the last error is raised."""

    @functools.wraps(function)
    def repeated(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        for attempt in range(6):
            try:
                return function(*args, **kwargs)
            except OperationalError:
                if attempt == 5 or connection.in_atomic_block:
                    raise
                log.warning("The database was busy; trying again.", exc_info=True)
                connection.close()
                time.sleep(0.2 * 2**attempt * (0.5 + random.random()))  # noqa: S311  (jitter, no secret)
        raise AssertionError

    return repeated


class Claim:
    """The hold on one row. As a context it beats in a thread of its own; `check` raises what ends the work."""

    def __init__(
        self,
        model: type[Model],
        pk: int,
        token: str,
        is_cancelled: Callable[[], bool] | None = None,
        is_paused: Callable[[], bool] | None = None,
    ):
        self.model, self.pk, self.token = model, pk, token
        self._is_cancelled, self._is_paused = is_cancelled, is_paused
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._cancelled = threading.Event()
        self._paused = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {model.__name__} {pk}", daemon=True)

    @classmethod
    @patiently
    def take(
        cls,
        model: type[Model],
        pk: int,
        *,
        waiting: str,
        working: str,
        is_cancelled: Callable[[], bool] | None = None,
        is_paused: Callable[[], bool] | None = None,
        **fields: Any,
    ) -> Claim | None:
        """The row's claim if it is in state `waiting` and nobody's, with its state set to `working`; else None."""
        token = f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:16]}"
        taken = model._default_manager.filter(pk=pk, state=waiting, claimed_by="").update(
            state=working, claimed_by=token, heartbeat_at=timezone.now(), attempts=F("attempts") + 1, **fields
        )
        return cls(model, pk, token, is_cancelled, is_paused) if taken else None

    @patiently
    def write(self, **fields: Any) -> None:
        """Set fields of the row if it is still ours; raises :class:`ClaimLost` otherwise."""
        ours = self.model._default_manager.filter(pk=self.pk, claimed_by=self.token)
        if not ours.update(**fields):
            raise ClaimLost

    def release(self, state: str, **fields: Any) -> None:
        """Give the row back in its new state."""
        self._ended.set()
        self.write(state=state, claimed_by="", heartbeat_at=None, **fields)

    def hand_back(self, waiting: str) -> None:
        """Put the work back as if it had not been started: an orderly stop is no failed attempt."""
        self.release(waiting, attempts=F("attempts") - 1)

    def check(self) -> None:
        """Raise whatever says that the work must end now."""
        if self._lost.is_set():
            raise ClaimLost
        if self._cancelled.is_set():
            raise Cancelled
        if stopping.is_set() or self._paused.is_set():
            raise Interrupted

    def __enter__(self) -> Claim:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        """Beat and look out until the work ends. A database that does not answer is tried again next time."""
        beaten = time.monotonic()
        try:
            while not self._ended.wait(pace.WATCH):
                try:
                    if self._is_cancelled is not None and self._is_cancelled():
                        self._cancelled.set()
                    if self._is_paused is not None and self._is_paused():
                        self._paused.set()
                    if time.monotonic() - beaten >= pace.HEARTBEAT:
                        self._beat_once()
                        beaten = time.monotonic()
                except DatabaseError:
                    connection.close()  # a server that was restarted answers only a new connection
        finally:
            connection.close()  # this thread's own

    def _beat_once(self) -> None:
        ours = self.model._default_manager.filter(pk=self.pk, claimed_by=self.token)
        if not ours.update(heartbeat_at=timezone.now()) and not self._ended.is_set():
            self._lost.set()
