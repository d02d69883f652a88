"""Taylor scores against what removing a cluster really costs."""

from __future__ import annotations

import torch

from evolution_core.genome import cluster_probability
from evolution_core.spec import RunSpec
from evolution_core.stress.clusters import Slices
from evolution_core.tasks import task_for
from evolution_core.training import some_batches, taylor_scores, train
from tests.evolution_core.small_world import clusters, small, world

TASK = task_for("classification")


def test_scores_are_the_same_for_a_seed_and_leave_the_network_as_it_was():
    model, data = small().train(), world()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scores = [taylor_scores(model, clusters(model), TASK, data, images=50, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_small_step_away_from_a_cluster_costs_what_its_score_says():
    model, data = small(), world(train=200)
    list(train(model, TASK, data, RunSpec(batch_size=16), epochs=0.4, phase="ancestor", seed=1))
    known = clusters(model)
    scores = taylor_scores(model, known, TASK, data, images=200, seed=1)
    (images, targets), *_ = some_batches(model.eval(), TASK, data, images=200, seed=1)
    step = 1e-2
    for cluster in (2, 9, 18):
        losses = []
        for sign in (-step, step):
            gain = torch.ones(28)
            gain[cluster] += sign
            trial = small()
            trial.load_state_dict(model.state_dict())
            Slices(known, trial).scale(trial, gain)
            with torch.no_grad():
                losses.append(float(TASK.loss(trial.eval()(images), targets, trial)))
        slope = abs(losses[1] - losses[0]) / (2 * step)
        assert abs(slope - float(scores[cluster])) < 0.05 * max(slope, 0.01)


def test_some_batches_are_different_training_images_normalised():
    data = world(train=30)
    images, targets = some_batches(small(), TASK, data, images=100, seed=3)[0]
    assert images.shape == (30, 1, 16, 16)
    assert images.flatten(1).unique(dim=0).shape[0] == 30
    assert targets.bincount().tolist() == data.train.targets.bincount().tolist()


def test_a_genome_can_be_weighed_by_its_scores():
    model, data = small(), world()
    known, spec = clusters(model), RunSpec(strength="taylor")
    chance = cluster_probability(model, known, spec, taylor=taylor_scores(model, known, TASK, data, images=50))
    assert chance.shape == (28,)
    assert 0 < chance.min() < chance.max() == 1
