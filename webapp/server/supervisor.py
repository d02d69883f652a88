"""Keeps the processes of one installation: starts them in order, restarts those that die, stops them all.

The supervisor has one thread and sleeps in `sigtimedwait`: the end of a child (SIGCHLD) and a wish to stop
(SIGINT, SIGTERM, SIGHUP) both wake it at once, and nothing runs inside a signal handler.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from webapp.server.children import Child, stop_all, trim

START_LIMIT = 180.0  # seconds that everything may take to become ready
HOPELESS = 3  # ends in a row during the start, after which we give up
PATIENCE = 6.0  # seconds to end by themselves; with Redis's own below, under 10 in all
REDIS_PATIENCE = 2.0
TICK = 0.25  # seconds between two looks while starting
CALM_TICK = 2.0  # and once all is well


class Trouble(Exception):
    """Why Eustress cannot start or go on; one sentence for a person."""


class HomeLock:
    """One supervisor a folder: held as long as the process lives, however it ends. Raises :class:`Trouble`."""

    def __init__(self, home: Path):
        self._file = (home / "supervisor.lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            raise Trouble(
                f"Eustress already runs on {home} (process {owner}). "
                "Stop that one first, or name another folder in EUSTRESS_HOME."
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()


class Supervisor:
    """`first` (the embedded Redis, or nothing) must be ready before `others` start, and ends after them."""

    def __init__(self, first: Sequence[Child], others: Sequence[Child], tell: Callable[[str], None]):
        self.first, self.others = list(first), list(others)
        self.children = self.first + self.others
        self._tell = tell
        self._stop: signal.Signals | None = None
        self._signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it, and means it
            self._signals.add(signal.SIGHUP)

    def listen(self) -> None:
        """From here on a wish to stop waits until the supervisor looks, and cannot interrupt anything half-done."""
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)

    @property
    def asked_to_stop(self) -> bool:
        return self._stop is not None

    def start(self) -> bool:
        """Bring everything up, in order. False when asked to stop meanwhile; :class:`Trouble` when it is hopeless."""
        until = time.monotonic() + START_LIMIT
        for group in (self.first, self.others):
            for child in group:
                child.start()
            while not all(child.announced for child in group):
                self._look()
                self._give_up_on_the_hopeless(until)
                if self.pause(TICK):
                    return False
        return True

    def watch(self) -> None:
        """Keep everything alive until asked to stop."""
        while not self.pause(CALM_TICK if all(child.announced for child in self.children) else TICK):
            self._look()

    def stop(self) -> None:
        """End everything, within ten seconds, Redis last so that the others can hand back what they hold."""
        stubborn = stop_all(self.others, PATIENCE) + stop_all(self.first, REDIS_PATIENCE)
        for child in stubborn:
            self._tell(f"{child.name} did not end by itself and was killed; nothing is lost")

    def pause(self, seconds: float) -> bool:
        """Sleep, or wake for a signal; says whether we were asked to stop."""
        until = time.monotonic() + seconds
        while self._stop is None:
            got = signal.sigtimedwait(self._signals, max(0.0, until - time.monotonic()))
            if got is None:
                break
            if got.si_signo == signal.SIGCHLD:
                break
            self._stop = signal.Signals(got.si_signo)
        return self.asked_to_stop

    def _look(self) -> None:
        """One look at every child: note ends, start what is due, say what has become ready."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                continue
            if child.start_at is not None:
                if now >= child.start_at:
                    child.start()
            elif not child.lives():
                how = child.end_noticed(now)
                self._tell(f"{child.name} {how}; starting it again in {child.delay():g} s (its log: {child.log})")
            elif not child.announced and child.ready():
                child.announced = True
                self._tell(f"{child.name} is ready" + (" again" if child.ends else ""))
            else:
                trim(child.log)

    def _give_up_on_the_hopeless(self, until: float) -> None:
        for child in self.children:
            if child.ends >= HOPELESS:
                raise Trouble(f"{child.name} does not start. The end of its log, {child.log}:\n\n{child.last_lines()}")
        if time.monotonic() > until:
            late = ", ".join(child.name for child in self.children if not child.announced)
            raise Trouble(
                f"Not ready after {START_LIMIT:g} s: {late}. Their logs are in {self.children[0].log.parent}."
            )
