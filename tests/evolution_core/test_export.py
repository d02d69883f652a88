"""ONNX files: equal to torch for every base network and every spelling, batch free, normalisation inside, described."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from evolution_core.architectures import LocalResponseNorm, build, names
from evolution_core.export import export_onnx, onnx_file
from evolution_core.spec import NetworkError
from evolution_core.spec.base_networks import ARCHITECTURES


def run(content: bytes, images: Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images.numpy()})


def operators(content: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def facts(content: bytes) -> dict:
    (entry,) = onnx.load_from_string(content).metadata_props
    assert entry.key == "eustress"
    return json.loads(entry.value)


@pytest.fixture
def no_torch_exporter(monkeypatch):
    """Our writer must manage alone."""

    def refuse(*_):
        raise AssertionError("fell back on torch's exporter")

    monkeypatch.setattr(onnx_file, "_export_by_torch", refuse)


@pytest.mark.parametrize(
    ("name", "traced"), [*((name, False) for name in names()), ("alexnet-small", True), ("mobilenet-v2", True)]
)
def test_every_base_network_is_written_by_us(name, traced, no_torch_exporter):
    size = ARCHITECTURES[name].minimum_size
    shape = (3, size, size)
    model = build(name, 3, shape, width=0.125).eval()
    content = export_onnx(fx.symbolic_trace(model) if traced else model, shape)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    for count in (1, 4):
        images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            wanted = model(images)
        (found,) = run(content, images)
        assert np.abs(found - wanted.numpy()).max() <= 1e-4 * max(1.0, float(wanted.abs().max()))


def test_layers_and_tensors_keep_their_names():
    content = export_onnx(
        build("alexnet-small", 3, (3, 15, 15), width=0.125), (3, 15, 15), mean=[0.5] * 3, std=[1.0] * 3
    )
    graph = onnx.load_from_string(content).graph
    assert {"conv1/Conv", "norm1/Div", "fc6/Gemm"} <= {node.name for node in graph.node}
    assert {"conv1.weight", "conv1.bias", "fc8.weight"} <= {tensor.name for tensor in graph.initializer}
    assert "Dropout" not in operators(content)
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["scores"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_pixels_are_normalised_inside():
    model = build("lenet5", 4, (1, 16, 16)).eval()
    pixels = torch.randint(0, 256, (2, 1, 16, 16), generator=torch.Generator().manual_seed(1)).float()
    content = export_onnx(model, (1, 16, 16), mean=[0.3], std=[0.2], classes=["a", "b", "c", "d"])
    with torch.no_grad():
        wanted = model((pixels / 255 - 0.3) / 0.2)
    assert np.allclose(run(content, pixels)[0], wanted.numpy(), atol=1e-4)
    assert facts(content)["classes"] == ["a", "b", "c", "d"]
    assert facts(content)["input"]["range"] == "pixels 0..255"
    assert facts(content)["input"]["shape"] == [1, 16, 16]
    assert facts(content)["input"]["mean"] == [0.3]


def test_normalised_input_on_request():
    model = build("lenet5", 4, (1, 16, 16)).eval()
    content = export_onnx(model, (1, 16, 16), mean=[0.3], std=[0.2], pixels=False, metadata={"network": "2-1"})
    image = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert np.allclose(run(content, image)[0], model(image).numpy(), atol=1e-4)
    assert facts(content)["input"]["range"] == "(pixel / 255 - mean) / std"
    assert facts(content)["network"] == "2-1"
    with pytest.raises(NetworkError, match="mean and spread"):
        export_onnx(model, (1, 16, 16), pixels=True)


def test_a_genome_brings_shape_classes_and_normalisation(tmp_path):
    @dataclass
    class Genome:
        shape: tuple = (1, 16, 16)
        classes: tuple = ("Ünï", "b")
        mean: tuple = (0.5,)
        std: tuple = (0.25,)

    content = export_onnx(build("lenet5", 2, (1, 16, 16)), Genome(), tmp_path / "network.onnx")
    assert (tmp_path / "network.onnx").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert facts(content)["classes"] == ["Ünï", "b"]
    assert facts(content)["input"]["range"] == "pixels 0..255"


def test_exporting_does_not_change_the_model_and_repeats_itself():
    model = build("resnet20", 3, (1, 8, 8))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    assert export_onnx(model, (1, 8, 8)) == export_onnx(model, (1, 8, 8))
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("beta", [0.75, 0.6])
@pytest.mark.parametrize("channels", [2, 8])
def test_response_norm_is_spelled_out_in_what_runs_fast(beta: float, channels: int):
    """ONNX Runtime's own layer of that name takes ten times as long; on channels fewer than its window too."""
    model = nn.Sequential(LocalResponseNorm(5, 0.1, beta, 2.0), nn.ReLU())
    content = export_onnx(model, (channels, 4, 6))
    assert "LRN" not in operators(content)
    assert ("Pow" in operators(content)) == (beta != 0.75)
    image = 3 * torch.randn(2, channels, 4, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert np.allclose(run(content, image)[0], model(image).numpy(), atol=1e-6)


def test_response_norm_bypassed_is_none():
    model = nn.Sequential(LocalResponseNorm(3, 0.1, 0.6, 2.0), nn.ReLU())
    model[0].bypass = True
    content = export_onnx(model, (8, 4, 4))
    image = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(1))
    assert np.allclose(run(content, image)[0], image.relu().numpy())


# --- spellings ------------------------------------------------------------------------------


