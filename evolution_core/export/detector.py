"""A detector as an ONNX file that puts out boxes: its map is decoded and overlapping boxes suppressed inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from evolution_core.architectures.region import BOX, region_of
from evolution_core.measurement.latency import session
from evolution_core.seeds import generator
from evolution_core.spec import NetworkError
from evolution_core.tasks.detection.decoding import LARGEST_GROWTH, Detections, cells, detect

from .onnx_file import INPUT, TOLERANCE, Described, export_onnx, write_atomically

THRESHOLD, OVERLAP, MAXIMUM = 0.25, 0.45, 100
MAP = "map"
TRIED = 60  # candidates that a check lets into the suppression
DRAWS = 5  # images of a check; one of them may hold a box that stands on a threshold's edge


def export_detector(
    model: nn.Module,
    network: Described | tuple[int, int, int],
    path: Path | str | None = None,
    *,
    threshold: float = THRESHOLD,
    overlap: float = OVERLAP,
    maximum: int = MAXIMUM,
    **known: Any,
) -> bytes:
    """Export a detector with decoding and non-maximum suppression inside, for one image at a time.

    Input as :func:`export_onnx` (which takes `known`, too), batch 1. Outputs, the surest first, at most `maximum`:
    `boxes` float32 [n, 4] left, top, right, bottom in pixels of the input; `scores` float32 [n]; `classes` int64 [n].
    `score_threshold` and `overlap_threshold` are in the file with `threshold` and `overlap` as their values, and can
    be given as inputs instead. The file is compared with this package's own decoding and suppression.
    Raises NetworkError when they differ, when the model is no detector, or when nothing can export it.
    """
    anchors = region_of(model).anchors.detach().float().cpu()
    facts = known.pop("metadata", None) or {}
    detection = {
        "form": "boxes",
        "outputs": "boxes [n, 4] left, top, right, bottom in pixels of the input; scores [n]; classes [n]",
        "anchors": anchors.tolist(),
        "score_threshold": threshold,
        "overlap_threshold": overlap,
        "maximum": maximum,
    }
    plain = onnx.load_from_string(export_onnx(model, network, metadata={**facts, "detection": detection}, **known))
    whole = _with_boxes(plain, anchors.numpy(), threshold, overlap, maximum)
    content = whole.SerializeToString()
    _check(content, _mapper(plain), anchors, overlap, maximum)
    if path is not None:
        write_atomically(Path(path), content)
    return content


def _mapper(plain: onnx.ModelProto) -> Any:
    """A function from an image [1, C, H, W] to the map of the file without boxes, which has been checked already."""
    runner = session(plain.SerializeToString())
    return lambda image: torch.from_numpy(runner.run(None, {INPUT: image})[0])


class _Graph:
    """Adds nodes to a graph, naming what they give."""

    def __init__(self, graph: onnx.GraphProto):
        self.graph = graph

    def constant(self, name: str, value: Any) -> str:
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"boxes.{name}"))
        return f"boxes.{name}"

    def add(self, operator: str, inputs: list[str], name: str, outputs: int = 1, **attributes: Any) -> Any:
        given = [f"boxes.{name}"] if outputs == 1 else [f"boxes.{name}.{number}" for number in range(outputs)]
        self.graph.node.append(helper.make_node(operator, inputs, given, name=f"boxes.{name}/{operator}", **attributes))
        return given[0] if outputs == 1 else given


def _with_boxes(
    plain: onnx.ModelProto, anchors: np.ndarray, threshold: float, overlap: float, maximum: int
) -> onnx.ModelProto:
    """The model with the map's decoding and suppression behind it."""
    whole = onnx.ModelProto()
    whole.CopyFrom(plain)
    graph = whole.graph
    source = graph.output[0].name
    height, width = (int(side.dim_value) for side in graph.output[0].type.tensor_type.shape.dim[2:])
    sides = [int(side.dim_value) for side in graph.input[0].type.tensor_type.shape.dim[2:]]
    _fix_batch(graph, source)
    made = _Graph(graph)
    corners, scores = _decoded(made, MAP, anchors, height, width)
    limits = _limits(graph, threshold, overlap)
    most = made.constant("most", np.array([maximum], np.int64))
    selected = made.add(
        "NonMaxSuppression",
        [
            made.add("Unsqueeze", [corners, made.constant("first", np.array([0], np.int64))], "candidates"),
            made.add("Unsqueeze", [scores, "boxes.first"], "candidate_scores"),
            most,
            limits["overlap_threshold"],
            limits["score_threshold"],
        ],
        "selected",
    )
    _put_out(made, selected, corners, most, sides)
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["found", 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["found"]),
            helper.make_tensor_value_info("classes", TensorProto.INT64, ["found"]),
        ]
    )
    onnx.checker.check_model(whole)
    return whole


