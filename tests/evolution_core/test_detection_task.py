"""Detection's building blocks, each against a plain reading of its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from evolution_core.architectures import build, region_of
from evolution_core.architectures.region import ANCHORS
from evolution_core.data import Data, Split
from evolution_core.seeds import generator
from evolution_core.spec import DataError, NetworkError
from evolution_core.tasks import task_for
from evolution_core.tasks.detection import (
    Detections,
    average_precision,
    decode,
    detect,
    detections,
    find_anchors,
    mean_best_iou,
    precision_and_recall,
    suppress,
    yolo_loss,
)
from evolution_core.tasks.detection.augmentation import framed_boxes, framed_targets
from evolution_core.tasks.detection.geometry import iou, iou_matrix, shape_iou, to_corners
from evolution_core.tasks.detection.loss import assign
from evolution_core.tasks.photographs import draw_frames, framed_images, vary_colours

FIVE = torch.tensor([[0.1, 0.1], [0.2, 0.3], [0.3, 0.2], [0.5, 0.5], [0.9, 0.8]])


def boxes(count: int, seed: int = 0, classes: int = 3) -> Tensor:
    luck = torch.Generator().manual_seed(seed)
    size = torch.rand(count, 2, generator=luck) * 0.4 + 0.05
    centre = torch.rand(count, 2, generator=luck) * (1 - size) + size / 2
    return torch.cat([torch.randint(classes, (count, 1), generator=luck).float(), centre, size], 1)


# --- geometry ----------------------------------------------------------------------------------------------------


def plain_iou(a: list[float], b: list[float]) -> float:
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - across * down
    return across * down / both if both > 0 else 0.0


def to_centres(corners: Tensor) -> Tensor:
    """[..., 4] left, top, right, bottom -> centre x, y, width, height."""
    low, high = corners[..., :2], corners[..., 2:4]
    return torch.cat([(low + high) / 2, high - low], -1)


def test_overlap_is_what_its_name_says() -> None:
    first, second = to_corners(boxes(12)[:, 1:]), to_corners(boxes(9, 1)[:, 1:])
    matrix = iou_matrix(first, second)
    for i, a in enumerate(first.tolist()):
        for j, b in enumerate(second.tolist()):
            assert float(matrix[i, j]) == pytest.approx(plain_iou(a, b), abs=1e-6)
    assert torch.allclose(iou(first, first), torch.ones(12))
    assert torch.allclose(to_corners(to_centres(first)), first)


def test_boxes_of_no_area_overlap_nothing() -> None:
    point = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    assert float(iou(point, point)) == 0.0
    assert math.isfinite(float(shape_iou(torch.zeros(1, 2), torch.zeros(1, 2))))


# --- suppression -------------------------------------------------------------------------------------------------


def plain_suppression(corners: list[list[float]], scores: list[float], classes: list[int], overlap: float) -> list[int]:
    """The textbook's: take the surest, strike out what overlaps it, repeat."""
    left = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    kept = []
    while left:
        best, *rest = left
        kept.append(best)
        left = [r for r in rest if classes[r] != classes[best] or plain_iou(corners[best], corners[r]) <= overlap]
    return kept


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.45, 0.7, 1.0]))
def test_suppression_agrees_with_the_textbook(count: int, seed: int, overlap: float) -> None:
    found = boxes(count, seed)
    corners, classes = to_corners(found[:, 1:]), found[:, 0].long()
    scores = torch.rand(count, generator=torch.Generator().manual_seed(seed)).mul(8).round() / 8  # with equal ones
    kept = suppress(corners, scores, classes, overlap)
    assert kept.tolist() == plain_suppression(corners.tolist(), scores.tolist(), classes.tolist(), overlap)


def test_suppression_of_nothing() -> None:
    assert suppress(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long), 0.5).tolist() == []


# --- anchors -----------------------------------------------------------------------------------------------------


