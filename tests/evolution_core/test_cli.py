"""The command line as a user types it: from a folder of images to a small network, and every way it can go wrong."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from safetensors.torch import save_file

from evolution_core.architectures import build
from evolution_core.cli import main
from evolution_core.cli.terminal import Progress, conclusion, duration, table
from evolution_core.events import Event
from evolution_core.genome import load_network
from evolution_core.records import NetworkRecord
from tests.evolution_core import own_networks
from tests.evolution_core.pictures import class_files, encoded, idx, idx_files, write_folder, write_zip
from tests.evolution_core.tiny import digests

pytestmark = pytest.mark.usefixtures("quick_latency")

QUICK = [
    "--width",
    "0.25",
    "--generations",
    "1",
    "--offspring",
    "1",
    "--epochs",
    "0.5",
    "--batch-size",
    "16",
    "--input",
    "16",
    "--threads",
    "1",
    "--seed",
    "7",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of twelve colour pictures."""
    return write_folder(tmp_path_factory.mktemp("images"), class_files(each=12, size=(16, 16)))


@pytest.fixture(scope="module")
def evolved(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert main(["evolve", "--data", str(folder), "--out", str(out), "--quiet", *QUICK]) == 0
    return out


def refusal(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    status = main([str(part) for part in argv])
    said = capsys.readouterr().err
    assert status == 2
    assert said.startswith("eustress: ")
    assert said.count("\n") == 1, said
    return said


# --- evolve ---------------------------------------------------------------------------------


def test_a_run_is_told_line_by_line_and_summed_up(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["evolve", "--data", str(folder), "--out", str(out), *QUICK]) == 0
    told = capsys.readouterr().out
    assert "\r" not in told  # no live line where nobody watches
    for expected in ("training", "will die", "cut and proven", "shock: accuracy", "measured:", "x smaller", "on test"):
        assert expected in told, expected
    assert told.rstrip().endswith("lineage.json")
    written = json.loads((out / "lineage.json").read_text())
    assert set(digests(out)) == {network["file"] for network in written["networks"]}
    assert {"spec", "networks", "chosen"} <= set(written)


def test_quiet_means_quiet(folder, tmp_path, capsys):
    assert main(["evolve", "--data", str(folder), "--out", str(tmp_path / "out"), "--quiet", *QUICK]) == 0
    assert capsys.readouterr().out == ""


def zipped(path: Path) -> Path:
    return write_zip(path / "images.zip", class_files(each=12))


def idx_folder(path: Path) -> Path:
    return write_folder(path / "idx", idx_files(zipped=True))


def npz(path: Path) -> Path:
    luck = np.random.default_rng(0)
    images = luck.integers(0, 255, (40, 12, 12), dtype=np.uint8)
    np.savez(path / "data.npz", x_train=images, y_train=np.arange(40) % 2, x_test=images, y_test=np.arange(40) % 2)
    return path / "data.npz"


@pytest.mark.parametrize("make", [zipped, idx_folder, npz])
def test_every_format_of_data_evolves(make, tmp_path):
    out = tmp_path / "out"
    assert main(["evolve", "--data", str(make(tmp_path)), "--out", str(out), "--quiet", *QUICK]) == 0
    assert json.loads((out / "lineage.json").read_text())["chosen"] == "1-1"


def test_the_spec_file_of_one_run_makes_the_same_run(folder, evolved, tmp_path):
    again = tmp_path / "again"
    options = ["--spec", str(evolved / "lineage.json"), "--threads", "1", "--quiet"]
    assert main(["evolve", "--data", str(folder), "--out", str(again), *options]) == 0
    assert digests(again) == digests(evolved)


def test_the_same_command_again_finds_the_run_finished(folder, evolved, capsys):
    before = digests(evolved)
    assert main(["evolve", "--data", str(folder), "--out", str(evolved), *QUICK]) == 0
    assert "epoch" not in capsys.readouterr().out
    assert digests(evolved) == before


def test_another_spec_in_the_same_folder_is_refused(folder, evolved, capsys):
    assert "another spec" in refusal(capsys, "evolve", "--data", folder, "--out", evolved, *QUICK, "--epochs", "1")


def test_resume_needs_the_folder_only(evolved, capsys):
    assert main(["evolve", "--resume", str(evolved)]) == 0
    assert "Chosen: 1-1" in capsys.readouterr().out


def test_resume_with_another_folder_is_refused(evolved, tmp_path, capsys):
    assert "--out" in refusal(capsys, "evolve", "--resume", evolved, "--out", tmp_path)


def test_resume_finds_data_that_moved_and_refuses_data_that_changed(folder, tmp_path, capsys):
    moved = write_folder(tmp_path / "one", class_files(each=12, size=(16, 16)))
    out = tmp_path / "out"
    assert main(["evolve", "--data", str(moved), "--out", str(out), "--quiet", *QUICK]) == 0
    moved.rename(tmp_path / "elsewhere")
    assert "does not exist" in refusal(capsys, "evolve", "--resume", out)
    assert main(["evolve", "--resume", str(out), "--data", str(tmp_path / "elsewhere"), "--quiet"]) == 0
    (tmp_path / "elsewhere" / "cat" / "new.png").write_bytes(encoded(999, size=(16, 16)))
    assert "other data" in refusal(capsys, "evolve", "--resume", out, "--data", tmp_path / "elsewhere")


def test_an_own_network_evolves_and_is_exported_again(tmp_path, capsys):
    files = class_files(classes=[f"class {n}" for n in range(own_networks.CLASSES)], each=8, size=(16, 16))
    data = write_folder(tmp_path / "images", files)
    net = own_networks.saved(own_networks.exported_design("resnet", "opset17"), tmp_path)
    out = tmp_path / "out"
    options = ["--generations", "1", "--offspring", "1", "--epochs", "0.5", "--batch-size", "16", "--threads", "1"]
    assert main(["evolve", "--data", str(data), "--own", str(net), "--out", str(out), *options]) == 0
    assert "normalised as" in capsys.readouterr().out
    written = json.loads((out / "lineage.json").read_text())
    assert written["spec"]["architecture"] == "own"
    ancestor, child = written["networks"]
    assert child["parameters"] < ancestor["parameters"]
    assert ancestor["history"] == []  # it came trained
    target = tmp_path / "small.onnx"
    assert main(["export", str(out / child["file"]), "--format", "onnx", "--out", str(target)]) == 0
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    shape = [1, *session.get_inputs()[0].shape[1:]]
    assert session.run(None, {"image": np.zeros(shape, np.float32)})[0].shape == (1, own_networks.CLASSES)
    assert main(["evolve", "--resume", str(out), "--quiet"]) == 0


def test_an_own_network_that_is_none_is_refused_by_name(folder, tmp_path, capsys):
    (tmp_path / "net.onnx").write_bytes(b"hello")
    said = refusal(capsys, "evolve", "--data", folder, "--own", tmp_path / "net.onnx", "--out", tmp_path / "out")
    assert "net.onnx" in said or "ONNX" in said


def test_brought_weights_are_the_ancestor_s(folder, tmp_path):
    model = build("lenet5", 2, (3, 16, 16), 0.25, seed=123)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    out = tmp_path / "out"
    options = ["--weights", str(tmp_path / "weights.safetensors"), "--quiet", *QUICK]
    assert main(["evolve", "--data", str(folder), "--out", str(out), *options]) == 0
    ancestor = load_network(out / "ancestor.safetensors").model
    for name, value in model.state_dict().items():
        assert (ancestor.state_dict()[name] == value).all()
    save_file({"fc9.weight": model.state_dict()["fc1.weight"]}, tmp_path / "weights.safetensors")


def test_weights_that_do_not_fit_are_refused(folder, tmp_path, capsys):
    model = build("lenet5", 2, (3, 16, 16), 0.5, seed=1)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    options = ["--weights", str(tmp_path / "weights.safetensors"), *QUICK]
    assert "conv1.weight" in refusal(capsys, "evolve", "--data", folder, "--out", tmp_path / "out", *options)


# --- bad data ---------------------------------------------------------------------------


def empty_class(path: Path) -> tuple[Path, str]:
    return write_folder(path / "d", {**class_files(each=12), "zebra/": b""}), "zebra"


def one_class(path: Path) -> tuple[Path, str]:
    return write_folder(path / "d", class_files(classes=("cat",), each=12)), "class"


def broken_image(path: Path) -> tuple[Path, str]:
    return write_folder(path / "d", {**class_files(each=12), "cat/bad.png": encoded(1)[:60]}), "cat/bad.png"


def empty_folder(path: Path) -> tuple[Path, str]:
    (path / "d").mkdir()
    return path / "d", ""


def not_a_zip(path: Path) -> tuple[Path, str]:
    (path / "d.zip").write_bytes(b"PK\x03\x04 nothing")
    return path / "d.zip", "d.zip"


def labels_that_do_not_fit(path: Path) -> tuple[Path, str]:
    files = idx_files()
    files["train-labels-idx1-ubyte"] = idx(np.zeros(3, np.uint8))
    return write_folder(path / "d", files), "label"


@pytest.mark.parametrize(
    "make", [empty_class, one_class, broken_image, empty_folder, not_a_zip, labels_that_do_not_fit]
)
def test_bad_data_are_refused_in_one_sentence(make, tmp_path, capsys):
    data, named = make(tmp_path)
    out = tmp_path / "out"
    assert named in refusal(capsys, "evolve", "--data", data, "--out", out, *QUICK)
    assert not out.exists()


def test_images_too_small_for_the_network_are_refused(folder, tmp_path, capsys):
    options = [*QUICK, "--input", "12", "--architecture", "vgg16-bn"]
    assert "32x32" in refusal(capsys, "evolve", "--data", folder, "--out", tmp_path / "out", *options)


def test_a_folder_that_cannot_be_made_is_refused(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert "file" in refusal(capsys, "evolve", "--data", folder, "--out", tmp_path / "file" / "out", *QUICK)


# --- interruption -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_says_how_to_go_on(folder, tmp_path, number):
    out = tmp_path / "out folder"
    command = [sys.executable, "-m", "evolution_core", "evolve", "--data", str(folder), "--out", str(out), *QUICK]
    process = subprocess.Popen(
        [*command, "--epochs", "5000"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch" in line:
            break
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"--resume '{out}'" in said
    assert "Traceback" not in said
    assert (out / "ancestor.checkpoint.safetensors").exists()


# --- measure and export -------------------------------------------------------------------


def test_measure_agrees_with_the_lineage(evolved, capsys):
    written = {network["id"]: network for network in json.loads((evolved / "lineage.json").read_text())["networks"]}
    against = ["--against", str(evolved / "ancestor.safetensors")]
    assert main(["measure", str(evolved / "1-1.safetensors"), "--json", *against]) == 0
    found = json.loads(capsys.readouterr().out)
    for key in ("parameters", "macs", "bytes", "clusters", "peak_activation_bytes"):
        assert found[key] == written["1-1"][key], key
    ours, theirs = ([{k: v for k, v in row.items() if k != "milliseconds"} for row in told["layers"]]
                    for told in (found, written["1-1"]))  # fmt: skip
    assert ours == theirs
    timed = [row["milliseconds"] for row in found["layers"] if "milliseconds" in row]
    assert not timed or sum(timed) == pytest.approx(found["latency_ms"], rel=0.01)  # a tiny network's do not add up
    assert found["latency_ms"] > 0
    assert found["speed_up"] == pytest.approx(found["against_latency_ms"] / found["latency_ms"])
    assert main(["measure", str(evolved / "1-1.safetensors")]) == 0
    printed = capsys.readouterr().out
    assert f"{written['1-1']['parameters']:,}" in printed
    assert re.search(r"^layer +kind +clusters +parameters +multiply-adds +ms$", printed, re.MULTILINE)


def test_export_writes_onnx_and_the_genome(evolved, tmp_path, capsys):
    source = evolved / "1-1.safetensors"
    assert main(["export", str(source), "--format", "onnx", "--out", str(tmp_path / "net.onnx")]) == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    pixels = np.full((2, 3, 16, 16), 128, np.float32)
    assert session.run(None, {session.get_inputs()[0].name: pixels})[0].shape == (2, 2)
    assert main(["export", str(source), "--format", "genome", "--out", str(tmp_path / "genome.json")]) == 0
    genome = json.loads((tmp_path / "genome.json").read_text())
    assert genome["parents"] == ["ancestor"]
    assert genome["classes"] == ["cat", "dog"]
    assert {layer: len(genes) for layer, genes in genome["genes"].items()} == load_network(source).clusters.counts()


def test_export_writes_integers_by_the_images_that_it_was_trained_on(evolved, folder, tmp_path, capsys):
    argv = ["export", str(evolved / "1-1.safetensors"), "--format", "onnx-int8", "--out", str(tmp_path / "net.onnx")]
    assert "--data" in refusal(capsys, *argv)
    assert "--data" in refusal(capsys, *(part.replace("onnx-int8", "onnx") for part in argv), "--data", folder)
    assert main([*argv, "--data", str(folder)]) == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    pixels = np.full((2, 3, 16, 16), 128, np.float32)
    assert session.run(None, {session.get_inputs()[0].name: pixels})[0].shape == (2, 2)
    assert b"QuantizeLinear" in (tmp_path / "net.onnx").read_bytes()


@pytest.mark.parametrize("command", [["measure", "FILE"], ["export", "FILE", "--format", "onnx", "--out", "x.onnx"]])
def test_files_that_are_no_networks_are_refused_by_name(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("hello")
    model = build("lenet5", 2, (3, 16, 16), 0.25)
    save_file(model.state_dict(), tmp_path / "plain")  # safetensors, but without a genome
    for name in ("missing", "text", "plain"):
        argv: list[Any] = [name if part == "FILE" else part for part in command]
        assert name in refusal(capsys, *argv)


def test_export_into_a_folder_that_is_not_there_is_refused(evolved, tmp_path, capsys):
    out = tmp_path / "none" / "net.onnx"
    assert "--out" in refusal(capsys, "export", evolved / "1-1.safetensors", "--format", "onnx", "--out", out)


# --- words ------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A terminal to look at."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_is_one_line_that_lives_and_goes(monkeypatch):
    monkeypatch.setattr("evolution_core.cli.terminal._LIVE_SECONDS", 0.0)
    screen = Terminal()
    progress = Progress(screen)
    for share in (0.25, 0.5):
        data = {"phase": "growth", "share": share, "epoch": 1.5, "loss": 0.25, "images_per_second": 1234.5}
        progress.show(Event("progress", "1-1", data))
    assert "\n" not in screen.getvalue()
    assert "\r      1-1  growth     epoch 1.50  loss 0.2500  1,234 images/s  50 %, ? left" in screen.getvalue()
    progress.show(Event("shock", "1-1", {"accuracy": 0.5}))
    lines = screen.getvalue().split("\n")
    assert lines[0].split("\r")[-1].strip() == "1-1  shock: accuracy 50.00 % right after synthesis"
    assert lines[0].split("\r")[-2].strip() == ""  # wiped before the line that stays


def test_too_little_memory_is_a_sentence(monkeypatch, capsys):
    def fill(options):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:116] DefaultCPUAllocator: not enough memory: you tried")

    monkeypatch.setattr("evolution_core.cli.listings.list_command", fill)
    assert "not enough memory" in refusal(capsys, "stresses")


def test_durations_and_conclusions_in_words():
    assert (duration(65), duration(7384)) == ("1:05", "2:03:04")
    told = conclusion({"chosen": "2-1", "parameters_times": 7.96, "latency_times": 2.0, "test_points_lost": -0.25})
    assert "8.0x smaller" in told
    assert "2.0x faster" in told
    assert "0.25 points won on test" in told
    assert "ends with its ancestor" in conclusion({"chosen": None})


def test_the_table_marks_the_chosen_and_names_the_refused():
    rows = table(
        [
            NetworkRecord("ancestor", 0, validation_accuracy=0.9, parameters=1000),
            NetworkRecord("1-1", 1, ("ancestor",), status="refused"),
            NetworkRecord("1-2", 1, ("ancestor",), validation_accuracy=0.89, shock_accuracy=0.5, parameters=500),
        ],
        "1-2",
    ).splitlines()
    assert len(rows) == 4
    assert "refused" in rows[2]
    assert rows[3].startswith("*")
    assert "89.00 %" in rows[3]
