"""`manage.py up` before it has started anything, and beside the demo: who may read its files, what stops it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import pytest

from webapp.server.management.commands import up


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_it_writes_is_for_its_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_home: Any) -> None:
        raise up.Trouble("taken")

    monkeypatch.setattr(up, "HomeLock", refuse)
    with pytest.raises(SystemExit):
        up.Command(stderr=io.StringIO()).handle()
    assert os.umask(0o022) == 0o077


def test_ctrl_c_at_the_very_start_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_home: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(up, "HomeLock", interrupt)
    with pytest.raises(SystemExit) as end:
        up.Command().handle()
    assert end.value.code == 130


def test_a_demo_that_cannot_be_made_is_told_and_stops_nothing(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    settings.EUSTRESS_DEMO = True
    monkeypatch.setattr(up, "start_demo", fail)
    told = io.StringIO()
    up.Command(stdout=told)._start_demo()
    assert "the demo could not be made" in told.getvalue()
