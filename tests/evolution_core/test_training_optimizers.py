"""Muon against torch's own, and which weights are moved by what."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evolution_core.architectures import build
from evolution_core.spec import RunSpec
from evolution_core.training.muon import Muon, orthogonalise
from evolution_core.training.optimizers import Optimizer, classify
from tests.evolution_core.small_world import small


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_matrices_it_takes_the_step_that_torch_takes(dtype):
    start = torch.randn(12, 20, generator=torch.Generator().manual_seed(0))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    one, other = (
        Muon([ours], lr=0.1, weight_decay=0.5, dtype=dtype),
        torch.optim.Muon([theirs], lr=0.1, weight_decay=0.5),
    )
    for seed in range(3):
        gradient = torch.randn(12, 20, generator=torch.Generator().manual_seed(seed))
        for parameter, optimizer in ((ours, one), (theirs, other)):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # torch rounds to bfloat16
    assert (ours.dtype, one.state[ours]["momentum"].dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("shape", [(1, 6, 40), (2, 40, 6), (3, 16, 16)])
def test_orthogonalising_pulls_every_singular_value_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.3
    assert values.max() < 1.3
    assert (orthogonalise(matrices * 1000) - orthogonalise(matrices)).abs().max() < 1e-4


def test_a_group_of_filters_is_a_matrix_of_its_own_and_dead_rows_stay_dead():
    gradient = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(2))
    gradient[1] = 0
    together, apart = nn.Parameter(torch.zeros(4, 3, 3, 3)), [nn.Parameter(torch.zeros(2, 27)) for _ in range(2)]
    together.grad = gradient.clone()
    apart[0].grad, apart[1].grad = gradient.reshape(2, 2, 27).clone()
    Muon([{"params": [together], "groups": 2}]).step()
    Muon(apart).step()
    assert torch.allclose(together.reshape(4, 27), torch.cat([part.detach() for part in apart]), atol=1e-6)
    assert not together[1].any()


def test_what_muon_cannot_split_is_refused():
    with pytest.raises(ValueError, match="cannot split"):
        Muon([nn.Parameter(torch.zeros(5))])
    with pytest.raises(ValueError, match="cannot split"):
        Muon([{"params": [nn.Parameter(torch.zeros(5, 2))], "groups": 2}])


def test_muon_takes_filters_and_small_matrices_and_nothing_else():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 3, groups=2),
        nn.Linear(300, 200),
        nn.Linear(200, 10),
    )
    groups = {each.name: each.groups for each in classify(model, muon=True)}
    assert {name: count for name, count in groups.items() if count} == {"0.weight": 1, "3.weight": 2, "5.weight": 1}
    assert not any(each.groups for each in classify(model, muon=False))


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "sgd"])
def test_only_weights_decay(optimizer):
    model = small()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    Optimizer(model, RunSpec(optimizer=optimizer, weight_decay=0.5)).step(1.0)
    for name, parameter in model.named_parameters():
        assert bool((parameter < 1).all()) == (parameter.ndim > 1), name


def test_the_specs_learning_rate_overrides_the_optimizers_own():
    moved = []
    for rate in (None, 1e-6):
        model = small()
        before = model.fc2.weight.clone()
        model(torch.rand(4, 1, 16, 16)).sum().backward()
        Optimizer(model, RunSpec(optimizer="adamw", learning_rate=rate)).step(1.0)
        moved.append(float((model.fc2.weight - before).detach().abs().max()))
    assert moved[1] < 1e-2 * moved[0]


def test_shared_weights_are_moved_once():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert [each.name for each in classify(model, muon=True)] == ["0.weight", "0.bias", "1.bias"]


def test_frozen_weights_are_left_alone():
    model = small()
    model.conv1.weight.requires_grad_(False)
    assert "conv1.weight" not in [each.name for each in classify(model, muon=True)]


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "sgd"])
def test_a_state_taken_out_and_put_back_steps_alike(optimizer):
    one, other, spec = small(), small(), RunSpec(optimizer=optimizer)
    first, second = Optimizer(one, spec), Optimizer(other, spec)

    def step(model, optimizer, seed):
        luck = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=luck)
        optimizer.step(0.5)

    for seed in range(3):
        step(one, first, seed)
    other.load_state_dict(one.state_dict())
    tensors, numbers = first.state()
    second.restore({name: tensor.clone() for name, tensor in tensors.items()}, dict(numbers))
    for model, held in ((one, first), (other, second)):
        step(model, held, 9)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    "tensors",
    [
        {"0.nowhere.weight.momentum": torch.zeros(2)},
        {"7.fc1.weight.momentum": torch.zeros(10, 32)},
        {"0.fc1.weight.momentum": torch.zeros(3, 3)},
    ],
)
def test_a_state_that_does_not_fit_is_refused(tensors):
    with pytest.raises(ValueError, match="optimizer state"):
        Optimizer(small(), RunSpec()).restore(tensors, {})


@pytest.mark.parametrize(("name", "shape"), [("lenet5", (1, 28, 28)), ("alexnet-small", (3, 32, 32))])
def test_every_parameter_of_a_base_network_is_moved(name, shape):
    model = build(name, 10, shape)
    assert {each.name for each in classify(model, muon=True)} == {name for name, _ in model.named_parameters()}
