"""Published designs at toy width, in plain torch: what users' exported networks look like."""

from __future__ import annotations

import io
import warnings
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

CLASSES = 5


class Residual(nn.Module):
    """ResNet's basic block (He et al. 2015)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + identity)


def resnet() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(3, 16, 3, 1, 1, bias=False),
            bn=nn.BatchNorm2d(16),
            relu=nn.ReLU(),
            layer1=Residual(16, 16, 1),
            layer2=Residual(16, 24, 2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(24, CLASSES),
        )
    )


def vgg() -> nn.Module:
    """VGG's plain chain with dropout in its full layers (Simonyan and Zisserman 2014)."""
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(
                nn.Conv2d(3, 16, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 24, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(nn.Linear(24 * 36, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, CLASSES)),
        )
    )


class Inverted(nn.Module):
    """MobileNetV2's inverted residual with depthwise convolution (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        wide = inputs * 3
        self.joined = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.joined else self.conv(x)


class MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            Inverted(8, 12, 1),
            Inverted(12, 12, 1),
            Inverted(12, 16, 2),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(16, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean([2, 3]))


class DenseNet(nn.Module):
    """DenseNet's concatenations with pre-activation normalisation (Huang et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 12, 3, 2, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(12 + 6 * k) for k in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(12 + 6 * k, 6, 3, 1, 1, bias=False) for k in range(3))
        self.transition = nn.Sequential(nn.BatchNorm2d(30), nn.ReLU(), nn.Conv2d(30, 14, 1), nn.AvgPool2d(2))
        self.classifier = nn.Linear(14, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.conv0(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        x = self.transition(torch.cat(features, 1))
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class Excited(nn.Module):
    """EfficientNet's block: SiLU and squeeze-and-excitation (Tan and Le 2019)."""

    def __init__(self, channels: int):
        super().__init__()
        self.expand = nn.Conv2d(channels, channels * 2, 1)
        self.norm = nn.BatchNorm2d(channels * 2)
        self.depthwise = nn.Conv2d(channels * 2, channels * 2, 3, padding=1, groups=channels * 2)
        self.reduce = nn.Conv2d(channels * 2, 4, 1)
        self.excite = nn.Conv2d(4, channels * 2, 1)
        self.project = nn.Conv2d(channels * 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.depthwise(F.silu(self.norm(self.expand(x)))))
        scale = torch.sigmoid(self.excite(F.silu(self.reduce(y.mean((2, 3), keepdim=True)))))
        return x + self.project(y * scale)


class EfficientNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, 2, 1)
        self.blocks = nn.Sequential(Excited(12), Excited(12))
        self.head = nn.Conv2d(12, 20, 1)
        self.act = nn.Hardswish()
        self.fc = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.head(self.blocks(F.silu(self.stem(x)))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        weights = ((q @ k.transpose(-2, -1)) * self.scale).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


class TransformerBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(width), Attention(width, 2), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 24), nn.Linear(24, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, pre-norm blocks (Dosovitskiy et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 16) * 0.1)
        self.positions = nn.Parameter(torch.randn(1, 10, 16) * 0.1)
        self.blocks = nn.Sequential(TransformerBlock(16), TransformerBlock(16))
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class Shuffled(nn.Module):
    """ShuffleNet V2's unit: split, convolve one half, join, shuffle (Ma et al. 2018)."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            nn.Conv2d(half, half, 1),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, padding=1, groups=half),
            nn.Conv2d(half, half, 1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        x = torch.cat((left, self.branch(right)), 1)
        batch, channels, height, width = x.shape
        return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, -1, height, width)


class ShuffleNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.Sequential(Shuffled(16), Shuffled(16))
        self.conv5 = nn.Conv2d(16, 20, 1)
        self.fc = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.conv5(self.stages(self.conv1(x)))).mean([2, 3]))


class ConvNeXt(nn.Module):
    """ConvNeXt's block: large depthwise kernel, channel normalisation, layer scale (Liu et al. 2022)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 4, 4)
        self.dwconv = nn.Conv2d(12, 12, 7, padding=3, groups=12)
        self.norm = nn.LayerNorm(12, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(12, 40), nn.Linear(40, 12)
        self.gamma = nn.Parameter(torch.rand(12))
        self.group = nn.GroupNorm(3, 12)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).permute(0, 3, 1, 2)
        return self.head(self.group(x + y).mean([-2, -1]))


DESIGNS = {
    "vgg": vgg,
    "resnet": resnet,
    "mobilenet": MobileNet,
    "densenet": DenseNet,
    "efficientnet": EfficientNet,
    "shufflenet": ShuffleNet,
    "transformer": VisionTransformer,
    "convnext": ConvNeXt,
}
SIDE = 24
WAYS = {
    "opset13": {"opset": 13},
    "opset17": {"opset": 17},
    "one-image": {"opset": 17, "dynamic": False},
    "newer": {"opset": 18, "exporter": "dynamo"},
}


@cache
def exported_design(name: str, way: str) -> bytes:
    """The export of a design, made once."""
    return exported(design(name), **WAYS[way])


def design(name: str, seed: int = 0) -> nn.Module:
    """A trained-looking network: seeded weights, normalisations with statistics of their own, evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DESIGNS[name]()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.2)
                module.running_mean.normal_(0.0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def exported(model: nn.Module, *, opset: int = 17, dynamic: bool = True, exporter: str = "script") -> bytes:
    """The ONNX file of `model` for images of 24x24: by torch's older exporter ("script") or its newer ("dynamo")."""
    image = torch.randn(2 if dynamic else 1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "script":
            axes = {"image": {0: "batch"}, "scores": {0: "batch"}} if dynamic else None
            names = {"input_names": ["image"], "output_names": ["scores"]}
            torch.onnx.export(model, (image,), buffer, opset_version=opset, dynamo=False, dynamic_axes=axes, **names)
            return buffer.getvalue()
        shapes = ({0: torch.export.Dim("batch", min=1, max=64)},) if dynamic else None
        program = torch.onnx.export(
            model, (image,), opset_version=opset, dynamo=True, dynamic_shapes=shapes, verbose=False
        )
    return program.model_proto.SerializeToString()


# --- graphs written by hand --------------------------------------------------------------------------------------


def hand_made(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    *,
    image: tuple[object, ...] = (1, 3, 16, 16),
    opset: int = 17,
    outputs: dict[str, int] | None = None,
    domains: tuple[str, ...] = (),
    metadata: dict[str, str] | None = None,
) -> bytes:
    """A model from nodes and constants; its input is "image"; `outputs` maps names to numbers of dimensions."""
    graph = helper.make_graph(
        nodes,
        "hand-made",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [f"{name}{k}" for k in range(rank)])
            for name, rank in (outputs or {"scores": 2}).items()
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    return model.SerializeToString()


def numbers(*shape: int, seed: int = 0, scale: float = 0.3) -> np.ndarray:
    return (np.random.default_rng((seed, *shape)).standard_normal(shape) * scale).astype(np.float32)


def small_classifier(*between: onnx.NodeProto, constants: dict[str, np.ndarray] | None = None, **kwargs) -> bytes:
    """conv -> conv -> relu -> `between` (from "relu" to "features") -> global average -> Gemm."""
    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["start"], "body/conv0/Conv2D", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["start", "w1", "b1"], ["conv"], "body/conv1/Conv2D", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"], "body/relu1"),
        *(between or [helper.make_node("Identity", ["relu"], ["features"])]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w2", "b2"], ["scores"], "head/Gemm", transB=1),
    ]
    held = {"w0": numbers(6, 3, 3, 3), "b0": numbers(6), "w1": numbers(8, 6, 3, 3), "b1": numbers(8)}
    held |= {"w2": numbers(CLASSES, 8), "b2": numbers(CLASSES)}
    return hand_made(nodes, {**held, **(constants or {})}, **kwargs)


def saved(content: bytes, folder: Path, name: str = "net.onnx") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
