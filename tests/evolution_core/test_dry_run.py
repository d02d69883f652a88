"""A dry run says what a run would be: the same sizes as the run itself, times that add up, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from evolution_core.architectures.onnx_import import load_onnx
from evolution_core.cli import main
from evolution_core.data import load
from evolution_core.dry_run import Range, dry_run
from evolution_core.dry_run import rehearsing as module
from evolution_core.dry_run.cost import CROWDED, Cost, Measured, disk
from evolution_core.dry_run.pace import Pace
from evolution_core.dry_run.report import Sketched
from evolution_core.measurement import latency_ms
from evolution_core.spec import RunSpec, SpecError
from tests.evolution_core import boxes as drawn
from tests.evolution_core.own_networks import SIDE, exported_design, saved
from tests.evolution_core.pictures import class_files, write_folder
from tests.evolution_core.tiny import evolved, of_kind, tiny_data, tiny_spec

pytestmark = pytest.mark.usefixtures("quick_latency", "_quick")


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "latency_ms", lambda files, **_: latency_ms(files, rounds=5, seconds=0.01, warm_up=0.001)
    )


def tried(spec: RunSpec, data=None, **more):
    return dry_run(spec, data or tiny_data(), probe_seconds=0.01, **more)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resource": "parameters", "environment": 0.5},
        {"environment": "6x", "resource": "macs"},
        {"environment": {"name": "per-layer", "layers": {"conv1": 1.0, "fc1": 0.2}}},
        {"strength": "taylor"},
        {"protect": "conv2"},
    ],
    ids=lambda changes: ",".join(changes) or "defaults",
)
def test_the_run_itself_is_born_as_large_as_the_dry_run_said(changes: dict, tmp_path: Path) -> None:
    spec = tiny_spec(**changes)
    found = tried(spec)
    records = [event.data["record"] for event in of_kind(evolved(spec, tmp_path), "measured")]
    for record, network in zip(records, found.networks, strict=True):
        assert network.id == record["id"]
        assert network.layers == record["clusters"]
        assert (network.parameters, network.macs, network.bytes) == (
            record["parameters"],
            record["macs"],
            record["bytes"],
        )
        assert network.latency_ms is not None
    assert found.drawn == found.generations == 2


def test_masked_synapses_are_counted_as_such() -> None:
    found = tried(tiny_spec(encoding="both", synapse_share=0.25))
    assert found.ancestor.living_synapses == found.ancestor.parameters
    assert found.first is not None
    assert found.first.living_synapses < 0.5 * found.first.parameters


def test_the_resource_latency_is_tried_too() -> None:
    found = tried(tiny_spec(resource="latency", environment=0.9, generations=1))
    assert found.first is not None
    assert found.first.budget["resource"] == "latency"


def test_a_detector_is_tried(tmp_path: Path) -> None:
    archive = drawn.zipped(tmp_path / "boxes.zip", drawn.voc(drawn.scenes(24)))
    spec = RunSpec.from_json(
        {
            "architecture": "tiny-yolov2",
            "width": 0.05,
            "input_size": 64,
            "generations": 1,
            "batch_size": 8,
            "width_multiple": 1,
            "augmentation": "flip-shift",
        }
    )
    found = tried(spec, load(archive, spec=spec))
    assert found.first is not None
    assert found.first.parameters < found.ancestor.parameters
    assert found.seconds.low > 0


def test_an_own_network_is_tried(tmp_path: Path) -> None:
    path = saved(exported_design("mobilenet", "opset17"), tmp_path)
    spec = RunSpec(architecture="own", own=load_onnx(path).digest, generations=1, batch_size=8, width_multiple=1)
    data = tiny_data(classes=5, size=SIDE, channels=3, train=40, others=20)
    found = tried(spec, data, own=path)
    assert found.ancestor.parameters == load_onnx(path).parameters
    assert found.epochs == 0  # it comes trained
    assert any("normalised" in note for note in found.notes)


def test_every_part_of_the_method_can_be_tried() -> None:
    spec = tiny_spec(
        stress=("pressure", "rehearsal"),
        distillation=0.5,
        candidates=3,
        parents=2,
        survivors=1,
        offspring=2,
        repair=True,
        progressive_size=12,
        inheritance="newborn",
        optimizer="sgd",
    )
    found = tried(spec)
    assert found.drawn == 2
    assert json.loads(json.dumps(found.to_json()))["networks"][1]["layers"]["conv1"] == 3


def test_floors_that_stop_the_line_are_told() -> None:
    found = tried(tiny_spec(environment="0.6,0.05", minimum_clusters=3, generations=8))
    assert found.drawn < found.generations
    assert found.notes[-1].startswith(f"Generation {found.drawn + 1} could not be born")
    assert len(found.birth_seconds) == 8


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(SpecError) as refused:
        tried(tiny_spec(protect=("conv9",)))
    assert "conv9" in refused.value.problems["protect"]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    tried(tiny_spec(), scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    calls = iter([None, None])

    def check() -> None:
        if next(calls, "over") == "over":
            raise Stop

    with pytest.raises(Stop):
        tried(tiny_spec(), scratch=tmp_path, check=check)
    assert list(tmp_path.iterdir()) == []


# --- the arithmetic ---------------------------------------------------------------------------


def network(generation: int, macs: int) -> Sketched:
    return Sketched(str(generation), generation, macs, macs, macs, 4 * macs, 5 * macs, {"conv1": 1})


LINE = [network(0, 1000), network(1, 500), network(2, 100)]


def costs(spec: RunSpec, **changes) -> Cost:
    values = {
        "macs": [1000, 100],
        "paces": [Pace(Range(1.0, 1.0), 0.0), Pace(Range(0.1, 0.1), 0.0)],
        "gestation": 1.0,
        "birth": 0.0,
        "finishing": 0.0,
        "progressive": 1.0,
        "train": 100,
        "validation": 0,
        "test": 0,
    }
    return Cost(spec, Measured(**{**values, **changes}), LINE, ancestor_epochs=2.0)


def middle(seconds: Range) -> float:
    """Without the margins around what was measured."""
    assert seconds.high / seconds.low == pytest.approx(1.25 / 0.9)
    return seconds.low / 0.9


def test_time_is_epochs_times_images_times_pace() -> None:
    spec = tiny_spec(generations=2, epochs=2, gestation=0.5)
    assert middle(costs(spec).ancestor()) == pytest.approx(200.0)
    # gestation on the parent's size, growth on the child's: 500 multiply-adds lie between 1.0 and 0.1 seconds
    assert middle(costs(spec).birth(1)) == pytest.approx(100 * 1.0 + 100 * 0.5)
    assert middle(costs(spec).birth(2)) == pytest.approx(100 * 0.5 + 100 * 0.1)
    assert middle(costs(spec).whole(1)) == pytest.approx(200 + 150 + 60)
    longer = costs(spec.replace(last_epochs=20.0))
    assert middle(longer.birth(2)) == pytest.approx(1000 * 0.5 + 1000 * 0.1)
    assert middle(longer.birth(1)) == middle(costs(spec).birth(1))


def test_stress_evaluation_and_measuring_count_too() -> None:
    spec = tiny_spec(generations=2, epochs=2, gestation=0.5)
    assert middle(costs(spec, gestation=3.0).birth(1)) == pytest.approx(3 * 100 + 50)
    assert middle(costs(spec, birth=7.0, finishing=2.0).birth(1)) == pytest.approx(159)
    seen = [Pace(Range(1.0, 1.0), 0.5), Pace(Range(0.1, 0.1), 0.5)]
    evaluated = costs(spec, paces=seen, validation=10)  # a point of the curve in each phase, the shock, the end
    assert middle(evaluated.birth(1)) == pytest.approx(150 + 4 * 10 * 0.5)
    assert middle(costs(spec, progressive=0.5).ancestor()) == pytest.approx(100.0)


def test_siblings_side_by_side_take_turns() -> None:
    spec = tiny_spec(generations=2, epochs=2, gestation=0.5, offspring=4)
    alone, two, many = (costs(spec).whole(count) for count in (1, 2, 99))
    assert middle(alone) == pytest.approx(200 + 4 * 210)
    assert two.low == pytest.approx(0.9 * (200 + 2 * 210))
    assert two.high == pytest.approx(1.25 * (200 + 2 * 210 * CROWDED))
    assert many.low == pytest.approx(0.9 * (200 + 210))  # no more than there are siblings


def test_disk_counts_every_network_once_and_what_is_under_way() -> None:
    spec = tiny_spec(generations=3, offspring=2)
    kept, working = disk(spec, LINE, at_once=2, image_bytes=11)
    assert kept == 5000 + 2 * (2500 + 500 + 500)  # the third generation as large as the second
    assert working == kept + 2 * 3 * 4000 + 11


# --- the command line -------------------------------------------------------------------------


def test_the_command_line_prints_it_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "images", class_files(each=12, size=(16, 16)))
    options = ["--width", "0.25", "--input", "16", "--generations", "2", "--batch-size", "16", "--threads", "1"]
    assert main(["evolve", "--data", str(folder), "--dry-run", *options]) == 0
    said = capsys.readouterr().out
    for words in ("ancestor", "1-1", "2-1", "conv1", "smaller", "Time: ", "one network at a time", "bytes are kept"):
        assert words in said, words
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_dry_run_of_a_run_under_way_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evolve", "--resume", str(tmp_path), "--dry-run"]) == 2
    assert "--dry-run" in capsys.readouterr().err
