"""Where a network's time goes: every step that ONNX Runtime runs is some layer's."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper
from torch import nn

from evolution_core.architectures import build
from evolution_core.export import export_onnx
from evolution_core.measurement import layer_table, layer_times, measure, measuring
from evolution_core.measurement.layer_times import layer_milliseconds


def products(model: nn.Module, shape: tuple[int, int, int]) -> list[str]:
    return [row["layer"] for row in layer_table(model, shape) if row["macs"]]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("lenet5", (1, 28, 28)), ("alexnet-small", (3, 32, 32)), ("resnet20", (3, 32, 32)), ("mobilenet-v2", (3, 32, 32)),
     ("tiny-yolov2", (3, 64, 64))],
)  # fmt: skip
def test_every_layer_with_products_has_its_time(name, shape):
    model = build(name, 10, shape, 0.25, 0).eval()
    layers = products(model, shape)
    found = layer_milliseconds(export_onnx(model, shape), layers, seconds=0.05)
    assert list(found) == layers
    assert sum(found.values()) > 0.0 <= min(found.values())


def test_what_follows_a_product_is_its_layers_and_so_is_what_lies_between(monkeypatch):
    """Fused steps bear the name of the last of them; ONNX Runtime's own bear a name of no layer."""
    shape = (1, 28, 28)
    model = nn.Sequential()
    for name, layer in (
        ("conv", nn.Conv2d(1, 4, 5)), ("norm", nn.BatchNorm2d(4)), ("relu", nn.ReLU()), ("pool", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()), ("full", nn.Linear(576, 10)),
    ):  # fmt: skip
        model.add_module(name, layer)
    steps = [("ReorderInput", 1.0), ("relu", 4.0), ("ReorderOutput_token_3", 1.0), ("pool/MaxPool", 2.0),
             ("full/Gemm", 2.0)]  # fmt: skip
    monkeypatch.setattr(layer_times, "_profile", lambda network, seconds: steps)
    found = layer_milliseconds(export_onnx(model.eval(), shape), products(model, shape))
    assert found == {"conv": pytest.approx(0.008), "full": pytest.approx(0.002)}


def test_a_file_whose_steps_are_named_otherwise_tells_nothing():
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("image", "scores")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["scores"])], "g", tensors[:1], tensors[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert layer_milliseconds(made.SerializeToString(), ["conv1"]) == {}


@pytest.mark.parametrize(("misses_by", "told"), [(0.85, True), (1.2, True), (0.5, False), (2.0, False), (0.0, False)])
def test_layers_sum_to_the_latency_or_are_not_told(monkeypatch, misses_by, told):
    """Recording a step costs as much as a tiny network's step takes: what does not add up says nothing."""
    model, shape = build("lenet5", 10, (1, 28, 28), 0.25, 0).eval(), (1, 28, 28)
    layers = products(model, shape)
    monkeypatch.setattr(measuring, "latency_ms", lambda networks, seconds: dict.fromkeys(networks, 0.4))
    monkeypatch.setattr(
        measuring, "layer_milliseconds", lambda *_, seconds: dict.fromkeys(layers, misses_by * 0.4 / len(layers))
    )
    rows = measure(model, shape).layers
    assert [row["layer"] for row in rows if "milliseconds" in row] == (layers if told else [])
    assert sum(row.get("milliseconds", 0.0) for row in rows) == pytest.approx(0.4 if told else 0.0)
