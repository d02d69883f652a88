"""Taylor scores, on the batches that a life takes, against what weakening a cluster really costs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from evolution_core.genome import taylor_strength
from evolution_core.life import birth, images
from evolution_core.spec import RunSpec
from evolution_core.stress.clusters import Slices
from evolution_core.tasks import memory, task_for
from evolution_core.training import train
from tests.evolution_core.small_world import clusters, small, world

TASK = task_for("classification")


def test_a_small_step_away_from_a_cluster_costs_what_its_score_says():
    model, data = small(), world(train=100)
    list(train(model, TASK, data, RunSpec(batch_size=16), epochs=0.4, phase="ancestor", seed=1))
    known = clusters(model)
    batches = images.batches(images.sample(data, 100, 1, "taylor"), data, TASK)
    scores = taylor_strength(model, known, batches, TASK.loss)
    step = 1e-2
    for cluster in (2, 9, 18):
        losses = []
        for sign in (-step, step):
            gain = torch.ones(28)
            gain[cluster] += sign
            trial = small()
            trial.load_state_dict(model.state_dict())
            Slices(known, trial).scale(trial.eval(), gain)
            with torch.no_grad():
                losses.append(float(sum(TASK.loss(trial(inputs), targets, trial) for inputs, targets in batches)))
        slope = abs(losses[1] - losses[0]) / (2 * step) / len(batches)
        assert abs(slope - float(scores[cluster])) < 0.05 * max(slope, 0.01)


def test_the_sample_is_of_different_training_images_as_a_network_is_fed_them():
    data = world(train=30)
    (inputs, targets), *_ = images.batches(images.sample(data, 100, 3, "taylor"), data, TASK)
    assert inputs.flatten(1).unique(dim=0).shape == (30, 256)
    assert targets.bincount().tolist() == data.train.targets.bincount().tolist()


def test_scores_are_the_same_however_few_images_are_computed_at_once():
    model, data = small(), world(train=100)
    known = clusters(model)
    batches = images.batches(images.sample(data, 100, 1, "taylor"), data, TASK)
    whole = taylor_strength(model, known, batches, TASK.loss)
    seen = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    assert torch.equal(taylor_strength(model, known, batches, TASK.loss, at_once=128), whole)
    in_parts = taylor_strength(model, known, batches, TASK.loss, at_once=16)
    assert seen == [100, 16, 16, 16, 16, 16, 16, 4]
    assert torch.allclose(in_parts, whole, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("budget", "batch_size", "most"), [(memory.BUDGET, 8, 100), (1, 8, 8), (1, 32, 32)])
def test_a_life_computes_no_more_at_once_than_memory_bears_or_training_takes(monkeypatch, budget, batch_size, most):
    monkeypatch.setattr(memory, "BUDGET", budget)
    model, data, seen = small(), world(train=100), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    work = SimpleNamespace(spec=RunSpec(batch_size=batch_size, repair_images=100), task=TASK)
    birth._taylor(work, data, SimpleNamespace(model=model, clusters=clusters(small())))
    assert max(seen) == most
