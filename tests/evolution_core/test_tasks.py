"""Tasks and what they do to pictures."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from evolution_core.architectures import build
from evolution_core.spec import DataError, SpecError, catalogue
from evolution_core.tasks import TASKS, layouts, memory, pixels, task_for
from tests.evolution_core.small_world import bars, small, world


class Told(nn.Module):
    """Names the class that its image's first pixel spells out."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return torch.eye(4)[(x[:, 0, 0, 0] * 255).round().long()] * self.scale


def told(data, answers):
    """Let the first pixels of the validation images spell out answers."""
    data.mean, data.std = torch.zeros(1), torch.ones(1)
    data.validation.images[:, 0, 0, 0] = torch.tensor(answers, dtype=torch.uint8)


def test_every_task_of_the_base_networks_is_registered():
    assert {card.task for card in catalogue.ARCHITECTURES.values()} <= set(TASKS) | {"detection"}
    assert task_for("classification").metric == "accuracy"


def test_an_unknown_task_is_refused_by_name():
    with pytest.raises(SpecError, match="juggling"):
        task_for("juggling")


def test_accuracy_counts_right_answers_and_balanced_accuracy_counts_classes():
    data = world(validation=8)
    data.validation.targets = torch.tensor([0, 0, 0, 0, 0, 0, 1, 2])
    told(data, [0, 0, 0, 0, 0, 0, 0, 2])
    result = task_for("classification").evaluate(Told(), data.validation, data, batch_size=3)
    assert result["accuracy"] == 7 / 8
    assert result["balanced_accuracy"] == pytest.approx((1 + 0 + 1) / 3)


def test_evaluation_up_to_a_limit_sees_every_class_of_images_that_are_sorted_by_class():
    """A network that knows only the first two of four classes is right on half of the images, however few are asked."""
    data = world(validation=40)
    data.validation.targets = torch.arange(40) // 10
    told(data, [0] * 10 + [1] * 10 + [0] * 20)
    for limit in (8, 20, 40, None):
        measured = task_for("classification").evaluate(Told(), data.validation, data, limit=limit, batch_size=3)
        assert (measured["accuracy"], measured["balanced_accuracy"]) == (0.5, 0.5)


def test_evaluation_leaves_the_model_as_it_was():
    data, model = world(), small()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    task_for("classification").evaluate(model, data.validation, data)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_evaluation_takes_no_more_images_at_once_than_memory_bears(monkeypatch):
    data, model, seen = world(validation=40), small(), []
    task = task_for("classification")
    wanted = task.evaluate(model, data.validation, data)
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    assert task.evaluate(model, data.validation, data) == wanted
    assert max(seen) == 40
    seen.clear()
    monkeypatch.setattr(memory, "BUDGET", 10 * 2 * 6 * 16 * 16 * 4)  # ten images, where conv1's output is normalised
    assert task.evaluate(model, data.validation, data) == wanted
    assert max(seen) == 10
    monkeypatch.setattr(memory, "BUDGET", 1)
    assert memory.images_at_once(model, data.shape, 500) == 1


@pytest.mark.parametrize("name", ["alexnet-small", "vgg16-bn", "resnet56"])
def test_images_of_32_pixels_are_taken_by_500_and_larger_ones_by_fewer(name):
    """By as many as ever: what was measured in the past is measured again to the bit."""
    model = build(name, 10, (3, 32, 32))
    assert memory.images_at_once(model, (3, 32, 32), 500) == 500
    assert memory.images_at_once(model, (3, 32, 32), 128, gradients=True) == 128
    large = build(name, 10, (3, 224, 224))
    assert memory.images_at_once(large, (3, 224, 224), 500) < 120


def test_evaluation_of_nothing_is_refused():
    data = world()
    empty = bars(0)
    with pytest.raises(DataError, match="no images"):
        task_for("classification").evaluate(small(), empty, data)


