"""How good detections are: COCO's average precision (by faster-coco-eval), precision and recall."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from torch import Tensor

from .decoding import Detections
from .geometry import iou_matrix, to_corners

SCALE = 1000.0  # pixels a side that fractions are shown to the evaluator as; overlaps do not depend on it
SURE = 0.25  # confidence from which a detection counts for precision and recall
HIT = 0.5  # overlap that counts as found


def average_precision(
    found: Sequence[Detections], truths: Sequence[Tensor], classes: Sequence[str]
) -> dict[str, float]:
    """`map50`, `map` (mean over overlaps .5 to .95), and both for each class as `map50/CLASS`, `map/CLASS`: all in
    0..1, with COCO's 101 recall points.

    found[i] and truths[i] ([n, 5] class, centre x, y, width, height) are of one image. Classes without a truth
    are left out of the means; with no truth at all everything is 0.
    """
    result = {"map50": 0.0, "map": 0.0}
    if not sum(len(truth) for truth in truths):
        return result
    truth_rows, found_rows = _truth_rows(truths), _found_rows(found)
    if not found_rows:
        return result | {f"{key}/{name}": 0.0 for key in result for name in _present(truths, classes)}
    dataset = {
        "info": {},
        "images": [{"id": index + 1, "width": SCALE, "height": SCALE} for index in range(len(truths))],
        "categories": [{"id": index + 1, "name": name} for index, name in enumerate(classes)],
        "annotations": truth_rows,
    }
    with contextlib.redirect_stdout(io.StringIO()):  # the evaluator prints its progress
        known = COCO(dataset)
        evaluation = COCOeval_faster(known, known.loadRes(found_rows), iouType="bbox", print_function=_silent)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = np.asarray(evaluation.eval["precision"])  # overlaps, recalls, classes, areas, most detections
    whole = precision[:, :, :, 0, -1]
    for index, name in enumerate(classes):
        own = whole[:, :, index]
        if (own > -1).any():
            result[f"map50/{name}"] = float(own[0][own[0] > -1].mean())
            result[f"map/{name}"] = float(own[own > -1].mean())
    used = whole > -1
    result["map50"] = float(whole[0][used[0]].mean()) if used[0].any() else 0.0
    result["map"] = float(whole[used].mean()) if used.any() else 0.0
    return result


def _silent(*_: object, **__: object) -> None:
    return None


def _present(truths: Sequence[Tensor], classes: Sequence[str]) -> list[str]:
    held = {int(label) for truth in truths for label in truth[:, 0].tolist()}
    return [name for index, name in enumerate(classes) if index in held]


def _truth_rows(truths: Sequence[Tensor]) -> list[dict]:
    rows: list[dict] = []
    for image, truth in enumerate(truths, 1):
        for label, x, y, width, height in truth.double().tolist():
            box = [(x - width / 2) * SCALE, (y - height / 2) * SCALE, width * SCALE, height * SCALE]
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": image,
                    "category_id": int(label) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    return rows


def _found_rows(found: Sequence[Detections]) -> list[dict]:
    rows = []
    for image, part in enumerate(found, 1):
        listed = zip(part.corners.double().tolist(), part.scores.tolist(), part.classes.tolist(), strict=True)
        for (left, top, right, bottom), score, label in listed:
            box = [left * SCALE, top * SCALE, (right - left) * SCALE, (bottom - top) * SCALE]
            rows.append({"image_id": image, "category_id": int(label) + 1, "bbox": box, "score": score})
    return rows


def precision_and_recall(
    found: Sequence[Detections], truths: Sequence[Tensor], classes: Sequence[str] = ()
) -> dict[str, float]:
    """`precision` and `recall` of detections surer than .25: one hits the truth of its class that it overlaps most,
    by at least .5, if no surer one did before. Without detections precision is 0, without truths recall. For the
    `classes` named that have truths the same as `precision/CLASS` and `recall/CLASS`, and how many these are as
    `boxes/CLASS`.
    """
    hit, said, there = Counter[int](), Counter[int](), Counter[int]()
    for part, truth in zip(found, truths, strict=True):
        sure, labels = part.above(SURE), truth[:, 0].long().tolist()
        said.update(sure.classes.tolist())
        there.update(labels)
        hit.update(labels[row] for row in _hits(sure, truth))
    result = {"precision": _share(hit.total(), said.total()), "recall": _share(hit.total(), there.total())}
    for label, name in enumerate(classes):
        if there[label]:
            result[f"precision/{name}"] = _share(hit[label], said[label])
            result[f"recall/{name}"] = _share(hit[label], there[label])
            result[f"boxes/{name}"] = there[label]
    return result


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _hits(sure: Detections, truth: Tensor) -> set[int]:
    """The truths that are hit."""
    taken: set[int] = set()
    if len(sure) == 0 or len(truth) == 0:
        return taken
    overlaps = iou_matrix(sure.corners, to_corners(truth[:, 1:5]))
    overlaps[sure.classes[:, None] != truth[None, :, 0].long()] = 0.0
    for row in overlaps.tolist():  # the surest first
        free = [place for place in range(len(truth)) if place not in taken and row[place] >= HIT]
        if free:
            taken.add(max(free, key=lambda place: row[place]))
    return taken
