"""`manage.py up` as a whole: what it says, what answers, what it survives, and that it leaves nothing behind."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.servers import ROOT, Server, wait_for

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("up") / "home")
    try:
        yield started.wait_until_up()
    finally:
        started.end()


def test_it_says_where_it_is_and_how_to_get_in(server: Server) -> None:
    link = re.search(rf"{server.address}/sign-in/\S+", server.tell)
    assert link, server.tell
    status, page = server.get(link[0].removeprefix(server.address))
    assert status == 200
    assert "password" in page.lower()


def test_health_names_every_part(server: Server) -> None:
    status, found = server.health()
    assert status == 200
    assert {"status": "ok", "database": "ok", "redis": "ok", "workers": 1}.items() <= found.items()
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])


def test_pages_are_served_with_their_static_files(server: Server) -> None:
    _, page = server.get("/sign-in/")
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', page)
    assert sheets
    assert all(server.get(sheet)[0] == 200 for sheet in sheets)


def test_redis_is_reached_by_its_socket_only(server: Server) -> None:
    redis = server.find("redis-server")
    assert [c for c in redis.net_connections("inet") if c.status == "LISTEN"] == []
    assert (server.home / "redis" / "redis.sock").is_socket()


def test_a_second_copy_on_the_same_folder_is_refused_in_one_sentence(server: Server) -> None:
    done = second(server.environment)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"eustress: Eustress already runs on {server.home} (process {server.process.pid}). "
        "Stop that one first, or name another folder in EUSTRESS_HOME."
    )
    assert server.health()[0] == 200


def test_a_taken_port_is_refused_in_one_sentence(server: Server, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = second({**server.environment, "EUSTRESS_HOME": str(tmp_path / "other"), "PORT": str(port)})
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"eustress: Port {port} is taken by another program.")


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "eighty"), ("EUSTRESS_WORKERS", "0"), ("REDIS_URL", "http://example.org")]
)
def test_a_bad_setting_is_refused_by_name(name: str, value: str, tmp_path: Path) -> None:
    done = second({"PATH": "/usr/bin:/bin", "EUSTRESS_HOME": str(tmp_path / "home"), name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"eustress: {name} ")
    assert len(done.stderr.splitlines()) == 1


def test_a_redis_that_does_not_answer_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        address = f"redis://:secret@127.0.0.1:{closed.getsockname()[1]}/0"
        environment = {"PATH": "/usr/bin:/bin", "EUSTRESS_HOME": str(tmp_path / "home"), "PORT": "0"}
        done = second({**environment, "REDIS_URL": address})
    assert done.returncode == 1
    assert done.stderr.strip().startswith("eustress: No Redis answers at REDIS_URL.")
    assert "secret" not in done.stderr + done.stdout


def test_a_killed_worker_and_a_killed_redis_come_back(server: Server) -> None:
    server.find("worker-1").kill()
    server.find("redis-server").kill()
    wait_for(lambda: "worker 1 is ready again" in server.tell and "Redis is ready again" in server.tell, 60)
    wait_for(lambda: server.health()[0] == 200, 60, "health")


def test_a_long_home_gets_a_short_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    server = Server(home)
    try:
        server.wait_until_up()
        assert server.health()[0] == 200
        assert not (home / "redis" / "redis.sock").exists()
    finally:
        server.end()


def test_it_stops_within_ten_seconds_and_goes_on_where_it_was(server: Server) -> None:
    """The last test of this server: it ends it, and starts another on the same folder."""
    members = server.members()
    assert len(members) == 6  # the supervisor, Redis, web, one worker, the clerk, the beat
    assert server.stop() < 10
    assert server.process.returncode == 0
    assert server.members() == []
    assert [m for m in members if m.is_running() and m.status() != "zombie"] == []
    again = Server(server.home)
    try:
        again.wait_until_up()
        assert again.health()[0] == 200
    finally:
        again.end()


def second(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
