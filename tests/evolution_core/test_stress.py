"""Stress signals: what each does to which clusters, and when."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evolution_core.spec import RunSpec, SpecError, Stress, catalogue
from evolution_core.stress import SCHEDULES, SIGNALS, Moment, Scene, combined_gain, impose, imposed
from evolution_core.stress.clusters import Slices, blocks_of, calibrated, deaths
from evolution_core.stress.schedules import schedule_of
from evolution_core.tasks import task_for
from evolution_core.training import train
from evolution_core.training.schedule import rate
from tests.evolution_core.small_world import clusters, small, world

DOOMED = [0, 3, 7, 12, 15, 20]
UNLIKELY = [1, 4, 6, 13, 14, 16]  # as many in each group as are doomed
GROUPS = [range(3), range(3, 6), range(6, 10), range(10, 14), range(14, 24)]
BLOCKS = blocks_of(clusters(small()))
STEPS = 100


def doomed():
    mark = torch.zeros(28, dtype=torch.bool)
    mark[torch.tensor(DOOMED)] = True
    return mark


def likely(*unlikely):
    """P of 1 everywhere, and almost none for the named."""

    def probability(model):
        chance = torch.ones(28)
        chance[list(unlikely)] = 1e-6
        return chance

    return probability


def signal(name, model, *, probability=None, schedule="constant", **parameters):
    stress = Stress.read({"name": name, "parameters": parameters, "schedule": schedule})
    return impose([stress], Scene(model, clusters(model), doomed(), probability or likely()))[0]


def at(progress):
    return Moment(round(progress * STEPS) - 1, STEPS, seed=7, phase="gestation")


def seen(signal, model, progress):
    """The network as the signal lets the forward pass see it."""
    return combined_gain([signal], model, at(progress))


# -- the registry


def test_every_signal_of_the_catalogue_can_be_imposed_and_no_other():
    assert set(SIGNALS) == set(catalogue.STRESSES)
    assert set(SCHEDULES) == set(catalogue.SCHEDULES)
    assert all(kind.name == name and kind.__doc__ for name, kind in SIGNALS.items())


@pytest.mark.parametrize("name", list(catalogue.STRESSES))
@pytest.mark.parametrize("schedule", list(catalogue.SCHEDULES))
def test_every_signal_trains_under_every_schedule_and_leaves_numbers(name, schedule):
    model, data = small(), world(train=64)
    stress = signal(name, model, schedule=schedule)
    spec = RunSpec(batch_size=16)
    list(train(model, task_for("classification"), data, spec, epochs=2, phase="gestation", seed=1, signals=[stress]))
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert model.fc1.weight[0].any()  # those who live are alive


def test_a_parameter_that_a_signal_does_not_take_is_refused():
    with pytest.raises(SpecError, match="death-list takes no parameter 'peak'"):
        RunSpec(stress=[{"name": "death-list", "parameters": {"peak": 1}}])


# -- schedules


@pytest.mark.parametrize("name", list(catalogue.SCHEDULES))
@settings(max_examples=30, deadline=None, derandomize=True)
@given(progress=st.floats(0, 1), count=st.integers(1, 9), duty=st.floats(0.05, 1))
def test_what_was_dealt_is_the_integral_of_the_level(name, progress, count, duty):
    parameters = {"count": count, "duty": duty} if name == "pulses" else {}
    schedule = schedule_of(Stress.read({"name": "none", "schedule": name, "schedule_parameters": parameters}))
    points = [(index + 0.5) * progress / 4000 for index in range(4000)]
    assert schedule.dealt(progress) == pytest.approx(sum(map(schedule.level, points)) * progress / 4000, abs=2e-3)
    assert 0.0 <= schedule.level(progress) <= 1.0


# -- clusters


def test_a_gain_reaches_every_slice_of_a_cluster_and_nothing_else():
    model = small()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    gain = torch.ones(28)
    gain[7], gain[15] = 0.5, 0.25  # conv2's second filter, fc1's second neuron
    Slices(clusters(model), model).scale(model, gain)
    assert model.conv2.weight[:, 0, 0, 0].tolist() == [1, 0.5, 1, 1, 1, 1, 1, 1]
    assert model.conv2.bias.tolist() == [1, 0.5, 1, 1, 1, 1, 1, 1]
    assert model.fc1.weight[0, :12].tolist() == [1] * 4 + [0.5] * 4 + [1] * 4
    assert model.fc1.weight[1, :12].tolist() == [0.25] * 4 + [0.125] * 4 + [0.25] * 4
    assert model.fc2.weight[0, :3].tolist() == [1, 0.25, 1]
    assert model.conv1.weight.eq(1).all()
    assert model.fc2.bias.eq(1).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**40), share=st.floats(0, 1))
def test_deaths_are_as_many_in_every_group_as_were_doomed(seed, share):
    luck = torch.Generator().manual_seed(seed)
    dying = torch.rand(28, generator=luck) < share
    drawn = deaths(BLOCKS, dying, torch.rand(28, generator=luck), luck)
    for group in GROUPS:
        assert drawn[group].sum() == dying[group].sum()


def test_the_unlikely_die_first_and_the_protected_never():
    counts = torch.zeros(28)
    for seed in range(40):
        counts += deaths(BLOCKS, doomed(), likely(1, 4, 6, 24, 25)(None), torch.Generator().manual_seed(seed))
    assert counts[[1, 4, 6]].tolist() == [40, 40, 40]
    assert not counts[24:].any()


# -- signals


def test_a_death_list_fades_the_doomed_and_only_them():
    model = small()
    stress = signal("death-list", model)
    for progress, left in ((0.2, 0.75), (0.4, 0.5), (0.8, 0.0), (1.0, 0.0)):
        ratio = seen(stress, model, progress)["conv1.bias"] / model.conv1.bias
        assert ratio.tolist() == pytest.approx([left, 1, 1, left, 1, 1])


def test_a_network_is_looked_at_as_stress_lets_it_be_seen_and_given_back_as_it_was():
    model = small()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fading = signal("death-list", model)
    expected = seen(fading, model, 0.5)
    assert expected
    with imposed([fading], model, at(0.5)):
        for name, value in expected.items():
            assert torch.equal(model.state_dict()[name], value)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_death_lists_weights_stay_until_the_end_and_are_zero_then():
    model = small()
    before = {name: value.clone() for name, value in model.named_parameters()}
    stress = signal("death-list", model)
    stress.after_step(at(1.0))
    assert all(torch.equal(before[name], value) for name, value in model.named_parameters())
    stress.finish(at(1.0))
    stress.finish(at(1.0))
    assert not model.conv1.weight[[0, 3]].any()
    assert not model.fc2.weight[:, [1, 6]].any()
    assert torch.equal(model.conv1.weight[1], before["conv1.weight"][1])


def test_what_a_finished_death_list_cuts_changes_nothing():
    model, data = small(), world(train=64)
    spec, task = RunSpec(batch_size=16), task_for("classification")
    stress = signal("death-list", model)
    list(train(model, task, data, spec, epochs=2, phase="gestation", seed=1, signals=[stress]))
    images = data.validation.images.float()
    with torch.no_grad():
        whole = model.eval()(images)
        Slices(clusters(model), model).scale(model, 1.0 - doomed().float())
        assert torch.equal(whole, model(images))


def test_schedules_set_the_pace_of_a_fade_and_not_its_end():
    model = small()
    ramp, pulses = signal("death-list", model, schedule="ramp"), signal("death-list", model, schedule="pulses")
    left = [float((seen(ramp, model, p)["conv1.bias"] / model.conv1.bias).detach()[0]) for p in (0.4, 0.8)]
    assert left == pytest.approx([0.75, 0.0])
    calm = [
        float((seen(pulses, model, p)["conv1.bias"] / model.conv1.bias).detach()[0]) for p in (0.13, 0.2, 0.25, 0.3)
    ]
    assert calm[0] == pytest.approx(calm[1]) == pytest.approx(calm[2])
    assert calm[3] < calm[2]


def test_a_random_control_has_the_death_lists_dose_and_not_its_foresight():
    model = small()
    stress = signal("random", model, probability=likely(*range(28)))
    victims = stress.victims(at(0.5))
    for group in GROUPS:
        assert victims[group].sum() == doomed()[group].sum()
    assert not torch.equal(victims, doomed())
    ratio = seen(stress, model, 0.4)["conv2.bias"] / model.conv2.bias
    assert torch.allclose(ratio, 1.0 - 0.5 * victims[6:14].float())
    before = model.conv2.bias.clone()
    stress.finish(at(1.0))
    assert torch.equal(before, model.conv2.bias)


def test_a_random_controls_victims_are_the_same_after_a_pause():
    model = small()
    assert torch.equal(signal("random", model).victims(at(0.1)), signal("random", model).victims(at(0.9)))


def test_rehearsal_silences_more_and_more_of_those_unlikely_to_live():
    model = small()
    stress = signal("rehearsal", model, probability=likely(*UNLIKELY))

    def silenced(progress):
        drawn = torch.zeros(28)
        for seed in range(60):
            moment = Moment(round(progress * STEPS) - 1, STEPS, seed, "gestation")
            drawn += 1.0 - stress.gain(moment)
        return drawn

    early, late, end = silenced(0.2), silenced(0.8), silenced(1.0)
    assert 0 < early.sum() < late.sum() < end.sum()
    assert end[UNLIKELY].tolist() == [60] * 6
    assert end.sum() == 360


def test_rehearsal_keeps_the_weights_and_gives_the_silent_no_gradient():
    model = small()
    stress = signal("rehearsal", model, probability=likely(*UNLIKELY))
    before = model.conv1.weight.clone()
    gains = seen(stress, model, 1.0)
    torch.func.functional_call(model, gains, (torch.rand(4, 1, 16, 16),)).sum().backward()
    assert not model.conv1.weight.grad[[1, 4]].any()
    assert model.conv1.weight.grad[0].any()
    assert torch.equal(before, model.conv1.weight)


def test_weakening_strikes_every_so_many_steps_at_those_unlikely_to_live():
    model = small()
    stress = signal("weakening", model, probability=likely(*UNLIKELY), factor=0.5, every=10)
    before = model.conv1.bias.clone()
    for step in range(30):
        stress.after_step(Moment(step, STEPS, 7, "gestation"))
    assert (model.conv1.bias / before).tolist() == pytest.approx([1, 0.125, 1, 1, 0.125, 1])


def test_weakening_asks_for_the_probability_of_the_network_as_it_is():
    model, asked = small(), []

    def current(model):
        asked.append(float(model.conv1.bias.detach().abs().sum()))
        return torch.linspace(0.1, 1, 28)

    stress = signal("weakening", model, probability=current, every=1)
    for step in range(3):
        stress.after_step(Moment(step, STEPS, 7, "gestation"))
    assert asked[0] > asked[1] > asked[2]


def pressed(probability, steps, **parameters):
    """What a whole gestation of pressure leaves of each cluster's bias, where nothing holds against it."""
    model = small()
    stress = signal("pressure", model, probability=probability, **parameters)
    before = [model.conv1.bias.clone(), model.conv2.bias.clone()]
    for step in range(steps):
        stress.after_step(Moment(step, steps, 7, "gestation", rate(step, steps)))
    return torch.cat([model.conv1.bias / before[0], model.conv2.bias / before[1]]).detach()


