"""Whole evolutions on tiny data: what they tell, what they leave behind, and every choice that a spec offers."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from evolution_core import lineage
from evolution_core.evolution import evolve
from evolution_core.records import NetworkRecord
from evolution_core.spec import EustressError, RunSpec, SpecError, catalogue
from tests.evolution_core.tiny import digests, evolved, of_kind, tiny_data, tiny_spec

pytestmark = pytest.mark.usefixtures("quick_latency")


def networks(out: Path) -> dict[str, dict[str, Any]]:
    return {network["id"]: network for network in json.loads((out / "lineage.json").read_text())["networks"]}


# --- the lineage --------------------------------------------------------------------------


def test_the_lineage_says_what_was_promised(tmp_path):
    spec = tiny_spec(offspring=2)
    evolved(spec, tmp_path)
    written = json.loads((tmp_path / "lineage.json").read_text())
    assert RunSpec.from_json(written["spec"]) == spec
    assert [network["id"] for network in written["networks"]] == ["ancestor", "1-1", "1-2", "2-1", "2-2"]
    for network in written["networks"]:
        assert network["status"] == "measured"
        for key in ("validation_accuracy", "latency_ms", "ancestor_latency_ms"):
            assert network[key] >= 0, key
        for key in ("parameters", "macs", "bytes"):
            assert network[key] > 0, key
        assert network["clusters"]["fc2"] == 3
        assert (network["shock_accuracy"] is None) == (network["id"] == "ancestor")
        assert (network["test_accuracy"] is not None) == (network["id"] in ("ancestor", written["chosen"]))
        assert network["validation_accuracy"] <= 1
    assert written["networks"][1]["parents"] == ["ancestor"]
    assert written["chosen"] in {"1-1", "1-2", "2-1", "2-2"}
    assert len(written["hypervolume"]) == 3
    assert any(network["front"] for network in written["networks"])
    assert written["data"]["fingerprint"] == tiny_data().fingerprint


def test_the_tensors_in_a_file_sum_to_the_parameters_and_its_name_is_relative(tmp_path):
    evolved(tiny_spec(architecture="resnet20", width=0.25, generations=1, epochs=0.5), tmp_path)
    for network in networks(tmp_path).values():
        assert "/" not in network["file"]
        with safe_open(tmp_path / network["file"], framework="pt") as file:
            total = sum(file.get_tensor(name).numel() for name in file.keys() if not name.startswith("buffer:"))  # noqa: SIM118
            assert file.metadata()["genome"]
        assert total == network["parameters"]


def test_each_generation_is_really_smaller(tmp_path):
    evolved(tiny_spec(), tmp_path)
    sizes = [networks(tmp_path)[name] for name in ("ancestor", "1-1", "2-1")]
    for before, after in itertools.pairwise(sizes):
        assert after["parameters"] < before["parameters"]
        assert after["macs"] < before["macs"]
        assert after["bytes"] < before["bytes"]
        assert (tmp_path / after["file"]).stat().st_size < (tmp_path / before["file"]).stat().st_size
        assert after["clusters"]["fc1"] == int(before["clusters"]["fc1"] * 0.6)


def test_a_life_tells_its_events_in_order(tmp_path):
    events = evolved(tiny_spec(generations=1), tmp_path)
    of_child = [event.kind for event in events if event.network == "1-1" and event.kind not in ("progress", "epoch")]
    assert of_child == ["born", "drawn", "gestation", "cut", "shock", "growth", "measured", "tested"]
    shares = [event.data["share"] for event in of_kind(events, "progress") if event.network == "1-1"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert json.loads(json.dumps([event.to_json() for event in events], allow_nan=False))
    assert [event.kind for event in events if not event.network] == ["started", "generation", "generation", "finished"]


def test_the_summary_compares_the_chosen_network_with_its_ancestor(tmp_path):
    ending = evolved(tiny_spec(), tmp_path)[-1].data
    found = networks(tmp_path)
    ancestor, chosen = found["ancestor"], found[ending["chosen"]]
    assert ending["parameters_times"] == ancestor["parameters"] / chosen["parameters"]
    assert ending["test_points_lost"] == pytest.approx(100 * (ancestor["test_accuracy"] - chosen["test_accuracy"]))


def test_the_test_set_decides_nothing(tmp_path):
    """With the test labels turned round, every network and the choice stay the same."""
    data = tiny_data()
    one = evolved(tiny_spec(), tmp_path / "one", data)
    data.test.targets = 2 - data.test.targets
    other = evolved(tiny_spec(), tmp_path / "other", data)
    assert digests(tmp_path / "one") == digests(tmp_path / "other")
    assert one[-1].data["chosen"] == other[-1].data["chosen"]
    assert of_kind(one, "tested")[0].data != of_kind(other, "tested")[0].data


# --- every choice ---------------------------------------------------------------------------


@pytest.mark.parametrize("stress", list(catalogue.STRESSES))
def test_every_stress_evolves_two_generations(tmp_path, stress):
    events = evolved(tiny_spec(stress=stress), tmp_path)
    assert [event.network for event in of_kind(events, "measured")] == ["ancestor", "1-1", "2-1"]
    assert all(event.data["proof"]["ok"] for event in of_kind(events, "cut"))


def test_stress_changes_the_networks_but_neither_draw_nor_epochs(tmp_path):
    told = {}
    for stress in ("death-list", "none", "random", "rehearsal", "weakening", "pressure"):
        often = {"name": stress, "parameters": {"every": 1} if stress == "weakening" else {}}
        told[stress] = evolved(tiny_spec(stress=often, generations=1), tmp_path / stress)
    drawn = [[e.data for e in of_kind(events, "drawn")] for events in told.values()]
    assert all(one == drawn[0] for one in drawn)
    epochs = [[e.data["epochs"] for e in events if e.kind in ("gestation", "growth")] for events in told.values()]
    assert all(one == [0.4, 1.6] for one in epochs)
    files = [digests(tmp_path / stress) for stress in told]
    assert len({each["1-1.safetensors"] for each in files}) == len(files)
    assert len({each["ancestor.safetensors"] for each in files}) == 1


COMBINATIONS: dict[str, dict[str, Any]] = {
    "several stresses with schedules": {
        "stress": [
            {"name": "death-list", "schedule": "ramp"},
            {"name": "pressure", "schedule": "pulses", "schedule_parameters": {"count": 2}},
        ]
    },
    "no gestation": {"stress": "none", "gestation": 0},
    "all gestation": {"gestation": 0.95},
    "two parents": {"offspring": 3, "survivors": 2, "parents": 2},
    "three parents, equal": {"offspring": 3, "survivors": 3, "parents": 3, "mating_weights": "equal"},
    "candidates": {"candidates": 3},
    "elitism": {"elitism": True, "survivors": 2},
    "pareto": {"selection": "pareto", "objectives": "accuracy,parameters,latency", "offspring": 2, "survivors": 2},
    "netscore": {"selection": "netscore"},
    "patience": {"patience": 1},
    "scheduled environment": {"environment": "0.8,0.5"},
    "per-layer environment": {"environment": {"name": "per-layer", "layers": {"fc1": 0.3}}},
    "target": {"environment": "8x", "resource": "parameters"},
    "target of clusters": {"environment": "4x"},
    "multiply-adds": {"resource": "macs"},
    "bytes": {"resource": "bytes"},
    "latency": {"resource": "latency", "generations": 1},
    "protected": {"protect": "conv1", "floors": {"fc1": 0.5}, "minimum_clusters": 3},
    "synapses": {"encoding": "synapse"},
    "clusters and synapses": {"encoding": "both", "synapse_share": 0.7},
    "l2": {"strength": "l2"},
    "batch norm": {"strength": "batch-norm", "architecture": "resnet20", "epochs": 0.5},
    "taylor": {"strength": "taylor", "stress": "weakening"},
    "threshold": {"threshold": 0.1, "sharpness": 1},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.001},
    "sgd": {"optimizer": "sgd", "weight_decay": 0},
    "newborn": {"inheritance": "newborn"},
    "repair": {"repair": True},
    "distillation": {"distillation": 0.5},
    "progressive": {"progressive_size": 12},
    "augmentation": {"augmentation": "flip-shift"},
    "last epochs": {"last_epochs": 3, "ancestor_epochs": 1},
    "width multiples": {"width_multiple": 8, "width": 1.0, "epochs": 0.3},
    "everything at once": {
        "encoding": "both",
        "repair": True,
        "distillation": 0.3,
        "candidates": 2,
        "offspring": 3,
        "survivors": 2,
        "parents": 2,
        "strength": "taylor",
        "stress": "death-list,rehearsal,weakening,pressure",
        "selection": "pareto",
        "environment": "5x",
        "resource": "macs",
    },
}


@pytest.mark.parametrize("name", list(COMBINATIONS))
def test_what_a_spec_offers_evolves(tmp_path, name):
    spec = tiny_spec(**COMBINATIONS[name])
    events = evolved(spec, tmp_path)
    records = {record.id: record for record in lineage.read_networks(tmp_path)}
    assert len(records) == 1 + spec.offspring * spec.generations
    assert all(record.is_measured for record in records.values()), [r.message for r in records.values()]
    assert all(event.data["proof"]["ok"] for event in of_kind(events, "cut"))
    smallest = min(record.parameters or 0 for record in records.values())
    assert (smallest < (records["ancestor"].parameters or 0)) == (spec.encoding != "synapse")


def test_masked_networks_are_called_masked_and_not_smaller(tmp_path):
    evolved(tiny_spec(encoding="synapse", synapse_share=0.5), tmp_path)
    found = networks(tmp_path)
    assert found["2-1"]["parameters"] == found["ancestor"]["parameters"]
    biases = sum(
        tensor.numel() for name, tensor in _tensors(tmp_path / "ancestor.safetensors").items() if tensor.ndim == 1
    )
    weights = found["ancestor"]["parameters"] - biases
    assert found["1-1"]["living_synapses"] - biases == pytest.approx(weights * 0.5, abs=4)
    assert found["2-1"]["living_synapses"] - biases == pytest.approx(weights * 0.25, abs=8)
    own = _tensors(tmp_path / "2-1.safetensors")
    dead = {name: own[f"buffer:mask:{name}"].logical_not() for name in own if f"buffer:mask:{name}" in own}
    assert sum(int(mask.sum()) for mask in dead.values()) == weights - (found["2-1"]["living_synapses"] - biases)
    assert all(bool((own[name][mask] == 0).all()) for name, mask in dead.items())


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_a_target_reached_early_is_kept(tmp_path):
    evolved(tiny_spec(environment="4x@1", resource="parameters"), tmp_path)
    ancestor, first, second = (network.parameters for network in lineage.read_networks(tmp_path))
    assert first <= ancestor / 4
    assert second == pytest.approx(first, rel=0.03)


def test_a_target_is_reached(tmp_path):
    evolved(tiny_spec(environment="8x", resource="parameters", width=0.5), tmp_path)
    found = networks(tmp_path)
    times = found["ancestor"]["parameters"] / found["2-1"]["parameters"]
    assert 8 <= times < 9


def test_protected_layers_keep_their_clusters(tmp_path):
    evolved(tiny_spec(protect="conv1", floors={"fc1": 0.5}), tmp_path)
    found = networks(tmp_path)
    assert found["2-1"]["clusters"]["conv1"] == found["ancestor"]["clusters"]["conv1"]
    assert found["2-1"]["clusters"]["fc1"] == found["ancestor"]["clusters"]["fc1"] / 2


def test_inheritance_is_worth_something_and_newborn_is_not_inherited(tmp_path):
    shocks = {}
    for inheritance in ("inherited", "newborn"):
        spec = tiny_spec(inheritance=inheritance, generations=1, epochs=6, environment=0.8)
        shocks[inheritance] = of_kind(evolved(spec, tmp_path / inheritance), "shock")[0].data["accuracy"]
    assert shocks["inherited"] > shocks["newborn"] + 0.2


def test_longer_last_growth(tmp_path):
    events = evolved(tiny_spec(last_epochs=4, ancestor_epochs=1), tmp_path)
    assert [event.data["epochs"] for event in of_kind(events, "born")] == [1, 2, 4]


# --- refusals ---------------------------------------------------------------------------


def test_unknown_layers_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(SpecError, match="protect"):
        evolved(tiny_spec(protect="conv9"), tmp_path)
    assert not (tmp_path / "ancestor.safetensors").exists()


def test_where_nothing_may_die_any_more_offspring_are_refused_and_the_run_ends_with_what_it_has(tmp_path):
    spec = tiny_spec(floors={"conv1": 1, "conv2": 1, "fc1": 1}, offspring=2, generations=3)
    events = evolved(spec, tmp_path)
    refused = of_kind(events, "refused")
    assert [event.network for event in refused] == ["1-1", "1-2"]
    assert "nothing may die" in refused[0].data["reason"]
    assert events[-1].kind == "finished"
    assert events[-1].data["chosen"] is None
    found = networks(tmp_path)
    assert found["1-1"]["status"] == "refused"
    assert found["ancestor"]["test_accuracy"] is not None
    assert NetworkRecord.from_json(found["1-1"]).message == refused[0].data["reason"]


def test_an_offspring_whose_surgery_cannot_be_proven_is_refused_and_its_sibling_lives(tmp_path, monkeypatch):
    from evolution_core.life import offspring

    honest = offspring.cut

    def slips(model, clusters, alive):
        result = honest(model, clusters, alive)
        if slips.calls == 0:
            next(iter(result.parameters())).data += float("nan")  # the worst to write down, too
        slips.calls += 1
        return result

    slips.calls = 0
    monkeypatch.setattr(offspring, "cut", slips)
    events = evolved(tiny_spec(offspring=2, generations=1), tmp_path)
    (refused,) = of_kind(events, "refused")
    assert refused.network == "1-1"
    assert "could not be proven" in refused.data["reason"]
    record = lineage.read_record(tmp_path, "1-1")
    assert record is not None
    assert record.proof["ok"] is False
    assert not (tmp_path / "1-1.safetensors").exists()
    assert events[-1].data["chosen"] == "1-2"


def test_training_that_goes_astray_refuses_the_offspring_only(tmp_path, monkeypatch):
    from evolution_core.life import birth

    def spoilt(data, mean, std):
        return dataclasses.replace(data, std=torch.full_like(data.std, torch.nan))

    monkeypatch.setattr(birth.images, "seen_as", spoilt)
    events = evolved(tiny_spec(generations=1, offspring=2), tmp_path)
    assert [event.network for event in of_kind(events, "refused")] == ["1-1", "1-2"]
    assert "went astray" in of_kind(events, "refused")[0].data["reason"]
    assert events[-1].kind == "finished"


def test_a_folder_with_other_things_in_it_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(SpecError, match="not empty"):
        evolved(tiny_spec(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"spec": {"seed": 8}}, "another spec"), ({"data": {"seed": 5}}, "other data"), ({"threads": 2}, "--threads 1")],
)
def test_a_folder_of_another_run_is_refused(tmp_path, change, named):
    stopped = evolve(tiny_spec(), tiny_data(), tmp_path)
    next(stopped)
    stopped.close()
    again = evolve(
        tiny_spec(**change.get("spec", {})),
        tiny_data(**change.get("data", {})),
        tmp_path,
        threads=change.get("threads", 1),
    )
    with pytest.raises(SpecError, match=named):
        next(again)


def test_two_processes_cannot_evolve_in_one_folder(tmp_path):
    first = evolve(tiny_spec(), tiny_data(), tmp_path)
    next(first)
    with pytest.raises(EustressError, match="another process"):
        next(evolve(tiny_spec(), tiny_data(), tmp_path))
    first.close()
    next(evolve(tiny_spec(), tiny_data(), tmp_path))


def test_what_a_killed_process_had_half_written_is_removed(tmp_path):
    (tmp_path / ".ancestor.json.123.part").write_text("{")
    (tmp_path / "1-1.part.json").write_text("{}")
    with lineage.locked(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "1-1.part.json"]
