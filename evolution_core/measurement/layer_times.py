"""Where a network's time goes, layer by layer, by ONNX Runtime's own record of every step that it runs."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import onnx

from .latency import image_for, session

LEAST, MOST = 4, 100  # images


def layer_milliseconds(network: bytes, layers: Collection[str], *, seconds: float = 1.0) -> dict[str, float]:
    """How many milliseconds of one image's time each of `layers` takes.

    `network` is an ONNX file of ours, in which steps are named after the layers. A layer's time is that of its
    products and of all that follows them before the next layer's: ONNX Runtime fuses normalisation and activation
    into them, and lays tensors out anew between them. At most about `seconds` are spent. {} for a file that does not
    name its steps so. Raises NetworkError when the file cannot be run.
    """
    owners = _owners(onnx.load_model_from_string(network).graph, layers)
    if not owners:
        return {}
    spent = dict.fromkeys((name for name in layers if name in owners.values()), 0.0)
    owner = next(iter(spent))  # what comes before any layer is the first one's
    for step, taken in _profile(network, seconds):
        owner = owners.get(step, owner)
        spent[owner] += taken
    return {name: taken / 1000.0 for name, taken in spent.items()}


def _owners(graph: onnx.GraphProto, layers: Collection[str]) -> dict[str, str]:
    """layer by step: by the names of nodes and of what they give, by which ONNX Runtime names what it fuses. A step of
    no layer is of the one whose output it works on."""
    owners: dict[str, str] = {}
    for node in graph.node:
        own = _layer(node.name.rpartition("/")[0], layers)
        owner = own or next((owners[source] for source in node.input if source in owners), None)
        if owner is not None:
            owners.update(dict.fromkeys((node.name, *node.output), owner))
    return owners


def _layer(label: str, layers: Collection[str]) -> str | None:
    """The layer of that name, or the one that it is a part of: "attention.matmul" is of "attention"."""
    while label and label not in layers:
        label = label.rpartition(".")[0]
    return label or None


def _profile(network: bytes, seconds: float) -> Iterator[tuple[str, float]]:
    """(name as in the file, microseconds) of each step, in the order in which they run. Times are on the wall and whole
    microseconds: the mean of the faster half leaves out what the machine did besides, and tells parts of one."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = session(network, profile=Path(folder) / "steps")
        feed = image_for(prepared)
        started = time.perf_counter()
        for number in range(MOST):
            if number >= LEAST and time.perf_counter() - started > seconds:
                break
            prepared.run(None, feed)
        events: list[dict[str, Any]] = json.loads(Path(prepared.end_profiling()).read_text())
    taken: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_END):
            taken.setdefault((event["name"], event["args"].get("node_index", "")), []).append(event["dur"])
    for (name, _), times in taken.items():
        faster = sorted(times)[: (len(times) + 1) // 2]
        yield name.removesuffix(_END).removesuffix("_nchwc").removeprefix("fused "), statistics.mean(faster)


_END = "_kernel_time"