@pytest.mark.parametrize("steps", [60, 600])
def test_pressure_is_in_proportion_to_one_minus_p_and_its_dose_is_bounded(steps):
    def probability(model):
        return torch.tensor([0.0, 0.5, 0.5, 1.0, 0.5, 0.1]).repeat(5)[:28]

    left = pressed(probability, steps)[:6]  # in each group of three, two live: k P = 0, 1, 1 and 1, 5/6, 1/6
    expected = torch.exp(-(1 - torch.tensor([0.0, 1.0, 1.0, 1.0, 5 / 6, 1 / 6])))
    assert torch.allclose(left, expected, atol=0.05)


def test_pressure_spares_those_that_are_sure_to_live():
    left = pressed(likely(*DOOMED), 100, strength=3.0)
    assert (left < 0.1).nonzero().flatten().tolist() == [0, 3, 7, 12]
    assert (left > 0.999).sum() == 10


def test_pressure_rises_over_gestation_for_each_step_of_learning():
    model = small()
    stress = signal("pressure", model, probability=likely(0))
    losses = []
    for progress in (0.1, 0.9):
        before = float(model.conv1.bias.detach()[0])
        stress.after_step(at(progress))
        losses.append(1 - float(model.conv1.bias.detach()[0]) / before)
    assert losses[1] == pytest.approx(9 * losses[0], rel=0.1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**40), share=st.floats(0, 1))
