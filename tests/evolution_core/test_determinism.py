"""The same seed gives the same networks, bit for bit, however often a run is stopped or killed on the way."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evolution_core import lineage
from evolution_core.events import Event
from evolution_core.evolution import evolve
from evolution_core.life import Life, measuring, work
from evolution_core.lineage import read_record
from evolution_core.records import ANCESTOR, Plan, ancestor_plan
from evolution_core.spec import RunSpec
from evolution_core.training import Checkpoint
from tests.evolution_core.tiny import digests, evolved, of_kind, tiny_data, tiny_spec

pytestmark = pytest.mark.usefixtures("quick_latency")

# What a life can meet on its way: dropout, batch norm, stress with and without draws of its own, masks, a teacher.
SPECS: dict[str, dict[str, Any]] = {
    "death list": {},
    "rehearsal, weakening": {
        "stress": ["rehearsal", {"name": "weakening", "parameters": {"every": 1}}],
        "augmentation": "flip-shift",
    },
    "mates, masks and a teacher": {
        "offspring": 2,
        "survivors": 2,
        "parents": 2,
        "encoding": "both",
        "distillation": 0.5,
        "repair": True,
        "candidates": 2,
    },
    "dropout and lrn": {"architecture": "alexnet-small", "width": 0.05, "epochs": 1},
}


def one_of(name: str) -> RunSpec:
    return tiny_spec(**SPECS[name])


@pytest.mark.parametrize("name", list(SPECS))
def test_the_same_seed_gives_the_same_bits(tmp_path, name):
    evolved(one_of(name), tmp_path / "one")
    torch.manual_seed(99)  # the global state is nobody's business
    torch.rand(10)
    evolved(one_of(name), tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two") != {}


def test_another_seed_gives_another_network(tmp_path):
    evolved(tiny_spec(generations=1), tmp_path / "one")
    evolved(tiny_spec(generations=1, seed=8), tmp_path / "two")
    assert not set(digests(tmp_path / "one").values()) & set(digests(tmp_path / "two").values())


def test_a_run_leaves_the_global_random_state_as_it_was(tmp_path):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    evolved(tiny_spec(generations=1, epochs=0.5), tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_siblings_do_not_depend_on_each_other(tmp_path):
    """Born alone, in the other order, a network is the same: that is what lets workers share a generation out."""
    spec = tiny_spec(offspring=2, generations=1)
    evolved(spec, tmp_path / "one")
    for number in (2, 1):
        plan = Plan(f"1-{number}", 1, (ANCESTOR,))
        if number == 2:
            list(Life(spec, Plan(ANCESTOR, 0), tiny_data(), tmp_path / "two").events())
        list(Life(spec, plan, tiny_data(), tmp_path / "two").events())
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_parents_files_are_only_read(tmp_path):
    spec = tiny_spec()
    run = evolve(spec, tiny_data(), tmp_path)
    seen: dict[str, str] = {}
    for event in run:
        now = digests(tmp_path)
        assert all(now[name] == digest for name, digest in seen.items())
        if event.kind == "measured":
            seen = now
    assert len(seen) == 3


# --- stopping -----------------------------------------------------------------------------


def stopped_after_every_event(spec: RunSpec, out: Path) -> list[Event]:
    """Stop after one event, then after two, then after three ...: each stop is at another place of the run."""
    for stop in range(1, 500):
        run = evolve(spec, tiny_data(), out)
        events = []
        for event in run:
            events.append(event)
            if len(events) == stop:
                break
        run.close()
        if events[-1].kind == "finished":
            return events
    raise AssertionError("the run does not get on")


@pytest.mark.parametrize("name", list(SPECS))
def test_a_run_stopped_after_any_event_ends_with_the_same_bits(tmp_path, name):
    spec = one_of(name).replace(generations=1)
    evolved(spec, tmp_path / "whole")
    stopped_after_every_event(spec, tmp_path / "stopped")
    assert digests(tmp_path / "whole") == digests(tmp_path / "stopped") != {}
    one, other = (json.loads((tmp_path / part / "lineage.json").read_text()) for part in ("whole", "stopped"))
    for network, again in zip(one["networks"], other["networks"], strict=True):
        for key in ("validation_accuracy", "shock_accuracy", "test_accuracy", "clusters", "proof", "history"):
            assert network[key] == again[key], key
    assert one["chosen"] == other["chosen"]


def test_a_resumed_life_tells_its_beginning_again_word_for_word(tmp_path):
    spec = tiny_spec(generations=1)
    whole = [event.to_json() for event in evolved(spec, tmp_path / "whole") if event.network == "1-1"]
    run = evolve(spec, tiny_data(), tmp_path / "stopped")
    for event in run:
        if event.network == "1-1" and event.kind == "progress" and event.data["phase"] == "growth":
            break
    run.close()
    again = [event.to_json() for event in evolve(spec, tiny_data(), tmp_path / "stopped") if event.network == "1-1"]
    beginning = [event for event in whole if event["kind"] in ("born", "drawn", "gestation", "cut", "shock", "growth")]
    assert [event for event in again if event["kind"] not in ("progress", "epoch", "measured", "tested")] == beginning


def test_a_finished_run_changes_nothing_when_asked_again(tmp_path):
    evolved(tiny_spec(generations=1), tmp_path)
    before = (tmp_path / "lineage.json").read_bytes()
    again = evolved(tiny_spec(generations=1), tmp_path)
    assert (tmp_path / "lineage.json").read_bytes() == before
    assert not of_kind(again, "progress")
    assert again[-1].kind == "finished"


def test_nothing_of_the_work_under_way_is_left_at_the_end(tmp_path):
    evolved(tiny_spec(), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    networks = {f"{name}{end}" for name in ("ancestor", "1-1", "2-1") for end in (".safetensors", ".json")}
    assert names == networks | {"lineage.json", "run.json", ".lock"}


# --- dying --------------------------------------------------------------------------------


class Death(BaseException):
    """The process is gone: nothing after it runs."""


@pytest.mark.parametrize(
    ("where", "what"), [(measuring, "save_network"), (measuring, "_measured"), (work, "write_json")]
)
def test_a_death_while_a_network_is_written_down_loses_nothing(tmp_path, monkeypatch, where, what):
    spec = tiny_spec(generations=1)
    evolved(spec, tmp_path / "whole")

    def die(*arguments, **named):
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(where, what, die)
        with pytest.raises(Death):
            evolved(spec, tmp_path / "dead")
    assert lineage.read_record(tmp_path / "dead", ANCESTOR) is None
    evolved(spec, tmp_path / "dead")
    assert digests(tmp_path / "whole") == digests(tmp_path / "dead")


def test_a_spoilt_checkpoint_is_left_aside_and_said_to_be(tmp_path):
    spec = tiny_spec(generations=1)
    evolved(spec, tmp_path / "whole")
    run = evolve(spec, tiny_data(), tmp_path / "spoilt")
    for event in run:
        if event.kind == "progress":
            break
    run.close()
    (checkpoint,) = (tmp_path / "spoilt").glob("*.checkpoint.safetensors")
    content = bytearray(checkpoint.read_bytes())
    content[-5] ^= 0xFF
    checkpoint.write_bytes(bytes(content))
    again = evolved(spec, tmp_path / "spoilt")
    assert any("left aside" in event.data["message"] for event in of_kind(again, "note"))
    assert digests(tmp_path / "whole") == digests(tmp_path / "spoilt")


def test_a_process_killed_without_warning_goes_on_to_the_same_bits(tmp_path):
    """SIGKILL, twice, at moments that nobody chose."""
    data = tiny_data(train=480)
    np.savez(
        tmp_path / "data.npz",
        x_train=data.train.images[:, 0].numpy(),
        y_train=data.train.targets.numpy(),
        x_test=data.test.images[:, 0].numpy(),
        y_test=data.test.targets.numpy(),
    )
    spec = tiny_spec(generations=1, epochs=8)
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_json()))
    options = ["--data", "data.npz", "--spec", "spec.json", "--threads", "1", "--quiet"]
    command = [sys.executable, "-m", "evolution_core", "evolve", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for moment in ("ancestor.checkpoint", "1-1.checkpoint"):
        process = subprocess.Popen([*command, "--out", "killed"], cwd=tmp_path, env=environment, start_new_session=True)
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            if (tmp_path / "killed" / f"{moment}.safetensors").exists():
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02)
        process.wait()
    for out in ("killed", "whole"):
        subprocess.run([*command, "--out", out], cwd=tmp_path, env=environment, check=True, timeout=240)
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole") != {}


def test_a_process_killed_at_any_event_leaves_no_hole_in_the_learning_curve(tmp_path, monkeypatch):
    """Saving at every chance: what lies on disk at each event is what a killed process would leave behind."""
    monkeypatch.setattr(Checkpoint.__init__, "__kwdefaults__", {"identity": None, "every": 0.0})
    spec, data, whole = tiny_spec(epochs=3), tiny_data(), tmp_path / "whole"
    whole.mkdir()
    left = []
    for number, event in enumerate(Life(spec, ancestor_plan(), data, whole).events()):
        if event.kind in ("progress", "epoch"):
            left.append(shutil.copytree(whole, tmp_path / f"killed{number}"))
    wanted = read_record(whole, ANCESTOR)
    assert len(wanted.history) == 3
    for folder in left:
        list(Life(spec, ancestor_plan(), data, folder).events())
        assert read_record(folder, ANCESTOR).history == wanted.history
    assert all(digests(folder) == digests(whole) for folder in left)


def test_the_spec_alone_decides_and_not_the_words_it_came_in(tmp_path):
    spec = tiny_spec(generations=1, epochs=0.5, environment="0.6", stress="death-list")
    same = RunSpec.from_json(json.dumps(spec.to_json()))
    assert same == dataclasses.replace(spec)
    evolved(spec, tmp_path / "one")
    evolved(same, tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
