"""The loop: it learns, it repeats itself to the bit, and it can be stopped anywhere."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from evolution_core.spec import RunSpec
from evolution_core.stress import Scene, impose
from evolution_core.tasks import task_for
from evolution_core.training import Checkpoint, TrainingError, train
from evolution_core.training.batches import Batches
from evolution_core.training.schedule import rate, step_count
from evolution_core.training.sizes import accepts, scales_around
from tests.evolution_core.small_world import clusters, small, world

TASK = task_for("classification")


def spec(**changes):
    return RunSpec(**{"batch_size": 16, "seed": 5, **changes})


def run(model, data, spec, *, epochs=2.0, phase="ancestor", seed=5, **more):
    return list(train(model, TASK, data, spec, epochs=epochs, phase=phase, seed=seed, **more))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one | other)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "sgd"])
def test_every_optimizer_learns_at_its_own_rate(optimizer):
    data, model = world(train=400), small()
    events = run(model, data, spec(optimizer=optimizer), epochs=8)
    assert events[-1].loss < 0.6 * math.log(4)
    assert TASK.evaluate(model, data.validation, data)["accuracy"] > 0.75


def test_mixed_precision_learns_as_well_and_repeats_itself_with_weights_in_float32():
    data, ends = world(train=400), []
    for _ in range(2):
        model = small()
        run(model, data, spec(precision="bfloat16", distillation=0.3), epochs=8, teacher=small(1))
        assert {value.dtype for value in model.state_dict().values()} <= {torch.float32, torch.int64}
        ends.append(state(model))
    assert same(*ends)
    assert TASK.evaluate(model, data.validation, data)["accuracy"] > 0.7
    exact = small()
    run(exact, data, spec(distillation=0.3), epochs=8, teacher=small(1))
    assert not same(ends[0], state(exact))


@pytest.mark.parametrize(("units", "said"), [({}, True), ({"avx512_bf16": True}, False)])
def test_a_processor_without_units_for_bfloat16_is_told_of(monkeypatch, units, said):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    events = run(small(), world(), spec(precision="bfloat16"), epochs=0.1)
    assert any("bfloat16" in notice for event in events for notice in event.notices) == said
    assert not any(event.notices for event in run(small(), world(), spec(), epochs=0.1))


def test_the_same_seed_gives_the_same_bits_and_another_gives_others():
    data, ends = world(), []
    for seed in (5, 5, 6):
        model = small()
        run(model, data, spec(augmentation="flip-shift"), seed=seed)
        ends.append(state(model))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_phases_draw_from_streams_of_their_own():
    data, ends = world(), []
    for phase in ("gestation", "growth"):
        model = small()
        run(model, data, spec(), phase=phase)
        ends.append(state(model))
    assert not same(*ends)


def test_neither_the_pace_of_events_nor_what_a_caller_does_between_them_changes_a_bit():
    data, ends = world(), []
    for interval in (0.0, 100.0):
        model = small()
        for _ in train(model, TASK, data, spec(), epochs=2, phase="x", seed=5, interval=interval):
            torch.rand(3)  # a caller that uses the global generator, and one that evaluates
            TASK.evaluate(model, data.validation, data)
            with torch.no_grad():
                model.eval()
        ends.append(state(model))
    assert same(*ends)


def test_the_callers_random_state_and_settings_are_given_back():
    torch.manual_seed(99)
    expected = torch.rand(2)
    torch.manual_seed(99)
    run(small(), world(), spec())
    assert torch.equal(torch.rand(2), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_progress_tells_the_truth_and_ends_with_the_last_step():
    data, seen = world(train=100), []
    events = run(
        small(), data, spec(), epochs=1.5, interval=100.0, on_step=lambda step, loss: seen.append((step, loss))
    )
    steps = round(1.5 * math.ceil(100 / 8))  # few images are taken in smaller batches
    assert [event.step for event in events if event.epoch_ended] == [13, steps]
    assert [step for step, _ in seen] == list(range(1, steps + 1))
    assert (events[-1].share, events[-1].epoch) == (1.0, steps / 13)
    assert events[0].loss == pytest.approx(sum(loss for _, loss in seen[:13]) / 13)


def test_no_epochs_leave_the_network_alone():
    model = small()
    before = state(model)
    assert run(model, world(), spec(), epochs=0) == []
    assert same(before, state(model))


def test_a_long_phase_tells_of_a_bounded_number_of_epochs():
    events = run(small(), world(train=16), spec(), epochs=300, interval=100.0)
    assert 40 <= sum(event.epoch_ended for event in events) <= 60


# -- batches


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own():
    batches = Batches(world(train=50), TASK, spec(), phase="x", seed=1)
    epochs = [torch.cat([batches.indices(e * batches.per_epoch + s) for s in range(batches.per_epoch)]) for e in (0, 1)]
    assert [epoch.sort()[0].tolist() for epoch in epochs] == [list(range(50))] * 2
    assert not torch.equal(*epochs)


def test_batches_keep_the_specs_size_on_enough_images_and_shrink_on_few():
    assert Batches(world(train=400), TASK, spec(batch_size=16), phase="x", seed=1).size == 16
    assert Batches(world(train=400), TASK, spec(batch_size=8192), phase="x", seed=1).size == 20
    assert Batches(world(train=30), TASK, spec(batch_size=128), phase="x", seed=1).size == 8
    assert Batches(world(train=3), TASK, spec(batch_size=128), phase="x", seed=1).size == 3


def test_a_last_batch_of_one_image_is_left_out_only_under_batch_norm():
    data = world(train=17)
    assert Batches(data, TASK, spec(batch_size=8), phase="x", seed=1, alone=False).per_epoch == 2
    assert Batches(data, TASK, spec(batch_size=8), phase="x", seed=1, alone=True).per_epoch == 3
    run(small(), data, spec(batch_size=8))  # would raise on a batch of one


def test_a_batch_size_of_one_is_two_under_batch_norm():
    assert Batches(world(train=6), TASK, spec(batch_size=1), phase="x", seed=1, alone=False).size == 2
    with pytest.raises(TrainingError, match="too few"):
        run(small(), world(train=1), spec())


# -- schedule


def test_the_rate_warms_up_to_its_peak_and_falls_to_almost_nothing():
    rates = [rate(step, 1000) for step in range(1000)]
    assert max(rates) == pytest.approx(1.0)
    assert rates[:50] == sorted(rates[:50])
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] < 0.02
    assert [rate(0, 1), rate(0, 2)] == [0.5, 0.5]  # a single step is still a step


def test_fractions_of_an_epoch_are_rounded_to_steps_and_never_to_none():
    assert [step_count(10, epochs) for epochs in (0, 0.001, 0.25, 1.0, 2.55)] == [0, 1, 2, 10, 26]


# -- what can go wrong


def test_a_loss_that_is_no_number_stops_training_and_says_where():
    model = small()
    with torch.no_grad():
        model.fc2.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="gestation: the loss is no finite number at step 1 of 24"):
        run(model, world(), spec(), phase="gestation")


def test_a_gradient_that_is_no_number_moves_nothing():
    class Cliff(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.edge, self.full = nn.Parameter(torch.zeros(4)), nn.Linear(256, 4)

        def forward(self, x):
            return self.full(x.flatten(1)) + self.edge.abs().sqrt()  # an infinite slope at zero

    model = Cliff()
    before = state(model)
    with pytest.raises(TrainingError, match="gradient"):
        run(model, world(), spec())
    assert same(before, state(model))


# -- options


def test_masked_synapses_stay_dead():
    data, model = world(), small()
    mask = torch.rand(model.fc1.weight.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    run(model, data, spec(), masks={"fc1.weight": mask})
    assert not model.fc1.weight[~mask].any()
    assert model.fc1.weight[mask].all()


def test_small_images_come_first_and_full_ones_last():
    model, sizes = small(), []
    model.conv1.register_forward_pre_hook(
        lambda module, inputs: sizes.append(inputs[0].shape[-1]) if module.training else None
    )
    run(model, world(), spec(progressive_size=8, progressive_share=0.25), epochs=1)
    assert sizes == [8] * 3 + [16] * 9


def test_a_network_of_one_size_ignores_progressive_sizes_and_says_so():
    fixed = nn.Sequential(nn.Flatten(), nn.Linear(256, 4))
    events = run(fixed, world(), spec(progressive_size=8), epochs=0.1)
    assert "first image size of 8 was ignored" in events[0].notices[0]
    folded = nn.Sequential(nn.Unflatten(2, (16, 1)), nn.Flatten(), nn.Linear(256, 4))
    assert not accepts(folded, (1, 16, 16), 8)


def test_multi_scale_draws_a_size_every_ten_steps():
    """Every size within the share comes, none other; a size stays ten steps; the same seed draws the same ones."""
    seen = []
    for _ in range(2):
        model, sizes = small(), []
        model.conv1.register_forward_pre_hook(
            lambda module, inputs, sizes=sizes: sizes.append(inputs[0].shape[-1]) if module.training else None
        )
        run(model, world(), spec(multi_scale=0.2), epochs=20)
        seen.append(sizes)
    assert set(seen[0]) == {13, 14, 15, 16, 17, 18, 19}
    assert all(len(set(seen[0][first : first + 10])) == 1 for first in range(0, 240, 10))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("size", "share", "multiple", "sizes"),
    [
        (224, 0.25, 32, [192, 224, 256]),
        (416, 0.5, 32, [224, 288, 352, 416, 480, 544, 608]),
        (64, 0.4, 32, [64]),
        (32, 0.0, 1, [32]),
    ],
)
def test_scales_are_multiples_around_the_size(size, share, multiple, sizes):
    assert scales_around(size, share, multiple) == sizes


def test_a_network_of_one_size_ignores_multi_scale_and_says_so():
    fixed = nn.Sequential(nn.Flatten(), nn.Linear(256, 4))
    events = run(fixed, world(), spec(multi_scale=0.25), epochs=0.1)
    assert "Multi-scale was ignored" in events[0].notices[0]


def test_distillation_draws_towards_the_teacher_and_leaves_it_as_it_was():
    data, teacher = world(), small(seed=9)
    run(teacher, data, spec(), epochs=4)
    teacher.train()
    before, distances = state(teacher), []
    for share in (0.0, 1.0):
        model = small(seed=1)
        run(model, data, spec(distillation=share), teacher=teacher, epochs=4)
        with torch.no_grad():
            images = data.validation.images.float() / 255
            distances.append(float(TASK.distil(model.eval()(images), teacher.eval()(images))))
            teacher.train()
    assert distances[1] < distances[0]
    assert teacher.training
    assert same(before, state(teacher))


# -- stopping and going on

STRESSES = ["death-list", "rehearsal", "weakening", "pressure", "random", "rehearsal,pressure,weakening"]


def probability(model):
    with torch.no_grad():
        size = torch.cat([model.conv1.weight.abs().sum((1, 2, 3)), model.conv2.weight.abs().sum((1, 2, 3))])
        size = torch.cat([size, model.fc1.weight.abs().sum(1)])
        return torch.exp(torch.cat([size, torch.ones(4)]) / size.max() - 1)


def stressed(spec):
    model = small()
    doomed = torch.zeros(28, dtype=torch.bool)
    doomed[torch.tensor([0, 3, 7, 12, 15, 20])] = True
    return model, impose(spec.stress, Scene(model, clusters(model), doomed, probability))


def end_of(spec, data):
    model, signals = stressed(spec)
    run(model, data, spec, epochs=1.5, phase="gestation", signals=signals, interval=100.0)
    return state(model)


_ENDS: dict[tuple, dict] = {}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    stop=st.integers(1, 18),
    again=st.integers(1, 18),
    stress=st.sampled_from(STRESSES),
    optimizer=st.sampled_from(["muon", "adamw", "sgd"]),
)
def test_stopping_anywhere_and_going_on_is_not_stopping_at_all(tmp_path_factory, stop, again, stress, optimizer):
    path = tmp_path_factory.mktemp("life") / "x.checkpoint.safetensors"
    stress = [{"name": name, "parameters": {"every": 3} if name == "weakening" else {}} for name in stress.split(",")]
    chosen, data = spec(optimizer=optimizer, stress=stress, augmentation="shift", multi_scale=0.2), world()
    key = (optimizer, str(stress))
    if key not in _ENDS:
        _ENDS[key] = end_of(chosen, data)
    for steps in (stop, again, 1000):  # stopped twice, then let go
        model, signals = stressed(chosen)
        going = train(
            model,
            TASK,
            data,
            chosen,
            epochs=1.5,
            phase="gestation",
            seed=5,
            signals=signals,
            checkpoint=Checkpoint(path, chosen, every=1e9),
            interval=0.0,  # an event after each step
        )
        for _ in itertools.islice(going, steps):
            pass
        going.close()
    assert same(state(model), _ENDS[key])


def test_a_killed_process_goes_on_from_the_last_save(tmp_path):
    data, chosen = world(), spec()
    model, path = small(), tmp_path / "c.safetensors"
    killed = train(
        model,
        TASK,
        data,
        chosen,
        epochs=2,
        phase="x",
        seed=5,
        interval=0.0,
        checkpoint=Checkpoint(path, chosen, every=0.0),
    )
    for _ in range(7):
        next(killed)
    saved = path.read_bytes()
    del killed  # closing saves; a kill would not have
    path.write_bytes(saved)
    went_on, whole = small(seed=3), small()
    first = run(went_on, data, chosen, checkpoint=Checkpoint(path, chosen), phase="x", interval=0.0)[0]
    run(whole, data, chosen, phase="x")
    assert first.step == 7  # the save of a step comes after it was told
    assert same(state(went_on), state(whole))


def test_a_finished_phase_is_not_trained_again(tmp_path):
    data, chosen = world(), spec()
    checkpoint = Checkpoint(tmp_path / "c.safetensors", chosen)
    model = small()
    run(model, data, chosen, checkpoint=checkpoint)
    other = small(seed=8)
    events = run(other, data, chosen, checkpoint=checkpoint)
    assert [event.step for event in events] == [events[0].steps]
    assert same(state(model), state(other))


def test_a_checkpoint_of_another_phase_or_shape_is_not_taken_up(tmp_path):
    data, chosen = world(), spec()
    checkpoint = Checkpoint(tmp_path / "c.safetensors", chosen)
    run(small(), data, chosen, checkpoint=checkpoint, phase="gestation")
    fresh, model = small(), small()
    run(fresh, data, chosen, phase="growth")
    run(model, data, chosen, phase="growth", checkpoint=checkpoint)
    assert same(state(fresh), state(model))
    thin = small()
    thin.fc1, thin.fc2 = nn.Linear(32, 9), nn.Linear(9, 4)
    notices = run(thin, data, chosen, phase="growth", checkpoint=checkpoint)[0].notices
    assert "another shape" in notices[0]
