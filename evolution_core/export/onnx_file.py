"""A network as an ONNX file: our own writer over the graph, torch's exporter where that does not suffice."""

from __future__ import annotations

import copy
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from onnx import helper
from torch import Tensor, fx, nn

from evolution_core.architectures.region import Region
from evolution_core.measurement.graph import traced, without_numbers
from evolution_core.measurement.latency import session
from evolution_core.seeds import generator
from evolution_core.spec import NetworkError

from . import layer_forms, step_forms  # noqa: F401  (forms registered on import)
from .writing import Sized, Step, Unknown, Value, Writer, find, is_same

INPUT = "image"
TOLERANCE = 1e-4


class Described(Protocol):
    """What an export wants to know of a network: a genome has all of it."""

    @property
    def shape(self) -> tuple[int, int, int]: ...


def export_onnx(
    model: nn.Module,
    network: Described | tuple[int, int, int],
    path: Path | str | None = None,
    *,
    pixels: bool | None = None,
    classes: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    metadata: dict[str, Any] | None = None,
) -> bytes:
    """Export `model` in evaluation mode; returns the file's bytes and writes them to `path` where given.

    `network` is an input shape (C, H, W) or a genome, which also brings class names and the input's
    normalisation (`mean`, `std` of pixels scaled to 0..1). With `pixels` the file takes pixels of 0..255
    and normalises them itself; without, it takes what the network was trained on. The default is
    pixels where the normalisation is known. Input `image` float32 [batch, C, H, W], batch free.

    The file's metadata says all of that as JSON under `eustress`. Its outputs are compared with torch's for one
    image and for three (within 1e-4 of the largest). Raises NetworkError when they differ or nothing can export it.
    """
    shape, known = _described(network, classes, mean, std)
    pixels = known["mean"] is not None if pixels is None else pixels
    if pixels and known["mean"] is None:
        raise NetworkError("a network can take plain pixels only when the mean and spread of its input are known")
    facts = {
        "input": {
            "name": INPUT,
            "shape": list(shape),
            "colours": {1: "gray", 3: "red, green, blue"}.get(shape[0], f"{shape[0]} channels"),
            "range": "pixels 0..255" if pixels else "(pixel / 255 - mean) / std",
            "mean": known["mean"],
            "std": known["std"],
            "resize": "the whole image, squashed to the size, bicubic with antialiasing",
        },
        "classes": known["classes"],
        **_detection(model),
        **(metadata or {}),
    }
    wrapped = _with_normalisation(model, known) if pixels else model
    content = _export(wrapped, shape, {"eustress": json.dumps(facts, ensure_ascii=False)}, pixels)
    if path is not None:
        write_atomically(Path(path), content)
    return content


def _detection(model: nn.Module) -> dict[str, Any]:
    """What decodes a detector's map, for whoever does that outside the file; nothing for other networks."""
    region = next((module for module in model.modules() if isinstance(module, Region)), None)
    if region is None:
        return {}
    return {
        "detection": {
            "form": "map",
            "outputs": "scores [batch, anchors * (5 + classes), rows, columns]; of each anchor x, y, width, height, "
            "objectness and the classes, as YOLOv2 encodes them",
            "anchors": region.anchors.tolist(),
        }
    }


def _described(network: Any, classes: Any, mean: Any, std: Any) -> tuple[tuple[int, int, int], dict[str, Any]]:
    if isinstance(network, (tuple, list)):
        shape, network = tuple(int(side) for side in network), None
    else:
        shape = tuple(int(side) for side in network.shape)
    given = {"classes": classes, "mean": mean, "std": std}
    found = {key: getattr(network, key, None) if value is None else value for key, value in given.items()}
    known = {
        "classes": [str(name) for name in found["classes"]] if found["classes"] is not None else None,
        "mean": _floats(found["mean"]),
        "std": _floats(found["std"]),
    }
    if known["std"] is None:
        known["mean"] = None
    return (shape[0], shape[1], shape[2]), known


def _floats(values: Any) -> list[float] | None:
    return None if values is None or len(values) == 0 else [float(value) for value in values]