def test_anchors_are_the_middles_of_clear_groups() -> None:
    groups = torch.tensor([[0.05, 0.05], [0.1, 0.3], [0.3, 0.1], [0.4, 0.4], [0.8, 0.9]])
    luck = torch.Generator().manual_seed(0)
    sizes = (groups.repeat_interleave(40, 0) * (1 + 0.05 * torch.randn(200, 2, generator=luck))).clamp(0.01, 1)
    anchors = find_anchors(sizes, 5, seed=1)
    assert torch.allclose(anchors, groups[groups.prod(1).argsort(stable=True)], rtol=0.05)
    assert mean_best_iou(sizes, anchors) > 0.9
    assert torch.equal(anchors, find_anchors(sizes, 5, seed=1))
    assert bool((anchors.prod(1).diff() >= 0).all())


def test_more_anchors_fit_better() -> None:
    sizes = boxes(300)[:, 3:]
    scores = [mean_best_iou(sizes, find_anchors(sizes, count, seed=0)) for count in (1, 2, 5, 9)]
    assert scores == sorted(scores)
    assert scores[2] > 0.6


def test_fewer_sizes_than_anchors() -> None:
    anchors = find_anchors(torch.tensor([[0.2, 0.3]] * 7), 5, seed=0)
    assert anchors.shape == (5, 2)
    assert float(anchors.max()) <= 1.0
    assert len(torch.unique(anchors, dim=0)) == 5
    with pytest.raises(DataError, match="no boxes"):
        find_anchors(torch.zeros(0, 2), 5, seed=0)


# --- decoding ----------------------------------------------------------------------------------------------------


def test_decoding_is_the_papers_formula() -> None:
    outputs = torch.randn(2, 5 * 8, 3, 4, generator=torch.Generator().manual_seed(0))
    found = decode(outputs, FIVE)
    assert found.boxes.shape == (2, 60, 4)
    sigmoid = lambda value: 1 / (1 + math.exp(-value))  # noqa: E731
    for image, row, column, anchor in [(0, 0, 0, 0), (1, 2, 3, 4), (0, 1, 2, 3)]:
        t = outputs[image, anchor * 8 : (anchor + 1) * 8, row, column].tolist()
        place = (row * 4 + column) * 5 + anchor
        expected = [
            (sigmoid(t[0]) + column) / 4,
            (sigmoid(t[1]) + row) / 3,
            float(FIVE[anchor, 0]) * math.exp(t[2]),
            float(FIVE[anchor, 1]) * math.exp(t[3]),
        ]
        assert found.boxes[image, place].tolist() == pytest.approx(expected, rel=1e-5)
        assert float(found.objectness[image, place]) == pytest.approx(sigmoid(t[4]), rel=1e-5)
        assert found.logits[image, place].tolist() == pytest.approx(t[5:])
    assert torch.allclose(found.scores.sum(-1), found.objectness)


def placed(truth: list[list[float]], classes: int = 3, size: int = 4) -> Tensor:
    """The map [1, 5 * (5 + K), size, size] that says exactly these boxes, and no others."""
    outputs = torch.full((5, 5 + classes, size, size), 0.0)
    outputs[:, 4] = -12.0
    for label, x, y, width, height in truth:
        column, row = int(x * size), int(y * size)
        anchor = int(shape_iou(torch.tensor([[width, height]]), FIVE).argmax())
        offset = torch.tensor([x * size - column, y * size - row]).clamp(1e-4, 1 - 1e-4)
        cell = outputs[anchor, :, row, column]
        cell[:2] = torch.logit(offset)
        cell[2:4] = torch.log(torch.tensor([width, height]) / FIVE[anchor])
        cell[4] = 12.0
        cell[5:] = -12.0
        cell[5 + int(label)] = 12.0
    return outputs.reshape(1, -1, size, size)


TRUTH = [[0, 0.3, 0.3, 0.2, 0.3], [2, 0.7, 0.6, 0.5, 0.5], [1, 0.1, 0.9, 0.1, 0.12]]


def test_a_map_that_says_boxes_is_read_as_these_boxes() -> None:
    (found,) = detect(placed(TRUTH), FIVE)
    seen = {
        int(label): to_centres(corners).tolist() for label, corners in zip(found.classes, found.corners, strict=True)
    }
    assert len(found) == 3
    for label, *box in TRUTH:
        assert seen[int(label)] == pytest.approx(box, abs=1e-3)
    assert float(found.scores.min()) > 0.99
    assert len(detect(placed(TRUTH), FIVE, threshold=0.9999999)[0]) < 3


