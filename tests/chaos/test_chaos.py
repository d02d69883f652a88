"""Nothing is lost, whatever is killed: a run whose workers, broker and supervisor are killed under it ends with the
same networks, bit for bit, as the same spec lived without disturbance by the engine alone."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.workers.pictures import picture_zip
from tests.workers.servers import ROOT, Server, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]

SPEC: dict[str, Any] = {
    "architecture": "lenet5",
    "width": 0.5,
    "generations": 2,
    "offspring": 2,
    "epochs": 24,
    "ancestor_epochs": 120,  # long enough for another process to start and write to its row meanwhile
    "environment": 0.7,
    "gestation": 0.5,
    "batch_size": 16,
    "max_drop": 20,
    "seed": 11,
}
# so that nobody waits: beats every half second, lost after three, swept every second, progress told five times in one
PACE = {
    "EUSTRESS_HEARTBEAT_SECONDS": "0.5",
    "EUSTRESS_STALE_SECONDS": "3",
    "EUSTRESS_SWEEP_SECONDS": "1",
    "EUSTRESS_PROGRESS_SECONDS": "0.2",
}


@dataclass
class World:
    archive: Path
    spec: Path
    reference: dict[str, Any]  # lineage.json of the undisturbed run
    digests: dict[str, str]  # network -> sha256 of its file


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The data, the spec, and what they come to when the engine lives them alone."""
    folder = tmp_path_factory.mktemp("world")
    archive, spec, out = folder / "shapes.zip", folder / "spec.json", folder / "alone"
    archive.write_bytes(picture_zip(each=80))
    spec.write_text(json.dumps(SPEC))
    command = [sys.executable, "-m", "evolution_core", "evolve", "--quiet", "--threads", "1"]
    done = subprocess.run(
        [*command, "--data", str(archive), "--spec", str(spec), "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lineage = json.loads((out / "lineage.json").read_text())
    return World(archive, spec, lineage, {n["id"]: n["sha256"] for n in lineage["networks"]})


class Installation:
    """A served installation and what its database says."""

    def __init__(self, home: Path, **environment: str):
        self.home = home
        self.environment = environment
        self.server = Server(home, **PACE, **environment).wait_until_up()

    def drive(self, *arguments: object) -> int:
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.drive", *map(str, arguments)],
            cwd=ROOT,
            env=self.server.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[-1])

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.home}/database.sqlite3?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(question, values).fetchall()

    def run(self, number: int) -> tuple[str, str]:
        return self.ask("SELECT state, message FROM runs_run WHERE id = ?", number)[0]

    def networks(self, run: int) -> dict[str, tuple[str, float, str, int, str]]:
        rows = self.ask(
            "SELECT name, state, progress, sha256, attempts, phase FROM networks_network WHERE run_id = ?", run
        )
        return {name: tuple(row) for name, *row in rows}  # type: ignore[misc]

    def claim(self, run: int) -> str:
        """Which worker's hold the ancestor is in, if any."""
        return self.ask("SELECT claimed_by FROM networks_network WHERE run_id = ? AND name = 'ancestor'", run)[0][0]

    def wait_for_end(self, run: int, seconds: float = 400) -> None:
        wait_for(lambda: self.run(run)[0] not in ("queued", "running"), seconds, "the run's end")

    def wait_for_life(self, run: int, name: str, progress: float = 0.1) -> None:
        """Until that network is being trained, some way in."""

        def lives() -> bool:
            state, reached = self.networks(run).get(name, ("", 0.0))[:2]
            assert state not in ("measured", "refused"), f"{name} was over before anything could be killed"
            return state == "living" and progress <= reached < 1

        wait_for(lives, 300, f"{name}'s life")

    def restart_after_kill(self) -> None:
        """Kill the supervisor itself and start another on the same folder."""
        members = self.server.members()
        self.server.process.kill()
        self.server.process.wait()
        wait_for(lambda: not self.server.members(), 10, "the end of all children")
        assert members
        self.server = Server(self.home, **PACE, **self.environment).wait_until_up()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    started: list[Installation] = []

    def make(**environment: str) -> Installation:
        started.append(Installation(tmp_path / f"home{len(started)}", **environment))
        return started[-1]

    yield make
    for installation in started:
        installation.server.end()


def assert_same(installation: Installation, run: int, world: World) -> None:
    """The run finished, and every network has the same bits as in the undisturbed one."""
    assert installation.run(run) == ("finished", "")
    found = {name: sha256 for name, (_, _, sha256, *_) in installation.networks(run).items()}
    assert found == world.digests
    chosen = installation.ask(
        "SELECT n.name, n.test_accuracy FROM runs_run r JOIN networks_network n ON r.chosen_id = n.id WHERE r.id = ?",
        run,
    )
    reference = {n["id"]: n["test_accuracy"] for n in world.reference["networks"]}
    assert chosen == [(world.reference["chosen"], reference[world.reference["chosen"]])]
    told = installation.ask("SELECT kind, network_id, data FROM runs_runevent WHERE run_id = ?", run)
    happens_once = [event for event in told if event[0] in ("born", "drawn", "cut", "shock", "epoch", "measured")]
    assert len(set(happens_once)) == len(happens_once)