class _Normalised(nn.Module):
    """(pixel - 255 mean) / (255 std) before the network."""

    def __init__(self, model: nn.Module, mean: list[float], std: list[float]):
        super().__init__()
        self.network = model
        self.pixel_mean: Tensor
        self.pixel_scale: Tensor
        self.register_buffer("pixel_mean", 255.0 * torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("pixel_scale", 1.0 / (255.0 * torch.tensor(std).reshape(1, -1, 1, 1)))

    def forward(self, image: Tensor) -> Tensor:
        return self.network((image - self.pixel_mean) * self.pixel_scale)


def _with_normalisation(model: nn.Module, known: dict[str, Any]) -> nn.Module:
    return _Normalised(model, known["mean"], known["std"])


def _export(model: nn.Module, shape: tuple[int, int, int], metadata: dict[str, str], pixels: bool) -> bytes:
    """Ours first: milliseconds, and the layers keep their names. Then torch's: seconds, for anything it knows."""
    reasons = []
    for exporter in (_write, _export_by_torch):
        try:
            content = exporter(model, shape, metadata)
        except Unknown as unknown:
            reasons.append(str(unknown))
            continue
        difference = _difference(content, model, shape, pixels)
        if difference is None:
            return content
        reasons.append(f"its outputs differ by {difference:g}")
    raise NetworkError(f"this network cannot be exported to ONNX: {'; '.join(reasons)[:400]}")


# --- our writer -----------------------------------------------------------------------


class _Probe(fx.Interpreter):
    """Runs the graph on shapes only and keeps what every node gives."""

    def __init__(self, graph: fx.GraphModule):
        super().__init__(graph, garbage_collect_values=False)

    def values(self, batch: int, shape: tuple[int, ...]) -> dict[str, Any]:
        with torch.no_grad():
            self.run(torch.empty((batch, *shape), device="meta"))
        return {node.name: value for node, value in self.env.items()}


def _write(model: nn.Module, shape: tuple[int, int, int], metadata: dict[str, str]) -> bytes:
    """Our writer's file. Raises Unknown on a step that it has no form for."""
    graph = traced(without_numbers(model))
    try:
        probes = tuple(_Probe(graph).values(batch, shape) for batch in (2, 3))
    except Exception as error:  # a step that needs numbers, or a batch that is written into the network
        raise Unknown(f"its shapes cannot be followed ({type(error).__name__})") from None
    real = dict(model.named_modules())
    writer = Writer("network." if isinstance(model, _Normalised) else "")
    written: dict[str, Any] = {}
    for node in graph.graph.nodes:
        results: tuple[Any, Any] = (probes[0].get(node.name), probes[1].get(node.name))
        if node.op == "placeholder":
            written[node.name] = Value(writer.name(INPUT), results)
        elif node.op == "get_attr":
            tensor = _attribute(model, str(node.target))
            written[node.name] = Value(writer.constant(tensor, str(node.target)), (tensor, tensor))
        elif node.op == "output":
            outputs = fx.map_arg(node.args[0], lambda n: written[n.name])
        else:
            written[node.name] = _write_step(writer, node, real, results, written)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    return writer.model(INPUT, shape, _named_outputs(writer, outputs), metadata)


def _write_step(
    writer: Writer, node: fx.Node, modules: dict[str, nn.Module], results: tuple[Any, Any], written: dict[str, Any]
) -> Any:
    module = modules[str(node.target)] if node.op == "call_module" else None
    args = fx.map_arg(node.args, lambda n: written[n.name])
    kwargs = fx.map_arg(node.kwargs, lambda n: written[n.name])
    plain_result = not isinstance(results[0], (Tensor, list, tuple)) or isinstance(results[0], torch.Size)
    if plain_result:  # sizes and sums of sizes: no step at all
        return results[0] if is_same(*results) else Sized(*results)
    return find(node, module)(Step(writer, node, module, args, kwargs, results))


def _named_outputs(writer: Writer, outputs: list[Any]) -> list[Value]:
    """Outputs under names of their own: `scores`, or `scores_0`, `scores_1` …"""
    named = []
    for number, value in enumerate(outputs):
        if not isinstance(value, Value):
            raise Unknown("an output that is no tensor")
        name = writer.name("scores" if len(outputs) == 1 else f"scores_{number}")
        writer.nodes.append(_identity(value.name, name))
        named.append(Value(name, value.probes))
    return _renamed(writer, named)


def _identity(source: str, target: str) -> Any:
    return helper.make_node("Identity", [source], [target], name=f"{target}/Identity")


def _renamed(writer: Writer, outputs: list[Value]) -> list[Value]:
    """Let the last real node write an output itself where nothing else reads what it gave."""
    for output in outputs:
        copied = next(node for node in writer.nodes if list(node.output) == [output.name])
        source = copied.input[0]
        readers = [node for node in writer.nodes if source in node.input]
        maker = next((node for node in writer.nodes if source in node.output), None)
        if len(readers) == 1 and maker is not None:
            maker.output[list(maker.output).index(source)] = output.name
            writer.nodes.remove(copied)
    return outputs


def _attribute(root: nn.Module, path: str) -> Tensor:
    found: Any = root
    for part in path.split("."):
        found = getattr(found, part)
    return found.detach()


# --- torch's exporter -----------------------------------------------------------------


def _export_by_torch(model: nn.Module, shape: tuple[int, int, int], metadata: dict[str, str]) -> bytes:
    """torch's file, batch free. Raises Unknown with its reason."""
    graph = copy.deepcopy(traced(model)).eval()
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet = logging.getLogger("torch.onnx")
        level = quiet.level
        quiet.setLevel(logging.CRITICAL)
        try:
            made = torch.onnx.export(
                graph,
                (torch.zeros(2, *shape),),
                dynamo=True,
                input_names=[INPUT],
                dynamic_shapes=({0: batch},),
                opset_version=18,
                verbose=False,
            )
        except Exception as error:  # torch's exporter raises whatever it meets
            raise Unknown(f"torch's exporter: {str(error).splitlines()[0][:200]}") from None
        finally:
            quiet.setLevel(level)
    assert made is not None
    proto = made.model_proto
    helper.set_model_props(proto, metadata)
    return proto.SerializeToString()


# --- the proof ------------------------------------------------------------------------


def _difference(content: bytes, model: nn.Module, shape: tuple[int, int, int], pixels: bool) -> float | None:
    """None when ONNX Runtime and torch agree on one image and on three; else the largest difference."""
    runner = session(content)
    graph = copy.deepcopy(model).eval()
    for count in (1, 3):
        image = torch.rand(count, *shape, generator=generator(0, "export", count))
        image = image * 255 if pixels else (image - 0.5) * 4
        with torch.no_grad():
            wanted = graph(image)
        expected = [part.numpy() for part in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
        try:
            given = runner.run(None, {runner.get_inputs()[0].name: image.numpy()})
        except Exception:  # ONNX Runtime: a shape that is fixed to another batch
            return float("inf")
        for found, target in zip(given, expected, strict=True):
            scale = max(1.0, float(np.abs(target).max()))
            gap = float(np.abs(found - target).max()) if found.shape == target.shape else float("inf")
            if not gap <= TOLERANCE * scale:
                return gap
    return None


def write_atomically(path: Path, content: bytes) -> None:
    """All of the file or nothing, whenever the process dies."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


__all__ = ["INPUT", "export_onnx", "write_atomically"]