def test_detections_are_inside_the_image_and_sorted() -> None:
    outputs = torch.randn(3, 40, 5, 5, generator=torch.Generator().manual_seed(1)) * 3
    for found in detect(outputs, FIVE, threshold=0.01, maximum=20):
        assert len(found) <= 20
        assert float(found.corners.min()) >= 0.0
        assert float(found.corners.max()) <= 1.0
        assert bool((found.scores.diff() <= 0).all())


# --- loss --------------------------------------------------------------------------------------------------------


def plain_loss(outputs: Tensor, targets: list[Tensor], anchors: Tensor) -> float:
    """The loss as the paper's reading in method.md says it, prediction by prediction."""
    count, channels, height, width = outputs.shape
    classes = channels // 5 - 5
    total = 0.0
    for image in range(count):
        truths = targets[image].tolist()
        responsible = {}
        for truth in truths:
            column, row = min(int(truth[1] * width), width - 1), min(int(truth[2] * height), height - 1)
            shapes = [plain_iou([0, 0, *truth[3:]], [0, 0, *anchor]) for anchor in anchors.tolist()]
            responsible[(row, column, int(np.argmax(shapes)))] = truth
        for row in range(height):
            for column in range(width):
                for anchor in range(5):
                    t = outputs[image, anchor * (5 + classes) : (anchor + 1) * (5 + classes), row, column].tolist()
                    sig = [1 / (1 + math.exp(-v)) for v in t[:5]]
                    wide, high = (float(anchors[anchor, side]) * math.exp(t[2 + side]) for side in (0, 1))
                    box = [(sig[0] + column) / width, (sig[1] + row) / height, wide, high]
                    corners = to_corners(torch.tensor(box)).tolist()
                    truth = responsible.get((row, column, anchor))
                    if truth is None:
                        known = [plain_iou(corners, to_corners(torch.tensor(other[1:])).tolist()) for other in truths]
                        total += 0.0 if max(known, default=0.0) > 0.6 else sig[4] ** 2
                        continue
                    offsets = (truth[1] * width - column, truth[2] * height - row)
                    total += (sig[0] - offsets[0]) ** 2 + (sig[1] - offsets[1]) ** 2
                    total += (t[2] - math.log(truth[3] / float(anchors[anchor, 0]))) ** 2
                    total += (t[3] - math.log(truth[4] / float(anchors[anchor, 1]))) ** 2
                    total += 5 * (sig[4] - plain_iou(corners, to_corners(torch.tensor(truth[1:])).tolist())) ** 2
                    logits = t[5:]
                    total += math.log(sum(math.exp(v) for v in logits)) - logits[int(truth[0])]
    return total / count


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_agrees_with_a_plain_reading(seed: int) -> None:
    outputs = torch.randn(3, 40, 4, 3, generator=torch.Generator().manual_seed(seed))
    targets = [boxes(4, seed), torch.zeros(0, 5), boxes(2, seed + 10)]
    assert float(yolo_loss(outputs, targets, FIVE)) == pytest.approx(plain_loss(outputs, targets, FIVE), rel=1e-4)


def test_the_loss_of_the_truth_is_next_to_nothing() -> None:
    right = yolo_loss(placed(TRUTH), [torch.tensor(TRUTH)], FIVE)
    assert float(right) < 0.01
    assert float(yolo_loss(placed(TRUTH[:2]), [torch.tensor(TRUTH)], FIVE)) > 1.0
    assert float(yolo_loss(placed(TRUTH), [torch.tensor(TRUTH[:2])], FIVE)) > 0.5


def test_gradients_are_finite_for_wild_outputs() -> None:
    outputs = (torch.randn(2, 40, 4, 4, generator=torch.Generator().manual_seed(0)) * 50).requires_grad_()
    yolo_loss(outputs, [boxes(5), torch.zeros(0, 5)], FIVE).backward()
    assert outputs.grad is not None
    assert bool(torch.isfinite(outputs.grad).all())


