"""The supervisor over small children: order, restarts, the end of all, and what happens when it is killed itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from webapp.server.children import FIRST_DELAY, LONGEST_DELAY, Child, how_it_ended, trim

ROOT = Path(__file__).resolve().parents[2]
LIVE = "import pathlib, time; pathlib.Path('{name}.ready').touch(); time.sleep(600)"
# says when it was asked to end, and does so
POLITE = """
import pathlib, signal, sys, time
def end(*_):
    with open('order', 'a') as order: order.write('{name} ')
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path('{name}.ready').touch()
while True: time.sleep(0.01)
"""
# starts a child of its own and will not be told to end
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
own = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
pathlib.Path('{name}.grandchild').write_text(str(own.pid))
pathlib.Path('{name}.ready').touch()
time.sleep(600)
"""


class Supervised:
    def __init__(self, folder: Path, children: dict[str, str]):
        asked = json.dumps([{"name": name, "code": code.format(name=name)} for name, code in children.items()])
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("supervised.py")), str(folder), asked],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def read_until(self, word: str) -> str:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if word in line:
                return "".join(lines)
        raise AssertionError(f"{word!r} never came: {lines}")

    def pids(self) -> dict[str, int]:
        """Children by their command's last words."""
        return {child.cmdline()[-1]: child.pid for child in psutil.Process(self.process.pid).children()}

    def end(self) -> None:
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.process.pid:
                    process.kill()
            except (ProcessLookupError, psutil.NoSuchProcess):
                pass
        self.process.wait()


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def make(**children: str) -> Supervised:
        started.append(Supervised(tmp_path, children))
        return started[-1]

    yield make
    for supervised in started:
        supervised.end()


def wait_for(condition: Callable[[], Any], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_first_is_ready_before_the_others_start(supervise: Callable[..., Supervised]) -> None:
    told = supervise(a=LIVE, b=LIVE, c=LIVE).read_until("up").splitlines()
    assert told[0] == "a is ready"
    assert sorted(told[1:3]) == ["b is ready", "c is ready"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_wish_to_stop_ends_all_the_first_one_last(
    supervise: Callable[..., Supervised], number: signal.Signals, tmp_path: Path
) -> None:
    supervised = supervise(a=POLITE, b=POLITE)
    supervised.read_until("up")
    children = supervised.pids().values()
    supervised.process.send_signal(number)
    assert "down" in supervised.read_until("down")
    assert supervised.process.wait(timeout=10) == 0
    assert (tmp_path / "order").read_text() == "b a "
    assert all(gone(pid) for pid in children)


def test_who_will_not_end_is_killed_with_all_it_started(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    supervised = supervise(a=LIVE, b=STUBBORN)
    supervised.read_until("up")
    grandchild = int((tmp_path / "b.grandchild").read_text())
    asked = time.monotonic()
    supervised.process.terminate()
    assert "b did not end by itself" in supervised.read_until("down")
    assert time.monotonic() - asked < 10
    wait_for(lambda: gone(grandchild))


def test_a_child_that_dies_is_started_again_and_that_is_said(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise(a=LIVE, b=LIVE)
    supervised.read_until("up")
    before = supervised.pids()
    victim = next(pid for command, pid in before.items() if "b.ready" in command)
    os.kill(victim, signal.SIGKILL)
    told = supervised.read_until("b is ready again")
    assert f"b was ended by SIGKILL; starting it again in {FIRST_DELAY:g} s" in told
    after = supervised.pids()
    assert set(after) == set(before)
    assert victim not in after.values()


def test_no_orphans_even_when_the_supervisor_is_killed(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise(a=LIVE, b=LIVE)
    supervised.read_until("up")
    children = list(supervised.pids().values())
    assert len(children) == 2
    supervised.process.kill()
    wait_for(lambda: all(gone(pid) for pid in children))


def test_a_child_that_never_starts_ends_the_start_with_its_log(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise(a=LIVE, b="raise SystemExit('no such thing as b')")
    told = supervised.read_until("no such thing as b")
    assert told.count("b ended with status 1") == 3
    assert "trouble: b does not start" in told
    assert supervised.process.wait(timeout=10) == 1


def test_a_second_one_on_the_same_folder_is_refused_by_name(supervise: Callable[..., Supervised]) -> None:
    first = supervise(a=LIVE)
    first.read_until("up")
    second = supervise(a=LIVE)
    told = second.read_until("trouble")
    assert f"already runs on {first.folder} (process {first.process.pid})" in told
    assert second.process.wait(timeout=10) == 1
    assert first.process.poll() is None


def test_a_folder_is_free_again_after_its_supervisor_was_killed(supervise: Callable[..., Supervised]) -> None:
    first = supervise(a=LIVE)
    first.read_until("up")
    first.process.kill()
    first.process.wait()
    supervise(a=LIVE).read_until("up")


def a_child(folder: Path) -> Child:
    return Child("a", ["true"], lambda: True, folder / "a.log", {}, folder)


def test_patience_grows_with_every_end_in_a_row(tmp_path: Path) -> None:
    child = a_child(tmp_path)
    child.start()
    assert child.process is not None
    child.process.wait()
    now, delays = child.started_at, []
    for _ in range(8):
        child.end_noticed(now + 1)
        delays.append(child.delay())
    assert delays == [0.5, 1, 2, 4, 8, 16, LONGEST_DELAY, LONGEST_DELAY]
    child.end_noticed(now + 3600)  # it lived for an hour: that was another row
    assert child.delay() == FIRST_DELAY


def test_a_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.server.children.LONGEST_LOG", 10)
    log = tmp_path / "a.log"
    with log.open("ab") as writer:
        writer.write(b"twelve bytes")
        writer.flush()
        trim(log)
        writer.write(b"more")
    assert log.read_bytes() == b"more"
    assert log.with_name("a.log.1").read_bytes() == b"twelve bytes"


def test_ends_are_told_in_words() -> None:
    assert how_it_ended(3) == "ended with status 3"
    assert how_it_ended(-signal.SIGSEGV) == "was ended by SIGSEGV"
