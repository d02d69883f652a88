"""A checkpoint is whole and ours, or it is left aside with a reason."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from evolution_core.spec import RunSpec
from evolution_core.training import Checkpoint

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(4)}


def written(path, spec=None, **identity):
    checkpoint = Checkpoint(path, spec or RunSpec(), identity=identity)
    checkpoint.notes, checkpoint.tensors = {"shock": 0.5}, {"alive": torch.tensor([True, False])}
    checkpoint.write(
        phase="growth",
        seed=2**62,
        step=3,
        steps=9,
        model=TENSORS,
        optimizer={"0.weight.step": torch.tensor(3.0)},
        numbers={"0.weight.lag": 0.25},
    )
    return checkpoint


def test_everything_comes_back(tmp_path):
    saved = written(tmp_path / "c", network="1-1").read()
    assert (saved.phase, saved.seed, saved.step, saved.steps) == ("growth", 2**62, 3, 9)
    assert torch.equal(saved.model["weight"], TENSORS["weight"])
    assert saved.model["count"].shape == ()
    assert saved.optimizer["0.weight.step"] == 3
    assert saved.numbers == {"0.weight.lag": 0.25}
    assert saved.notes == {"shock": 0.5}
    assert saved.tensors["alive"].tolist() == [True, False]


def test_the_file_says_how_it_was_made_and_holds_no_pickle(tmp_path):
    spec = RunSpec(seed=11)
    path = written(tmp_path / "c", spec).path
    with safe_open(path, framework="pt") as stream:
        about = json.loads(stream.metadata()["about"])
    assert RunSpec.from_json(about["spec"]) == spec
    assert about["identity"]["torch"] == torch.__version__


def test_no_file_is_no_checkpoint_and_no_complaint(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", RunSpec())
    assert checkpoint.read() is None
    assert checkpoint.reason is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"\x80\x04pickle" * 30,
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
        lambda content: content.replace(b'\\"step\\": 3', b'\\"step\\": 4'),
    ],
    ids=["empty", "cut off", "a pickle", "a mad header", "one bit of a tensor", "a counter"],
)
def test_a_damaged_file_is_left_aside_with_a_reason(tmp_path, harm):
    checkpoint = written(tmp_path / "c")
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(harm(content))
    assert checkpoint.path.read_bytes() != content
    assert checkpoint.read() is None
    assert checkpoint.reason


def test_a_safetensors_file_of_something_else_is_left_aside(tmp_path):
    save_file(TENSORS, tmp_path / "c", {"genome": "{}"})
    checkpoint = Checkpoint(tmp_path / "c", RunSpec())
    assert checkpoint.read() is None
    assert "no checkpoint of ours" in checkpoint.reason


def test_another_life_is_not_taken_for_this_one(tmp_path):
    path = written(tmp_path / "c", RunSpec(seed=1), network="1-1").path
    for spec, network, what in ((RunSpec(seed=2), "1-1", "spec"), (RunSpec(seed=1), "1-2", "network")):
        checkpoint = Checkpoint(path, spec, identity={"network": network})
        assert checkpoint.read() is None
        assert checkpoint.reason == f"it was made with another {what}"


def test_another_thread_count_is_another_life(tmp_path):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        path = written(tmp_path / "c").path
        torch.set_num_threads(2)
        checkpoint = Checkpoint(path, RunSpec())
        assert checkpoint.read() is None
        assert "threads" in checkpoint.reason
    finally:
        torch.set_num_threads(threads)


def test_a_write_that_fails_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    checkpoint = written(tmp_path / "c")
    before = checkpoint.path.read_bytes()

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.write(phase="growth", seed=1, step=4, steps=9, model=TENSORS)
    assert checkpoint.path.read_bytes() == before
    assert not list(tmp_path.glob(".c*"))  # nothing half-written is left behind


def test_a_deleted_checkpoint_is_gone_and_may_be_deleted_again(tmp_path):
    checkpoint = written(tmp_path / "c")
    (tmp_path / ".c.123.part").touch()  # of a process killed while writing
    checkpoint.delete()
    checkpoint.delete()
    assert not list(tmp_path.glob("*c*"))
    assert checkpoint.read() is None