def test_two_truths_in_one_place_share_no_prediction() -> None:
    twice = torch.tensor([[0.0, 0.4, 0.4, 0.2, 0.3], [1.0, 0.41, 0.41, 0.2, 0.3]])
    own = assign([twice, twice[:1]], FIVE, 4, 4)
    assert own.image.tolist() == [0, 1]
    assert own.truth[0, 0] == 1.0  # the later one
    edge = assign([torch.tensor([[0.0, 1.0, 1.0, 0.1, 0.1]])], FIVE, 4, 4)
    assert int(edge.place[0]) // 5 == 15


# --- measures ----------------------------------------------------------------------------------------------------


def plain_average_precision(found: list[Detections], truths: list[Tensor], label: int, overlap: float) -> float:
    """COCO's 101-point average precision of one class, spelled out."""
    rows = sorted(
        (
            (float(score), image, corners.tolist())
            for image, part in enumerate(found)
            for score, corners, own in zip(part.scores, part.corners, part.classes, strict=True)
            if int(own) == label
        ),
        key=lambda row: -row[0],
    )
    there = {
        image: [to_corners(t[1:]).tolist() for t in truth if int(t[0]) == label] for image, truth in enumerate(truths)
    }
    total = sum(len(part) for part in there.values())
    taken: set[tuple[int, int]] = set()
    hits, precision, recall = 0, [], []
    for rank, (_, image, corners) in enumerate(rows, 1):
        free = [(plain_iou(corners, t), k) for k, t in enumerate(there[image]) if (image, k) not in taken]
        best, place = max(free, default=(0.0, -1))
        if best >= overlap:
            taken.add((image, place))
            hits += 1
        precision.append(hits / rank)
        recall.append(hits / total)
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    points = []
    for level in np.linspace(0, 1, 101):
        reached = next((p for p, r in zip(precision, recall, strict=True) if r >= level - 1e-12), 0.0)
        points.append(reached)
    return float(np.mean(points))


def guesses(truths: list[Tensor], seed: int) -> list[Detections]:
    """Some truths found a little beside, some twice, some boxes that are not there; all scores different."""
    luck = torch.Generator().manual_seed(seed)
    result = []
    for truth in truths:
        near = truth[torch.rand(len(truth), generator=luck) < 0.8]
        both = torch.cat([near, near[: len(near) // 2], boxes(2, seed)])
        moved = both[:, 1:] * (1 + 0.15 * (torch.rand(len(both), 4, generator=luck) - 0.5))
        scores = torch.rand(len(both), generator=luck)
        order = scores.argsort(descending=True)
        result.append(Detections(to_corners(moved)[order], scores[order], both[:, 0].long()[order]))
    return result


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_agrees_with_its_definition(seed: int) -> None:
    truths = [boxes(6, seed * 10 + k) for k in range(8)]
    found = guesses(truths, seed)
    names = ("a", "b", "c")
    measured = average_precision(found, truths, names)
    each = [plain_average_precision(found, truths, label, 0.5) for label in range(3)]
    for name, value in zip(names, each, strict=True):
        assert measured[f"map50/{name}"] == pytest.approx(value, abs=2e-3)
    assert measured["map"] == pytest.approx(sum(measured[f"map/{name}"] for name in names) / 3)
    assert measured["map50"] == pytest.approx(sum(each) / 3, abs=2e-3)
    levels = [
        np.mean([plain_average_precision(found, truths, k, t) for k in range(3)]) for t in np.arange(0.5, 1, 0.05)
    ]
    assert measured["map"] == pytest.approx(float(np.mean(levels)), abs=4e-3)


def nothing() -> Detections:
    return Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long))


def test_average_precision_at_the_ends() -> None:
    truths = [boxes(4, k) for k in range(3)]
    perfect = [Detections(to_corners(t[:, 1:]), torch.linspace(0.9, 0.5, 4), t[:, 0].long()) for t in truths]
    assert average_precision(perfect, truths, ("a", "b", "c"))["map"] == pytest.approx(1.0)
    none = average_precision([nothing()] * 3, truths, ("a", "b", "c"))
    assert (none["map50"], none["map"]) == (0.0, 0.0)
    assert average_precision([nothing()], [torch.zeros(0, 5)], ("a",)) == {"map50": 0.0, "map": 0.0}
    absent = average_precision(perfect, truths, ("a", "b", "c", "never"))
    assert absent["map50"] == pytest.approx(1.0)
    assert "map50/never" not in absent


def test_precision_and_recall_count_each_truth_once() -> None:
    truth = torch.tensor([[0.0, 0.3, 0.3, 0.2, 0.2], [1.0, 0.7, 0.7, 0.2, 0.2]])
    corners = to_corners(truth[:, 1:])
    found = Detections(corners[[0, 0, 1]], torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 0]))
    assert precision_and_recall([found], [truth]) == {"precision": pytest.approx(1 / 3), "recall": 0.5}
    each = precision_and_recall([found], [truth], ("a", "b", "never"))
    assert (each["precision/a"], each["recall/a"], each["boxes/a"]) == (pytest.approx(1 / 3), 1.0, 1)
    assert (each["precision/b"], each["recall/b"], each["boxes/b"]) == (0.0, 0.0, 1)
    assert not any(key.endswith("/never") for key in each)
    faint = Detections(corners, torch.tensor([0.2, 0.1]), torch.tensor([0, 1]))
    assert precision_and_recall([faint], [truth]) == {"precision": 0.0, "recall": 0.0}


