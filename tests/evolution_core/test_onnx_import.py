"""Own networks: exports of published designs become the same networks again, and can be cut."""

from __future__ import annotations

import io

import onnxruntime
import pytest
import torch
from torch import nn

from evolution_core.architectures.layers import LocalResponseNorm
from evolution_core.architectures.onnx_import import load_onnx
from evolution_core.export.onnx_file import export_onnx
from evolution_core.genome import trace_clusters
from tests.evolution_core.own_networks import CLASSES, DESIGNS, SIDE, design, exported, exported_design, saved


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))


NEWER = [("mobilenet", "newer"), ("transformer", "newer"), ("shufflenet", "newer")]  # seconds for each export


@pytest.mark.parametrize(
    ("name", "way"), [(name, way) for name in DESIGNS for way in ("opset13", "opset17", "one-image")] + NEWER
)
def test_a_published_design_comes_back_as_the_same_network(name: str, way: str) -> None:
    model = design(name)
    network = load_onnx(exported_design(name, way))
    assert network.shape == (3, SIDE, SIDE)
    assert network.outputs == CLASSES
    assert network.difference < 1e-4
    with torch.no_grad():
        ours, theirs = network.module(images(5)), model(images(5))
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert network.parameters == sum(parameter.numel() for parameter in network.module.parameters())
    norms = sum(p.numel() for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters())
    dense = sum(parameter.numel() for parameter in model.parameters())
    assert dense - norms <= network.parameters <= dense + norms  # a folded normalisation leaves a bias


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("vgg", {"features.0": 16, "features.3": 24, "classifier.0": 32}),
        ("resnet", {"stem": 16, "layer1.conv1": 16, "layer2.downsample.0": 24, "layer2.conv1": 24}),
        ("densenet", {"conv0": 12, "convs.0": 6, "convs.1": 6, "convs.2": 6, "transition.2": 14}),
        ("efficientnet", {"stem": 12, "blocks.0.expand": 24, "blocks.0.reduce": 4, "head": 20}),
        ("transformer", {"blocks.0.attn.qkv": 8, "blocks.0.fc1": 24, "blocks.1.fc1": 24}),
        ("convnext", {"pwconv1": 40}),
    ],
)
def test_layers_keep_their_names_and_can_be_cut(name: str, layers: dict[str, int]) -> None:
    network = load_onnx(exported_design(name, "opset17"))
    assert layers.items() <= network.layers.items()
    found = trace_clusters(network.module, torch.zeros(2, *network.shape))
    assert {layer.name: len(layer) for layer in found.layers if not layer.protected} == network.layers


def test_depthwise_convolutions_stay_depthwise() -> None:
    network = load_onnx(exported_design("mobilenet", "opset17"))
    groups = [m.groups for m in network.module.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert groups == [24, 36, 36]
    assert any(isinstance(m, nn.ReLU6) for m in network.module.modules())


def test_what_exporters_take_apart_is_put_together_again() -> None:
    kinds = {name: {type(m) for m in load_onnx(exported_design(name, "opset13")).module.modules()} for name in DESIGNS}
    assert nn.SiLU in kinds["efficientnet"]
    assert nn.Hardswish in kinds["efficientnet"]
    assert {nn.LayerNorm, nn.GELU} <= kinds["transformer"]
    assert {nn.GroupNorm, nn.LayerNorm, nn.GELU} <= kinds["convnext"]
    assert nn.BatchNorm2d in kinds["densenet"]


def test_parameters_that_are_no_layer_stay_trainable() -> None:
    network = load_onnx(exported_design("transformer", "opset17"))
    names = dict(network.module.named_parameters())
    assert {"token", "positions"} <= names.keys()
    network.module(images(2)).sum().backward()
    assert all(parameter.grad is not None for parameter in names.values())


def test_a_network_trains(tmp_path) -> None:
    network = load_onnx(saved(exported_design("resnet", "one-image"), tmp_path, "mine.onnx"))
    assert network.name == "mine"
    module = network.module.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    targets = torch.arange(16) % CLASSES
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(module(images(16)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2


def test_dropout_is_back_in_training_where_the_file_tells_it() -> None:
    model = design("vgg")
    buffer = io.BytesIO()
    torch.onnx.export(
        model, (images(1),), buffer, opset_version=11, dynamo=False, training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )  # fmt: skip
    network = load_onnx(buffer.getvalue())
    dropouts = [module.p for module in network.module.modules() if isinstance(module, nn.Dropout)]
    assert dropouts == [0.5] or "Dropout" not in network.operators


def test_one_layer_called_twice_stays_one_layer() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.shared = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, padding=1)
            self.fc = nn.Linear(8, CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.shared(torch.relu(self.shared(self.stem(x)))))
            return self.fc(x.mean((2, 3)))

    torch.manual_seed(1)
    model = Twice().eval()
    network = load_onnx(exported(model))
    assert network.parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", DESIGNS)
def test_an_imported_network_can_be_exported_and_imported_again(name: str) -> None:
    network = load_onnx(exported_design(name, "opset17"))
    content = export_onnx(network.module, network.shape)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"image": images(3).numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(theirs), network.module(images(3)), atol=1e-4)
    second = load_onnx(content)
    assert second.layers == network.layers
    assert second.parameters == network.parameters


@pytest.mark.parametrize("beta", [0.75, 0.6])
def test_the_response_norm_that_we_spell_out_is_one_layer_again(beta: float) -> None:
    """Otherwise nothing before it could be cut: the pooling mixes all channels for whoever does not know it."""
    norm = LocalResponseNorm(5, 0.02, beta, 2.0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.Flatten(), nn.Linear(8 * 36, 5)).eval()
    module = load_onnx(export_onnx(model, (3, 8, 8))).module
    (found,) = [part for part in module.modules() if isinstance(part, LocalResponseNorm)]
    assert (found.size, found.alpha, found.beta, found.k) == (5, pytest.approx(0.02), beta, 2.0)
    clusters = trace_clusters(module, torch.zeros(2, 3, 8, 8))
    assert sum(len(layer) for layer in clusters.layers if not layer.protected) == 8
    image = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(module.eval()(image), model(image), atol=1e-5)
