"""/healthz: 200 only when everything lives, and the name of what does not. `test_up` asks the real thing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from django.db import DatabaseError
from django.test import Client

from webapp.server import health, presence

pytestmark = pytest.mark.django_db


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Who lives, as Redis tells it; the test may take some away."""
    roles = {presence.TRAINER: ["worker-1", "worker-2"], presence.CLERK: ["clerk"], presence.BEAT: ["beat"]}
    monkeypatch.setattr(presence, "living", lambda _url: roles)
    return roles


def ask() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/healthz")
    return answer.status_code, json.loads(answer.content)


def test_all_is_well(alive: dict[str, list[str]]) -> None:
    status, found = ask()
    assert status == 200
    assert found == {
        "status": "ok",
        "database": "ok",
        "redis": "ok",
        "workers": 2,
        "sweeper": "ok",
        "version": found["version"],
    }


@pytest.mark.parametrize(("role", "named"), [(presence.TRAINER, "workers"), (presence.BEAT, "sweeper")])
def test_a_missing_process_is_named(alive: dict[str, list[str]], role: str, named: str) -> None:
    alive[role].clear()
    status, found = ask()
    assert (status, found["status"], found["missing"]) == (503, "unwell", [named])


def test_without_redis_nobody_is_known_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_url: str) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(presence, "living", away)
    status, found = ask()
    assert (status, found["redis"], found["workers"]) == (503, "down", 0)
    assert found["missing"] == ["redis", "workers", "sweeper"]


def test_a_database_that_does_not_answer_is_named(alive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> None:
            raise DatabaseError

    monkeypatch.setattr(health, "connection", Broken())
    found = health.examine()
    assert (found["database"], found["missing"]) == ("down", ["database"])


def test_a_probe_by_an_address_that_nobody_listed_gets_its_answer(alive: Any) -> None:
    answer = Client().get("/healthz", headers={"host": "10.1.2.3:8000"})
    assert answer.status_code == 200
    assert b"10.1.2.3" not in answer.content
    assert Client().get("/healthz/", headers={"host": "10.1.2.3"}).status_code == 400  # only that address, only it
    assert Client().get("/runs/", headers={"host": "10.1.2.3"}).status_code == 400


def test_it_is_neither_cached_nor_written_to(alive: Any) -> None:
    assert "no-store" in Client().get("/healthz")["Cache-Control"]
    assert Client().post("/healthz").status_code == 405