def test_calibrated_probabilities_expect_as_many_survivors_as_there_will_be(seed, share):
    luck = torch.Generator().manual_seed(seed)
    dying, chance = torch.rand(28, generator=luck) < share, torch.rand(28, generator=luck) ** 4
    calm = calibrated(BLOCKS, dying, chance)
    assert calm[24:].eq(1).all()
    for group in GROUPS:
        assert float(calm[group].sum()) == pytest.approx(float((~dying[group]).sum()), abs=1e-6)
        assert calm[group].min() >= 0
        in_order = calm[group][chance[group].argsort()]
        assert (in_order.diff() >= 0).all()


def test_pressure_acts_on_single_synapses_where_they_live_or_die():
    model = small()
    chance = {"conv1.weight": torch.full_like(model.conv1.weight, 0.5)}
    nobody = torch.zeros(28, dtype=torch.bool)
    stress = impose([Stress.read("pressure")], Scene(model, clusters(model), nobody, likely(), lambda model: chance))[0]
    before = {name: value.clone() for name, value in model.named_parameters()}
    stress.after_step(at(1.0))
    assert (model.conv1.weight.abs() < before["conv1.weight"].abs()).all()
    assert torch.equal(model.fc1.weight, before["fc1.weight"])


def test_the_default_pressure_does_not_collapse_a_network():
    data, task, model = world(train=400), task_for("classification"), small()
    spec = RunSpec(batch_size=16)
    list(train(model, task, data, spec, epochs=6, phase="ancestor", seed=1))
    before = task.evaluate(model, data.validation, data)["accuracy"]
    stress = signal("pressure", model, probability=likely(*DOOMED))
    list(train(model, task, data, spec, epochs=3, phase="gestation", seed=1, signals=[stress]))
    assert task.evaluate(model, data.validation, data)["accuracy"] > before - 0.15


def test_no_stress_is_no_stress():
    data, task, ends = world(train=64), task_for("classification"), []
    for signals in (lambda model: [], lambda model: [signal("none", model)]):
        model = small()
        spec = RunSpec(batch_size=16)
        list(train(model, task, data, spec, epochs=1, phase="gestation", seed=1, signals=signals(model)))
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_signals_compose():
    model = small()
    stresses = RunSpec(stress="death-list,rehearsal").stress
    scene = Scene(model, clusters(model), doomed(), likely(*UNLIKELY))
    gains = combined_gain(impose(stresses, scene), model, at(1.0))
    assert (gains["conv1.bias"] == 0).tolist() == [True, True, False, True, True, False]