def test_chance_is_the_most_frequent_class():
    data = world(train=10)
    data.train.targets = torch.tensor([0, 1, 2, 3, 3, 3, 3, 1, 2, 3])
    assert task_for("classification").chance(data) == 0.5


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_targets_of_any_integer_type_train(dtype):
    task = task_for("classification")
    targets = task.batch(torch.tensor([3, 1, 0], dtype=dtype), torch.tensor([2, 0]))
    loss = task.loss(torch.zeros(2, 4), targets, nn.Identity())
    assert targets.tolist() == [0, 3]
    assert float(loss) == pytest.approx(math.log(4))


def test_distillation_is_least_where_the_teacher_is_followed():
    task = task_for("classification")
    teacher = torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    assert float(task.distil(teacher + 3.0, teacher)) == pytest.approx(0.0, abs=1e-6)  # logits have no zero
    assert float(task.distil(-teacher, teacher)) > 0.5


def test_normalising_is_by_channel_and_bears_a_constant_one():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(1, 2, 1, 1)
    out = pixels.normalise(images, torch.tensor([0.5, 1.0]), torch.tensor([0.25, 0.0]))
    assert out.flatten().tolist() == pytest.approx([-2.0, 0.0], abs=1e-4)


def test_a_shift_moves_each_image_by_its_own_and_reflects_at_the_edge():
    images = torch.arange(2 * 25, dtype=torch.uint8).view(2, 1, 5, 5)
    moved = pixels.move(images, torch.tensor([1, 0]), torch.tensor([0, -2]))
    assert torch.equal(moved[0, 0, 1:], images[0, 0, :4])
    assert torch.equal(moved[0, 0, 0], images[0, 0, 1])  # the mirror stands on the outermost row
    assert torch.equal(moved[1, 0, :, :3], images[1, 0, :, 2:])


def test_a_mirrored_image_is_mirrored_before_it_is_shifted():
    images = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4)
    moved = pixels.move(images, torch.tensor([0]), torch.tensor([1]), torch.tensor([True]))
    assert torch.equal(moved[0, 0, :, 1:], images[0, 0].flip(1)[:, :3])


@pytest.mark.parametrize("kind", list(catalogue.AUGMENTATIONS))
def test_every_augmentation_is_fixed_by_its_generator(kind):
    task, split = task_for("classification"), bars(12, channels=3)
    draws = [task.augment(split.images, split.targets, kind, torch.Generator().manual_seed(s))[0] for s in (5, 5, 6)]
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(draws[0], draws[2]) == (kind == "none")
    assert draws[0].shape == split.images.shape
    assert draws[0].dtype == torch.uint8


def test_resizing_keeps_the_aspect_and_the_mean():
    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    out = pixels.resize(images, 24)
    assert out.shape == (2, 3, 24, 36)
    assert torch.allclose(out.mean((2, 3)), images.mean((2, 3)), atol=0.01)


def test_a_network_that_views_its_activations_as_a_matrix_keeps_the_contiguous_format():
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.full = nn.Conv2d(1, 3, 3), nn.Linear(3 * 14 * 14, 4)

        def forward(self, x):
            return self.full(self.conv(x).view(x.shape[0], -1))

    assert layouts.layout_for(Views(), (1, 16, 16)) == torch.contiguous_format
    assert layouts.layout_for(small(), (1, 16, 16)) == torch.channels_last
    data = world()
    assert 0 <= task_for("classification").evaluate(Views(), data.validation, data)["accuracy"] <= 1


@pytest.mark.parametrize(("channels", "stride", "guarded"), [(4, 2, True), (1, 2, True), (32, 2, False), (4, 1, False)])
def test_narrow_strided_shortcuts_are_kept_from_the_layout_that_breaks_their_gradients(channels, stride, guarded):
    class Shortcut(nn.Conv2d):
        def forward(self, x):
            seen.append(x.stride() == torch.empty(x.shape).stride())
            return super().forward(x)

    seen: list[bool] = []
    model = Shortcut(channels, 8, 1, stride).to(memory_format=torch.channels_last)
    images = torch.rand(2, channels, 6, 6).to(memory_format=torch.channels_last)
    with layouts.safe_gradients(model):
        inside = model(images)
    assert torch.allclose(inside, model(images), atol=1e-6)
    assert seen == [guarded, False]
    assert (model.weight.stride() == (channels, 1, 1, 1)) == guarded
