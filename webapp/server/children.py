"""One supervised process: started in a group of its own, tied to our life, restarted with growing patience."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_LOG = 20 * 1000**2  # bytes, after which a log starts anew and the old one is kept as NAME.log.1
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds before a restart, doubled each time
SETTLED = 60.0  # seconds of life after which an end no longer counts as one of a row

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Child:
    """A process and how to keep it: `ready` says whether it does its work; `passed` are descriptors it inherits."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    log: Path
    environment: dict[str, str]
    folder: Path
    passed: tuple[int, ...] = ()
    process: subprocess.Popen | None = field(default=None, repr=False)
    started_at: float = 0.0
    ends: int = 0  # in a row, without settling
    start_at: float | None = None  # when to start again, on the monotonic clock
    announced: bool = False  # whether people were told that it is ready

    def start(self) -> None:
        """Start the process; its output is appended to its log."""
        trim(self.log)
        us = os.getpid()

        def tie() -> None:  # in the child, before exec: the kernel kills it when we die, however we die
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())  # we wait for signals blocked; it must not inherit that
            if os.getppid() != us:
                os._exit(1)

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment,
                pass_fds=self.passed,
                process_group=0,  # a Ctrl-C in the terminal reaches us alone; the order of the end is ours
                preexec_fn=tie,  # safe: we have one thread
            )
        self.started_at, self.start_at, self.announced = time.monotonic(), None, False

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end_noticed(self, now: float) -> str:
        """Plan the restart of a process that has ended; returns how it ended, in words."""
        assert self.process is not None
        self.signal(signal.SIGKILL)  # whatever it had started itself
        self.ends = 1 if now - self.started_at > SETTLED else self.ends + 1
        self.start_at = now + self.delay()
        return how_it_ended(self.process.returncode)

    def delay(self) -> float:
        """Seconds until the next start."""
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.ends - 1))

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group of the process, so that nothing it started is left."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def last_lines(self, count: int = 12) -> str:
        """The end of its log, for a person who must find out why it does not start."""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])


def how_it_ended(status: int) -> str:
    """A return code of subprocess in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def trim(log: Path) -> None:
    """Keep a log from growing for ever: beyond the limit its text moves to NAME.log.1, and writers append anew."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists() and log.stat().st_size > LONGEST_LOG:
        log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


def stop_all(children: Sequence[Child], patience: float) -> list[Child]:
    """Ask all to end, wait up to `patience` seconds, then kill what is left; returns those that had to be killed."""
    living = [child for child in children if child.lives()]
    for child in living:
        child.signal(signal.SIGTERM)
    until = time.monotonic() + patience
    while time.monotonic() < until and any(child.lives() for child in living):
        time.sleep(0.05)
    stubborn = [child for child in living if child.lives()]
    for child in living:
        child.signal(signal.SIGKILL)  # the groups too: a child's own children may have outlived it
    for child in stubborn:
        if child.process is not None:
            child.process.wait()
    return stubborn
