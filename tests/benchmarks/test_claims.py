"""The harness of the claims: a tiny unit of each kind for real, and the page from made-up results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.claims import __main__ as command
from benchmarks.claims import places, report, results, units
from benchmarks.claims.arms import CONTROLS, HEADLINE, PEER
from benchmarks.claims.comparing import paired
from benchmarks.claims.declared import Arm, Claim, epochs_in_all
from benchmarks.claims.reading import Measured
from benchmarks.claims.register import CLAIMS
from evolution_core.spec import EustressError

FIELDS = {"environment": "4x"}
TINY = Claim(
    "tiny",
    "A tiny one",
    "About it.",
    "tiny",
    {
        "architecture": "lenet5",
        "width": 0.3,
        "generations": 2,
        "offspring": 1,
        "ancestor_epochs": 0.2,
        "epochs": 0.2,
        "resource": "parameters",
        "batch_size": 16,
    },
    (
        Arm("evolved", "evolved", HEADLINE, fields=FIELDS),
        Arm("rested", "rested", HEADLINE, fields={**FIELDS, "stress": "none"}),
        Arm("dense", "dense", CONTROLS, "dense", of="evolved"),
        Arm("scratch", "scratch", CONTROLS, "scratch", of="evolved"),
        Arm("narrowed", "narrowed", CONTROLS, "narrowed", of="evolved"),
        Arm("tp", "tp", PEER, "torch-pruning", of="evolved", options={"importance": "taylor", "share": "global"}),
        Arm("tp-ours", "tp", PEER, "torch-pruning", of="evolved", options={"importance": "magnitude", "share": "ours"}),
    ),
    seeds=1,
)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """run(arm) -> the unit's result, in a workplace of its own with 80 images of noise."""
    luck = np.random.default_rng(0)
    images = luck.integers(0, 256, (120, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "tiny.npz", x_train=images[:80], y_train=np.arange(80) % 4, x_test=images[80:],
             y_test=np.arange(40) % 4)  # fmt: skip
    monkeypatch.setitem(places.PACKAGED, "tiny", tmp_path / "tiny.npz")
    monkeypatch.setattr(places, "WORK", tmp_path / "work")

    def run(arm: str) -> dict[str, Any]:
        units.run(TINY, TINY.arm(arm), 0, lambda _: None, work=tmp_path / "work", kept=tmp_path / "results")
        return json.loads(results.path_of(TINY, TINY.arm(arm), 0, tmp_path / "results").read_text())

    yield run
    places.inspection.cache_clear()
    places._loaded.cache_clear()


def test_every_kind_of_arm_is_measured_at_equal_cost_and_size(tiny: Any, tmp_path: Path) -> None:
    evolved = tiny("evolved")
    assert [one["generation"] for one in evolved["generations"]] == [1, 2]
    assert evolved["chosen"]["test"] is not None
    assert evolved["chosen"]["times_smaller"] == pytest.approx(4, rel=0.2)
    assert evolved["settings"]["environment"]["name"] == "target"
    assert evolved["command"] == "python -m benchmarks.claims run tiny --arms evolved --seeds 0"
    others = {name: tiny(name) for name in ("rested", "dense", "scratch", "narrowed", "tp", "tp-ours")}
    assert {found["epochs"] for found in others.values()} == {evolved["epochs"]}
    assert {found["ancestor"]["test"] for found in others.values()} == {evolved["ancestor"]["test"]}
    assert len(list((tmp_path / "work" / "ancestors").iterdir())) == 3  # the ancestor, dense, narrowed
    size = evolved["chosen"]["parameters"]
    assert others["scratch"]["chosen"]["parameters"] == others["tp-ours"]["chosen"]["parameters"] == size
    assert size <= others["narrowed"]["chosen"]["parameters"] < 2 * size
    assert size <= others["tp"]["chosen"]["parameters"] < 2 * size
    assert others["dense"]["chosen"]["parameters"] == evolved["ancestor"]["parameters"]
    assert list((tmp_path / "work" / "units" / "tiny").iterdir()) == []


def test_what_has_a_result_is_not_run_again(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny("evolved")
    monkeypatch.setattr(units, "evolved", None)
    assert tiny("evolved") == first


def test_a_control_waits_for_its_arm(tiny: Any) -> None:
    with pytest.raises(EustressError, match="evolved has no result"):
        tiny("scratch")


def test_a_unit_begun_under_other_settings_starts_afresh(tiny: Any, tmp_path: Path) -> None:
    stale = tmp_path / "work" / "units" / "tiny" / "evolved-0" / "run"
    stale.mkdir(parents=True)
    (stale / "run.json").write_text('{"spec": {}}')
    assert tiny("evolved")["chosen"]["test"] is not None


def test_missing_data_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLAIMS_DATA", raising=False)
    with pytest.raises(EustressError, match=r"cifar10-jpeg\.zip was not found"):
        places.source("cifar10-jpeg")


def test_every_claim_compares_at_equal_cost() -> None:
    """Arms of one claim, other than those of sizes alone and those that say so, have the same epochs in all."""
    for claim in CLAIMS.values():
        arms = [arm for arm in claim.arms if arm.kind != "size" and "epochs, more in all" not in arm.title]
        epochs = {round(epochs_in_all(claim.spec(arm, 0)), 6) for arm in arms}
        assert len(epochs) <= 1, claim.name


# --- the page


def made(
    folder: Path,
    arm: str,
    seed: int,
    test: float,
    *,
    of: str = "lenet-mnist",
    shock: float = 0.9,
    parameters: int = 4300,
    faster: float = 5.0,
    shares: dict[str, float] | None = None,
) -> None:
    """A result as a unit would have written it."""
    claim = CLAIMS[of]
    own = claim.arm(arm)
    ancestor = {
        "id": "ancestor",
        "parameters": 431_080,
        "living_synapses": 431_080,
        "macs": 2_293_000,
        "validation": 0.99,
        "test": 0.991,
    }
    generation = {
        **ancestor, "parameters": parameters, "generation": 1, "shock": shock, "validation": test,
        "epochs": {"gestation": 0.8, "growth": 1.2}, "seconds": {"growth": 2.0},
        "history": [{"phase": "growth", "epoch": 1.0, "accuracy": 0.986}],
    }  # fmt: skip
    small = {
        **ancestor, "parameters": parameters, "living_synapses": parameters, "validation": test, "test": test,
        "latency_ms": 0.1, "ancestor_latency_ms": 0.5, "times_smaller": 431_080 / parameters,
        "times_fewer_macs": 20.0, "times_faster": faster, "time_shares": shares,
    }  # fmt: skip
    found = {
        "about_data": {"train": 55_000, "validation": 5_000, "test": 10_000}, "epochs": 12.0, "seconds": 60.0,
        "metric": "accuracy", "ancestor": ancestor, "networks": [], "chosen": small,
        "generations": [generation, {**generation, "generation": 2}] if own.kind == "evolve" else [],
    }  # fmt: skip
    results.write(claim, own, seed, claim.spec(own, seed), found, folder)


@pytest.fixture
def page(tmp_path: Path) -> Any:
    """The page as it is written from tmp_path / "results"."""
    return lambda: report.write(tmp_path / "results", tmp_path / "docs" / "results.md", tmp_path / "docs" / "img")


def test_a_page_without_results_says_how_to_get_them(page: Any) -> None:
    text = page().read_text()
    assert "Not measured yet: `python -m benchmarks.claims run lenet-mnist`." in text
    assert "**not measured yet**" in text


def test_the_page_tells_the_unwelcome_first(page: Any, tmp_path: Path) -> None:
    for seed, luck in enumerate((0.0, 0.0002, 0.0004)):
        made(tmp_path / "results", "evolved", seed, 0.985 + luck, shock=0.97)
        made(tmp_path / "results", "dense", seed, 0.992 + luck / 2, parameters=431_080)
        made(tmp_path / "results", "scratch", seed, 0.987 - luck / 4)
        made(tmp_path / "results", "once-repair", seed, 0.980 + luck / 2)
        made(tmp_path / "results", "waiting", seed, 0.984, shock=0.60)
        made(tmp_path / "results", "tp-taylor-global", seed, 0.985 + luck / 2)
    text = page().read_text()
    opening = text.split("\n")[2]
    assert "worse in 1 of 1 settings against **the same architecture trained from scratch for as long**" in opening
    assert "better in 1 of 1 settings against **one cut with repair**" in opening
    rows = {line.split("|")[1].strip(): line for line in text.split("\n") if line.startswith("| ")}
    assert "| worse: -0.1" in rows["LeNet-5 on MNIST"]
    headline = rows["LeNet-5, MNIST: parameters, at most 1 point below dense"]
    assert "**target reached**" in headline
    assert "100.3x at -0.69 points" in headline
    assert "**stretch reached**" in rows["Accuracy right after synthesis: stress minus none"]
    assert "**target reached**" in rows["Final accuracy against Torch-Pruning, LeNet-5 on MNIST"]
    assert "`scratch`" in text
    assert "Each row: `python -m benchmarks.claims run lenet-mnist --arms ARM`." in text
    for kind in ("size", "shock", "pareto"):
        for ground in ("light", "dark"):
            assert (tmp_path / "docs" / "img" / f"lenet-mnist-{kind}-{ground}.svg").stat().st_size > 2000
        assert f"img/lenet-mnist-{kind}-light.svg" in text


def test_a_target_that_is_missed_is_reported_as_such(page: Any, tmp_path: Path) -> None:
    made(tmp_path / "results", "evolved", 0, 0.970)
    made(tmp_path / "results", "dense", 0, 0.992, parameters=431_080)
    row = next(line for line in page().read_text().split("\n") if line.startswith("| LeNet-5, MNIST"))
    assert "**not reached**" in row
    assert "100.3x at -2.20 points (one seed)" in row
    why = next(line for line in page().read_text().split("\n") if line.startswith("- **LeNet-5, MNIST**"))
    assert "-2.0 and +0.0 points" in why
    assert "No remedy is measured yet." in why
    made(tmp_path / "results", "scratch", 0, 0.975)
    assert "from scratch, as long: +0.50 points (one seed)" in page().read_text()


def test_a_detector_is_told_with_what_was_tried_first(page: Any, tmp_path: Path) -> None:
    folder, size = tmp_path / "results", 431_080 // 33
    for of, lost, faster in (("yolo-half", 0.01, 7.0), ("yolo-bccd", 0.03, 3.0)):
        made(folder, "evolved", 0, 0.85 - lost, of=of, parameters=size, faster=faster)
        made(folder, "dense", 0, 0.85, of=of, parameters=431_080)
    shares = {"conv1": 0.45, "conv2": 0.55}
    made(folder, "33x-quarter", 0, 0.0, of="yolo-speed", shares=shares)
    made(folder, "33x-quarter", 1, 0.0, of="yolo-speed", shares={"conv1": 0.61, "conv2": 0.39})
    text = page().read_text()
    row = next(line for line in text.split("\n") if line.startswith("| YOLOv2 by width"))
    assert "**target reached**" in row
    assert "33.0x at -1.00 points (one seed), 7.0x faster; tried first, from a quarter of its width: 33.0x" in row
    assert "3.0x faster (a newborn one spends 53 % of its time in conv1)" in row


def test_a_narrowed_network_of_another_size_is_called_so(page: Any, tmp_path: Path) -> None:
    for seed in (0, 1):
        made(tmp_path / "results", "evolved", seed, 0.985)
        made(tmp_path / "results", "narrowed", seed, 0.986, parameters=4300 * 13 // 10)
    line = next(line for line in page().read_text().split("\n") if line.startswith("| LeNet-5 on MNIST"))
    assert ", of 1.30x the parameters" in line


def test_the_same_results_give_the_same_files(page: Any, tmp_path: Path) -> None:
    made(tmp_path / "results", "evolved", 0, 0.985)
    first = {path: path.read_bytes() for path in (page(), *(tmp_path / "docs" / "img").iterdir())}
    assert {path: path.read_bytes() for path in (page(), *(tmp_path / "docs" / "img").iterdir())} == first


def test_results_of_undeclared_seeds_are_not_told(tmp_path: Path) -> None:
    made(tmp_path, "evolved", 0, 0.985)
    made(tmp_path, "evolved", 100, 0.999)
    assert Measured(CLAIMS["lenet-mnist"], tmp_path).test("evolved") == {0: 98.5}


def test_a_generation_comes_back_when_it_is_within_half_a_point(tmp_path: Path) -> None:
    made(tmp_path, "evolved", 0, 0.99, shock=0.986)
    made(tmp_path, "waiting", 0, 0.99, shock=0.70)
    here = Measured(CLAIMS["lenet-mnist"], tmp_path)
    assert here.recovery("evolved", 1) == [0.0]
    assert here.recovery("waiting", 1) == [1.0]


def test_the_interval_of_a_paired_difference() -> None:
    found = paired({0: 3.0, 1: 4.0, 2: 5.0, 9: 1.0}, {0: 1.0, 1: 3.0, 2: 2.0, 8: 7.0})
    assert found is not None
    assert (found.mean, found.seeds, found.sign) == (2.0, 3, 0)
    assert found.half == pytest.approx(4.303 / 3**0.5)
    sure = paired({0: 3.0, 1: 3.1}, {0: 1.0, 1: 1.1})
    assert sure is not None
    assert sure.sign == 1
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_the_command_lists_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name}: " in shown for name in CLAIMS)
    assert command.main(["run", "lenet-mnist", "--arms", "nothing"]) == 1