# --- augmentation ------------------------------------------------------------------------------------------------


def painted(truth: Tensor, size: int = 64) -> Tensor:
    """uint8 [1, 3, size, size]: gray, each box full of the colour of its class (0 red, 1 green, 2 blue)."""
    image = torch.full((1, 3, size, size), 128, dtype=torch.uint8)
    corners = (to_corners(truth[:, 1:]) * size).round().int().tolist()
    for label, (left, top, right, bottom) in zip(truth[:, 0].int().tolist(), corners, strict=True):
        image[0, label, top:bottom, left:right] = 255
    return image


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["shift", "flip-shift", "photo"]))
def test_boxes_move_with_their_pictures(seed: int, kind: str) -> None:
    truth = torch.tensor([[0.0, 0.25, 0.25, 0.25, 0.25], [1.0, 0.6875, 0.6875, 0.25, 0.375]])
    frames = draw_frames(1, kind, generator(seed, "frame"))
    image, (moved,) = framed_images(painted(truth), frames)[0], framed_targets([truth], frames)
    for label, *box in moved.tolist():
        left, top, right, bottom = (to_corners(torch.tensor(box)) * 64).tolist()
        rows, columns = (image[int(label)] > 192).nonzero(as_tuple=True)
        assert abs(int(columns.min()) - left) <= 1.5
        assert abs(int(columns.max()) + 1 - right) <= 1.5
        assert abs(int(rows.min()) - top) <= 1.5
        assert abs(int(rows.max()) + 1 - bottom) <= 1.5


def test_boxes_that_hardly_show_are_left_out() -> None:
    truth = torch.tensor([[0.0, 0.1, 0.5, 0.2, 0.2], [1.0, 0.5, 0.5, 0.2, 0.2]])
    assert framed_boxes(truth, 0.19, 0.0, 0.8, 1.0, False)[:, 0].tolist() == [1.0]
    half = framed_boxes(truth, 0.1, 0.0, 0.9, 1.0, False)
    assert half[0].tolist() == pytest.approx([0.0, 0.5 / 9, 0.5, 1 / 9, 0.2])
    assert framed_boxes(torch.zeros(0, 5), 0.1, 0.1, 0.5, 0.5, True).shape == (0, 5)