def forward(function):
    """A network whose forward pass is `function(self, x)`, with some layers at hand."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.thin = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 8, 1, groups=4)
            self.full, self.token = nn.Linear(8, 8), nn.Linear(4, 4)
            self.norm, self.layer = nn.GroupNorm(2, 8), nn.LayerNorm(8)
            self.slope, self.up = nn.PReLU(8), nn.ConvTranspose2d(8, 4, 3, 2, 1, 1)
            self.scale = nn.Parameter(torch.linspace(0.5, 1.5, 8).reshape(8, 1, 1))
            self.register_buffer("order", torch.tensor([3, 1, 0, 2, 7, 6, 5, 4]))

        def forward(self, x: Tensor) -> Tensor:
            return function(self, x)

    return Network()


def shuffle(self, x):
    x = self.conv(x)
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


SPELLINGS = {
    "residual": lambda self, x: F.relu(self.conv(x) + self.thin(self.conv(x))),
    "concat": lambda self, x: torch.cat([self.conv(x), self.thin(self.conv(x))], dim=1),
    "gate": lambda self, x: self.conv(x) * torch.sigmoid(self.thin(self.conv(x).mean((2, 3), keepdim=True))),
    "scale": lambda self, x: self.norm(self.conv(x) * self.scale - 1.0) / 3,
    "swapped": lambda self, x: 1.0 - self.conv(x),
    "nhwc": lambda self, x: self.full(self.layer(self.conv(x).permute(0, 2, 3, 1))).flatten(1),
    "chunk": lambda self, x: (lambda parts: parts[0] * parts[1].tanh())(self.conv(x).chunk(2, dim=1)),
    "split": lambda self, x: torch.split(self.conv(x), [3, 5], 1)[1].amax((2, 3)),
    "slices": lambda self, x: torch.cat([self.conv(x)[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1),
    "places": lambda self, x: self.conv(x)[:, 2] + self.conv(x)[:, -1, :, :],
    "narrow": lambda self, x: self.conv(x).narrow(1, 2, 4).select(2, 1),
    "shuffle": shuffle,
    "pixel shuffle": lambda self, x: F.pixel_shuffle(self.conv(x), 2),
    "transposed": lambda self, x: self.up(self.slope(self.conv(x))),
    "order": lambda self, x: torch.index_select(self.conv(x), 1, self.order),
    "upsample": lambda self, x: F.interpolate(self.conv(x), scale_factor=2.0, mode="nearest"),
    "pad": lambda self, x: F.pad(self.conv(x), (1, 2, 0, 1), value=0.5),
    "clamp": lambda self, x: F.relu6(self.conv(x)) + self.conv(x).clamp(-1, 1) + F.hardswish(self.conv(x)),
    "activations": lambda self, x: F.gelu(self.conv(x)) + F.silu(self.conv(x)) + F.leaky_relu(self.conv(x), 0.2),
    "softmax": lambda self, x: torch.softmax(self.conv(x).flatten(1), dim=1) ** 2,
    "pools": lambda self, x: F.max_pool2d(self.conv(x), 3, 2, padding=1) + F.avg_pool2d(self.conv(x), 2),
    "squeeze": lambda self, x: F.adaptive_avg_pool2d(self.conv(x), 1).squeeze(-1).squeeze(-1).unsqueeze(1),
    "view": lambda self, x: self.conv(x).view(x.size(0), -1, 4),
    "attention": lambda self, x: (lambda t: F.scaled_dot_product_attention(t, t, self.full(t)))(
        self.conv(x).flatten(2).mT
    ),
    "matmul": lambda self, x: self.conv(x).flatten(2) @ self.conv(x).flatten(2).transpose(1, 2) / math.sqrt(8),
    "two outputs": lambda self, x: (self.conv(x), self.conv(x).mean((2, 3))),
    "bilinear": lambda self, x: F.interpolate(self.conv(x), scale_factor=2.0, mode="bilinear", align_corners=False),
    "aligned": lambda self, x: F.interpolate(self.conv(x), scale_factor=3.0, mode="bilinear", align_corners=True),
    "bicubic": lambda self, x: F.interpolate(self.conv(x), scale_factor=2.0, mode="bicubic"),
    "pixel unshuffle": lambda self, x: F.pixel_unshuffle(self.conv(x), 2),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_exported_exactly(spelling, no_torch_exporter):
    model = forward(SPELLINGS[spelling]).eval()
    content = export_onnx(model, (4, 6, 6))
    for count in (1, 3):
        images = torch.randn(count, 4, 6, 6, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            wanted = model(images)
        for found, target in zip(run(content, images), wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            assert np.allclose(found, target.numpy(), atol=2e-5)


def test_what_we_cannot_write_torchs_exporter_does(monkeypatch):
    model = forward(lambda self, x: self.conv(x).cumsum(1))
    assert operators(export_onnx(model, (4, 6, 6))) == ["Conv", "CumSum"]
    monkeypatch.setattr(onnx_file, "_export_by_torch", onnx_file._write)
    with pytest.raises(NetworkError, match="cannot be exported to ONNX: cumsum"):
        export_onnx(model, (4, 6, 6))


def test_a_file_that_does_not_agree_with_torch_is_refused(monkeypatch):
    other = build("lenet5", 2, (1, 16, 16), seed=1)
    wrong = export_onnx(other, (1, 16, 16))
    for exporter in ("_write", "_export_by_torch"):
        monkeypatch.setattr(onnx_file, exporter, lambda *_: wrong)
    with pytest.raises(NetworkError, match="its outputs differ by"):
        export_onnx(build("lenet5", 2, (1, 16, 16), seed=2), (1, 16, 16))