def test_whatever_is_killed_the_run_ends_with_the_same_bits(world: World, serve: Callable[..., Installation]) -> None:
    installation = serve(EUSTRESS_WORKERS="2")
    run = installation.drive("begin", world.archive, world.spec)

    installation.wait_for_life(run, "ancestor")
    for worker in ("worker-1", "worker-2"):  # one of them lives it
        installation.server.find(worker).kill()

    installation.wait_for_life(run, "1-1")
    installation.server.find("redis-server").kill()  # the messages, too

    wait_for(lambda: "2-1" in installation.networks(run), 300, "the second generation")
    installation.wait_for_life(run, "2-1")
    for member in installation.server.members():  # every child at once: web, workers, clerk, beat, Redis
        if member.pid != installation.server.process.pid:
            member.kill()

    installation.wait_for_end(run)
    assert_same(installation, run, world)
    lost = installation.ask("SELECT count(*) FROM runs_runevent WHERE kind = 'lost' AND run_id = ?", run)
    assert lost[0][0] >= 2


def test_a_killed_supervisor_loses_nothing(world: World, serve: Callable[..., Installation]) -> None:
    installation = serve()
    run = installation.drive("begin", world.archive, world.spec)
    installation.wait_for_life(run, "ancestor", 0.3)
    installation.restart_after_kill()
    installation.wait_for_life(run, "1-2", 0.3)
    assert installation.server.stop() < 10  # an orderly stop in the middle of a life is no different
    installation.server = Server(installation.home, **PACE).wait_until_up()
    installation.wait_for_end(run)
    assert_same(installation, run, world)


def test_a_cancelled_run_stops_within_seconds(world: World, serve: Callable[..., Installation]) -> None:
    installation = serve()
    run = installation.drive("begin", world.archive, world.spec)
    installation.wait_for_life(run, "ancestor")
    asked = time.monotonic()
    installation.drive("cancel", run)
    installation.wait_for_end(run, 30)
    assert installation.run(run)[0] == "cancelled"
    assert time.monotonic() - asked < 15
    assert installation.networks(run)["ancestor"][0] == "cancelled"


def test_paused_killed_resumed_and_extended_it_ends_with_the_same_bits(
    world: World, serve: Callable[..., Installation], tmp_path: Path
) -> None:
    """A run of one generation, paused in mid-life, killed while it sleeps, resumed, and asked for a second
    generation at its end: the same networks as of the run that was asked for two at first."""
    short = tmp_path / "short.json"
    short.write_text(json.dumps({**SPEC, "generations": 1}))
    installation = serve()
    run = installation.drive("begin", world.archive, short)
    installation.wait_for_life(run, "ancestor", 0.2)
    installation.drive("pause", run)
    wait_for(lambda: installation.run(run)[0] == "paused", 15, "the pause")
    state, reached, _, attempts, _ = installation.networks(run)["ancestor"]
    assert (state, attempts) == ("waiting", 0)
    installation.restart_after_kill()
    time.sleep(3)  # as long as three sweeps: nobody takes it up
    assert installation.run(run)[0] == "paused"
    assert installation.networks(run)["ancestor"][:2] == (state, reached)
    installation.drive("resume", run)
    installation.wait_for_end(run)
    assert set(installation.networks(run)) == {"ancestor", "1-1", "1-2"}
    installation.drive("extend", run, 1)
    installation.wait_for_life(run, "2-1", 0.2)
    installation.server.find("worker-1").kill()
    installation.wait_for_end(run)
    assert_same(installation, run, world)


def test_work_that_kills_every_worker_ends_with_a_sentence(
    world: World, serve: Callable[..., Installation], tmp_path: Path
) -> None:
    """Three workers in a row killed at the same place: the run is given up, and says what to try."""
    endless = tmp_path / "endless.json"  # no attempt may reach the end of its life before it is killed
    endless.write_text(json.dumps({**SPEC, "epochs": 5000}))
    installation = serve()
    run = installation.drive("begin", world.archive, endless)
    for _ in range(3):
        installation.wait_for_life(run, "ancestor", 0.0)
        claim = installation.claim(run)
        installation.server.find("worker-1").kill()
        # with the worker dead and its claim not yet taken back: as if no attempt came further than the one before
        installation_write(installation, "UPDATE networks_network SET progress = 0.999")
        wait_for(lambda claim=claim: installation.claim(run) != claim, 60, "the loss to be noticed")
    installation.wait_for_end(run, 60)
    state, message = installation.run(run)
    assert state == "errored"
    assert "was lost 3 times in a row" in message


def installation_write(installation: Installation, statement: str) -> None:
    with closing(sqlite3.connect(installation.home / "database.sqlite3", timeout=30)) as database, database:
        database.execute(statement)