def test_colours_vary_but_grays_stay_gray() -> None:
    luck = generator(0, "colours")
    gray = torch.full((4, 3, 8, 8), 100, dtype=torch.uint8)
    varied = vary_colours(gray, luck).float()
    assert float((varied - varied.mean(1, keepdim=True)).abs().max()) <= 1.5
    assert len({int(value) for value in varied[:, 0, 0, 0]}) > 1
    colour = torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8, generator=luck)
    assert not torch.equal(vary_colours(colour, luck), colour)
    assert vary_colours(torch.full((2, 1, 4, 4), 90, dtype=torch.uint8), luck).shape == (2, 1, 4, 4)


def test_classification_may_vary_photographs_too() -> None:
    images = torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8, generator=generator(0, "x"))
    targets = torch.arange(6)
    varied, same = task_for("classification").augment(images, targets, "photo", generator(1, "luck"))
    again, _ = task_for("classification").augment(images, targets, "photo", generator(1, "luck"))
    assert varied.shape == images.shape
    assert torch.equal(varied, again)
    assert not torch.equal(varied, images)
    assert torch.equal(same, targets)


# --- the task ----------------------------------------------------------------------------------------------------


def data_of(truths: list[Tensor], size: int = 64) -> Data:
    split = Split(torch.cat([painted(t, size) for t in truths]), truths)
    half = torch.full((3,), 0.5)
    return Data("detection", ("a", "b", "c"), (3, size, size), split, split, split, half, half, "0" * 64)


def test_the_task_speaks_the_engines_language() -> None:
    task = task_for("detection")
    assert (task.name, task.metric, task.outputs(20)) == ("detection", "map50", 125)
    truths = [boxes(3, k) for k in range(6)]
    data = data_of(truths)
    model = build("tiny-yolov2", 3, data.shape, width=0.1, seed=0)
    task.prepare(model, data, 7)
    anchors = region_of(model).anchors
    assert torch.equal(anchors, find_anchors(torch.cat(truths)[:, 3:], ANCHORS, 7))
    measured = task.evaluate(model, data.validation, data, limit=4)
    assert {"map50", "map", "precision", "recall"} <= measured.keys()
    assert all(0.0 <= value <= 1.0 for name, value in measured.items() if not name.startswith("boxes/"))
    assert model.training
    batch = task.batch(data.train.targets, torch.tensor([4, 1]))
    assert [torch.equal(a, b) for a, b in zip(batch, (truths[4], truths[1]), strict=True)] == [True, True]
    assert 0.0 <= task.chance(data) <= 1.0
    with pytest.raises(DataError):
        task.evaluate(model, Split(data.train.images[:0], []), data)


def test_a_classifier_is_no_detector() -> None:
    model = build("lenet5", 3, (3, 32, 32))
    with pytest.raises(NetworkError, match="no detector"):
        task_for("detection").prepare(model, data_of([boxes(2)]), 0)


def test_following_a_teacher_is_least_where_both_agree() -> None:
    task = task_for("detection")
    teacher = torch.randn(2, 40, 4, 4, generator=generator(0, "teacher"))
    other = torch.randn(2, 40, 4, 4, generator=generator(1, "other"))
    assert float(task.distil(teacher, teacher)) == pytest.approx(0.0, abs=1e-5)
    assert float(task.distil(other, teacher)) > 1.0


def test_a_detector_learns_a_scene_by_heart() -> None:
    """A tiny detector overfits four pictures: loss, anchors, decoding, suppression and measure belong together."""
    truths = [torch.tensor([[k % 2, 0.3, 0.35, 0.25, 0.25], [1.0 - k % 2, 0.7, 0.65, 0.35, 0.3]]) for k in range(4)]
    data = data_of([t.float() for t in truths])
    task = task_for("detection")
    model = build("tiny-yolov2", 3, data.shape, width=0.1, seed=0).train()
    task.prepare(model, data, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    from evolution_core.tasks import pixels

    images = pixels.normalise(data.train.images, data.mean, data.std)
    first = last = 0.0
    for step in range(80):
        loss = task.loss(model(images), data.train.targets, model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (float(loss.detach()) if step == 0 else first), float(loss.detach())
    assert last < first / 5
    measured = task.evaluate(model, data.train, data)
    assert measured["map50"] > 0.9
    assert len(detections(model, data.train.images, data, threshold=0.3)) == 4
