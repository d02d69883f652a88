"""`manage.py up` as a test sees it: a process in a session of its own, on a free port, with a home of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ("DATABASE_URL", "REDIS_URL", "PORT", "DJANGO_SETTINGS_MODULE")


def wait_for(condition: Callable[[], Any], seconds: float, what: str = "it") -> Any:
    """The condition's value once it is true."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, f"{what} did not happen in {seconds:g} s"
        time.sleep(0.1)
    return value


class Server:
    """One `manage.py up`. `tell` is everything that it printed."""

    def __init__(self, home: Path, **environment: str):
        own = {name: value for name, value in os.environ.items() if name not in FOREIGN and "EUSTRESS" not in name}
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.printed = home, home.parent / f"{home.name}.printed"
        defaults = {"EUSTRESS_DEMO": "0", "EUSTRESS_WORKERS": "1", "PORT": "0"}
        self.environment = {**own, **defaults, "EUSTRESS_HOME": str(home), **environment}
        with self.printed.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def tell(self) -> str:
        return self.printed.read_text()

    @property
    def address(self) -> str:
        found = re.search(r"^ +(http://localhost:\d+)$", self.tell, re.MULTILINE)
        assert found, self.tell
        return found[1]

    def wait_until_up(self, seconds: float = 120) -> Server:
        wait_for(lambda: "Ctrl-C stops it" in self.tell or self.process.poll() is not None, seconds, "the start")
        assert self.process.poll() is None, self.tell
        return self

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def health(self) -> tuple[int, dict[str, Any]]:
        status, text = self.get("/healthz")
        return status, json.loads(text)

    def manage(self, *arguments: str) -> str:
        """What another command of manage.py prints about the same home."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def members(self) -> list[psutil.Process]:
        """Every living process of the server's session."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (ProcessLookupError, psutil.NoSuchProcess):
                pass
        return found

    def find(self, *words: str) -> psutil.Process:
        """The one process of the session whose command holds the words."""
        (found,) = [member for member in self.members() if all(word in " ".join(member.cmdline()) for word in words)]
        return found

    def stop(self) -> float:
        """Ask it to end as `make` does, and wait; returns the seconds that took."""
        asked = time.monotonic()
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=60)
        return time.monotonic() - asked

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for member in self.members():
            member.kill()
