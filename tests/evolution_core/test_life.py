"""The parts of a life: how epochs are split, whose weights count, what a newborn forgets, what is remembered."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from evolution_core import lineage
from evolution_core.architectures import build
from evolution_core.life import Life, images, measuring, open_test, work
from evolution_core.life.birth import conceive, draw_deaths, mating_weights
from evolution_core.life.measuring import LatencyCost, network_path
from evolution_core.life.newborn import forget
from evolution_core.life.offspring import epochs_of
from evolution_core.life.work import Work
from evolution_core.records import ANCESTOR, NetworkRecord, Plan, ancestor_plan, write_json
from evolution_core.spec import NetworkError, TrainingError
from tests.evolution_core.tiny import digests, evolved, of_kind, tiny_data, tiny_spec

pytestmark = pytest.mark.usefixtures("quick_latency")


@pytest.fixture
def ancestor(tmp_path):
    """A folder that holds a measured ancestor."""
    list(Life(tiny_spec(), ancestor_plan(), tiny_data(), tmp_path).events())
    return tmp_path


# --- epochs ---------------------------------------------------------------------------------


def test_gestation_and_growth_share_a_birth_s_epochs():
    spec = tiny_spec(epochs=10, gestation=0.3, generations=4, last_epochs=20)
    assert (epochs_of(spec, 2).gestation, epochs_of(spec, 2).growth) == (3.0, 7.0)
    assert epochs_of(spec, 4).whole == 20
    assert epochs_of(tiny_spec(gestation=0, stress="none"), 1).gestation == 0


def test_a_curve_in_gestation_shows_the_network_as_stress_lets_it_be_seen(ancestor, monkeypatch):
    seen, imposed = [], work.imposed

    def watched(signals, model, moment):
        seen.append((moment.phase, [signal.name for signal in signals], moment.progress))
        return imposed(signals, model, moment)

    monkeypatch.setattr(work, "imposed", watched)
    spec = tiny_spec(epochs=4, gestation=0.5, stress="death-list")
    list(Life(spec, Plan("1-1", 1, (ANCESTOR,)), tiny_data(), ancestor).events())
    assert seen == [
        ("gestation", ["death-list"], 0.5),
        ("gestation", ["death-list"], 1.0),
        ("growth", [], 0.5),
        ("growth", [], 1.0),
    ]


# --- a few images -------------------------------------------------------------------------


def test_samples_are_seeded_spread_and_keep_their_labels():
    data = tiny_data(train=300)
    few = images.sample(data, 60, 7, "repair")
    assert len(few) == 60
    assert torch.bincount(few.targets, minlength=3).min() > 5  # not the first class only
    rows = [int((data.train.images == image).flatten(1).all(1).nonzero()[0]) for image in few.images]
    assert data.train.targets[rows].equal(few.targets)
    assert images.sample(data, 60, 7, "repair").images.equal(few.images)
    assert not images.sample(data, 60, 8, "repair").images.equal(few.images)
    assert len(images.sample(data, 10_000, 7, "repair")) == 300


# --- mating weights -----------------------------------------------------------------------


def weights_of(folder, accuracies, **fields) -> list[float]:
    names = [f"1-{number}" for number in range(1, len(accuracies) + 1)]
    for name, accuracy in zip(names, accuracies, strict=True):
        write_json(lineage.record_file(folder, name), NetworkRecord(name, 1, validation_accuracy=accuracy).to_json())
    return mating_weights(Work(tiny_spec(**fields), Plan("2-1", 2, tuple(names)), tiny_data(), folder))


def test_fitter_parents_weigh_more_by_what_they_know_beyond_chance(tmp_path):
    third = 1 / 3  # chance, with three classes
    assert weights_of(tmp_path, [third + 0.4, third + 0.2]) == pytest.approx([2 / 3, 1 / 3])
    ruined, sound = weights_of(tmp_path, [0.1, 0.9])
    assert 0 < ruined < 0.001
    assert sound > 0.999


def test_equal_weights_on_request(tmp_path):
    assert weights_of(tmp_path, [0.9, 0.4, 0.4], mating_weights="equal") == [1 / 3] * 3


# --- drawing ------------------------------------------------------------------------------


def work_of(folder, **fields) -> Work:
    return Work(tiny_spec(**fields), Plan("1-1", 1, (ANCESTOR,)), tiny_data(), folder)


def test_the_draw_is_the_seed_s_and_the_network_s_own(ancestor):
    draws = {}
    for key, plan, fields in (
        ("one", Plan("1-1", 1, (ANCESTOR,)), {}),
        ("again", Plan("1-1", 1, (ANCESTOR,)), {}),
        ("sibling", Plan("1-2", 1, (ANCESTOR,)), {}),
    ):
        work = Work(tiny_spec(offspring=2, **fields), plan, tiny_data(), ancestor)
        draws[key] = draw_deaths(work, conceive(work)).alive
    assert draws["one"].equal(draws["again"])
    assert not draws["one"].equal(draws["sibling"])
    assert int(draws["one"].sum()) == int(draws["sibling"].sum())  # exact budgets


def test_of_candidates_the_one_that_does_best_at_once_is_born(ancestor, monkeypatch):
    from evolution_core.life import birth

    work = work_of(ancestor, candidates=5)
    parent = conceive(work)
    drawn = [birth._draw(work, parent, number, None).alive for number in range(5)]
    scores = iter([0.2, 0.5, 0.9, 0.9, 0.1])
    monkeypatch.setattr(birth, "_score", lambda *arguments: next(scores))
    deaths = draw_deaths(work, parent)
    assert deaths.tried == 5
    assert deaths.alive.equal(drawn[2])


def test_candidates_are_compared_on_training_images_only(ancestor, monkeypatch):
    from evolution_core.tasks import Classification

    seen = []
    measure = Classification.evaluate
    monkeypatch.setattr(
        Classification,
        "evaluate",
        lambda self, model, split, *a, **k: seen.append(split) or measure(self, model, split, *a, **k),
    )
    work = work_of(ancestor, candidates=3)
    draw_deaths(work, conceive(work))
    held = {image.numpy().tobytes() for image in work.data.train.images}
    assert len(seen) == 3
    assert all(image.numpy().tobytes() in held for split in seen for image in split.images)


def test_latency_is_a_cost_that_falls_with_what_dies(ancestor, monkeypatch):
    sizes = {}

    def by_size(networks, **_):  # a clock that counts bytes: what is measured is not the point here
        sizes.update({name: len(content) for name, content in networks.items()})
        return {name: float(len(content)) for name, content in networks.items()}

    monkeypatch.setattr(measuring, "latency_ms", by_size)
    work = work_of(ancestor)
    parent = conceive(work)
    cost = LatencyCost(parent.model, parent.clusters, parent.genome.shape, ancestor)
    everyone = parent.clusters.everyone()
    half = everyone.clone()
    half[parent.clusters.layers[0].clusters[:2]] = False
    assert cost(half) < cost(everyone) == cost.parent_ms
    mated = LatencyCost(
        parent.model, parent.clusters, parent.genome.shape, ancestor, [(parent.model, 0.5), (parent.model, 0.5)]
    )
    assert mated(everyone) == pytest.approx(cost(everyone))


# --- forgetting ---------------------------------------------------------------------------


def test_a_newborn_keeps_its_shape_and_nothing_else():
    model = build("resnet20", 3, (1, 16, 16), 0.25, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    forget(model, 5)
    after = model.state_dict()
    assert {name: value.shape for name, value in after.items()} == {name: v.shape for name, v in before.items()}
    assert not any(after[name].equal(before[name]) for name, _ in model.named_parameters())
    again = build("resnet20", 3, (1, 16, 16), 0.25, seed=2)
    forget(again, 5)
    assert all(value.equal(after[name]) for name, value in again.state_dict().items())
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    spread = torch.cat([m.weight.detach().flatten() * (m.weight[0].numel() / 2) ** 0.5 for m in convolutions]).std()
    assert spread == pytest.approx(1.0, abs=0.1)  # He's variance


def test_forgetting_minds_layers_of_other_kinds():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.PReLU(4), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.fill_(9.0)
    forget(model, 1)
    assert (model[1].weight == 0.25).all()
    assert (model[2].weight == 1).all()
    assert (model[4].bias == 0).all()


# --- ancestors and ends ---------------------------------------------------------------------


def test_an_ancestor_whose_training_goes_astray_ends_the_run_with_a_reason(tmp_path, monkeypatch):
    data = tiny_data()
    data.std = torch.full_like(data.std, torch.nan)
    with pytest.raises((TrainingError, NetworkError), match=r"astray|std"):
        evolved(tiny_spec(), tmp_path, data)
    assert not (tmp_path / "ancestor.safetensors").exists()


def test_a_network_that_cannot_be_exported_is_measured_without_a_pace(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise NetworkError("no form for it")

    monkeypatch.setattr(measuring, "measure", refuse)
    events = evolved(tiny_spec(generations=1), tmp_path)
    record = NetworkRecord.from_json(of_kind(events, "measured")[-1].data["record"])
    assert record.is_measured
    assert record.latency_ms is None
    assert record.macs > 0
    assert "no form for it" in record.message
    assert json.loads((tmp_path / "lineage.json").read_text())["chosen"] == "1-1"


def test_an_ended_life_tells_its_end_again(ancestor):
    before = digests(ancestor)
    (event,) = Life(tiny_spec(), ancestor_plan(), tiny_data(), ancestor).events()
    assert event.kind == "measured"
    assert event.data["record"]["id"] == ANCESTOR
    assert digests(ancestor) == before


def test_an_offspring_without_its_parent_s_file_is_an_error_and_no_refusal(ancestor):
    network_path(ancestor, ANCESTOR).unlink()
    with pytest.raises(NetworkError, match="no file"):
        list(Life(tiny_spec(), Plan("1-1", 1, (ANCESTOR,)), tiny_data(), ancestor).events())
    assert lineage.read_record(ancestor, "1-1") is None


def test_the_test_set_is_measured_on_the_network_s_own_pixels(ancestor):
    data = tiny_data()
    record = lineage.read_record(ancestor, ANCESTOR)
    assert record is not None
    assert record.test_accuracy is None
    data.mean, data.std = data.mean + 5, data.std * 100  # statistics of other images
    tested = open_test(tiny_spec(), record, data, ancestor)
    assert tested.test_accuracy == tested.test_metrics["accuracy"] == 1.0
    assert tested.replace(test_accuracy=None, test_metrics={}) == record