def _fix_batch(graph: onnx.GraphProto, source: str) -> None:
    """One image at a time, and the map under a name that says what it is."""
    for node in graph.node:
        node.input[:] = [MAP if name == source else name for name in node.input]
        node.output[:] = [MAP if name == source else name for name in node.output]
    batch = graph.input[0].type.tensor_type.shape.dim[0]
    batch.ClearField("dim_param")
    batch.dim_value = 1
    del graph.value_info[:]


def _limits(graph: onnx.GraphProto, threshold: float, overlap: float) -> dict[str, str]:
    """Both thresholds as inputs that have a value unless one is given."""
    names = {"score_threshold": threshold, "overlap_threshold": overlap}
    for name, value in names.items():
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]))
        graph.initializer.append(numpy_helper.from_array(np.array([value], np.float32), name))
    return {name: name for name in names}


def _decoded(made: _Graph, source: str, anchors: np.ndarray, height: int, width: int) -> tuple[str, str]:
    """(corners [B, 4] as fractions of the image, scores [K, B]), cell by cell, as `decoding.decode` orders them."""
    count, places = len(anchors), height * width
    each = made.add("Reshape", [source, made.constant("shape", np.array([count, -1, places], np.int64))], "each")
    moved = made.add("Transpose", [each], "moved", perm=[2, 0, 1])
    last = made.add("Shape", [moved], "sizes")
    numbers = made.add("Gather", [last, made.constant("two", np.array([2], np.int64))], "numbers")
    flat = made.add("Concat", [made.constant("rows", np.array([places * count], np.int64)), numbers], "flat", axis=0)
    rows = made.add("Reshape", [moved, flat], "values")
    sizes = made.constant("parts", np.array([2, 2, 1], np.int64))
    rest = made.add("Sub", [numbers, made.constant("box", np.array([BOX], np.int64))], "rest")
    parts = made.add("Concat", [sizes, rest], "splits", axis=0)
    centre, size, sure, classes = made.add("Split", [rows, parts], "part", outputs=4, axis=1)
    grid = cells(height, width).expand(height, width, count, 2).reshape(-1, 2).numpy().astype(np.float32)
    centre = made.add("Add", [made.add("Sigmoid", [centre], "offset"), made.constant("cells", grid)], "placed")
    extent = np.array([width, height], np.float32)
    centre = made.add("Div", [centre, made.constant("extent", extent)], "centres")
    capped = made.add("Min", [size, made.constant("growth", np.array(LARGEST_GROWTH, np.float32))], "capped")
    shapes = made.constant("anchors", np.tile(anchors, (places, 1)).astype(np.float32))
    size = made.add("Mul", [made.add("Exp", [capped], "grown"), shapes], "sides")
    half = made.add("Mul", [size, made.constant("half", np.array(0.5, np.float32))], "halves")
    low, high = made.add("Sub", [centre, half], "low"), made.add("Add", [centre, half], "high")
    corners = made.add("Concat", [low, high], "corners", axis=1)
    limits = [made.constant("zero", np.array(0.0, np.float32)), made.constant("one", np.array(1.0, np.float32))]
    inside = made.add("Clip", [corners, *limits], "inside")
    likely = made.add("Softmax", [classes], "likely", axis=1)
    scores = made.add("Mul", [made.add("Sigmoid", [sure], "objectness"), likely], "scored")
    return inside, made.add("Transpose", [scores], "scores_by_class", perm=[1, 0])


def _put_out(made: _Graph, selected: str, corners: str, most: str, sides: list[int]) -> None:
    """The selected boxes in pixels, the surest of all classes first."""
    columns = {
        name: made.add("Gather", [selected, made.constant(f"at_{name}", np.array(place, np.int64))], name, axis=1)
        for name, place in (("class", 1), ("place", 2))
    }
    values = made.add("GatherND", ["boxes.candidate_scores", selected], "found_scores")
    found = made.add("Shape", [values], "found")
    kept = made.add("Min", [found, most], "kept")
    graph = made.graph
    graph.node.append(helper.make_node("TopK", [values, kept], ["scores", "boxes.order"], name="boxes.order/TopK"))
    places = made.add("Gather", [columns["place"], "boxes.order"], "places")
    fractions = made.add("Gather", [corners, places], "fractions")
    pixels = made.constant("pixels", np.array([sides[1], sides[0]] * 2, np.float32))
    graph.node.append(helper.make_node("Mul", [fractions, pixels], ["boxes"], name="boxes/Mul"))
    graph.node.append(helper.make_node("Gather", [columns["class"], "boxes.order"], ["classes"], name="classes/Gather"))


def _check(content: bytes, to_map: Any, anchors: torch.Tensor, overlap: float, maximum: int) -> None:
    """Compare the file's boxes with our own decoding and suppression, on images of noise at a threshold that lets
    boxes through. Raises NetworkError when they differ on more than one of them."""
    runner = session(content)
    source = runner.get_inputs()[0]
    shape = [int(side) for side in source.shape]
    wrong = ""
    for draw in range(DRAWS):
        image = (255 * torch.rand(shape, generator=generator(0, "detector", draw))).numpy()
        outputs = to_map(image)
        limit = _between(outputs, anchors)
        (wanted,) = detect(outputs, anchors, threshold=limit, overlap=overlap, candidates=2**31, maximum=maximum)
        given = runner.run(
            ["boxes", "scores", "classes"],
            {source.name: image, "score_threshold": np.array([limit], np.float32)},
        )
        problem = _difference(given, wanted, shape)
        if problem and wrong:
            raise NetworkError(f"the exported boxes differ from PyTorch's: {problem}")
        wrong = wrong or problem


def _between(outputs: torch.Tensor, anchors: torch.Tensor) -> float:
    """A threshold in the middle between two scores, so that rounding cannot move a box over it."""
    from evolution_core.tasks.detection.decoding import decode

    scores = decode(outputs, anchors).scores.flatten().sort(descending=True).values[: TRIED + 1]
    if len(scores) < 2:
        return float(scores[0]) / 2
    tail = scores[len(scores) // 2 :]
    widest = int((tail[:-1] - tail[1:]).argmax()) if len(tail) > 1 else 0
    return float((tail[widest] + tail[min(widest + 1, len(tail) - 1)]) / 2)


def _difference(given: list[np.ndarray], wanted: Detections, shape: list[int]) -> str:
    """In words, or "" where they agree: boxes within a hundredth of a pixel."""
    boxes, scores, classes = given
    if len(boxes) != len(wanted):
        return f"{len(boxes)} boxes, not {len(wanted)}"
    pixels = wanted.corners.numpy() * np.array([shape[3], shape[2]] * 2, np.float32)
    if not np.array_equal(classes, wanted.classes.numpy()):
        return "other classes"
    if len(boxes) and float(np.abs(boxes - pixels).max()) > 0.01:
        return f"boxes {float(np.abs(boxes - pixels).max()):g} pixels away"
    if len(scores) and float(np.abs(scores - wanted.scores.numpy()).max()) > TOLERANCE:
        return "other scores"
    return ""
