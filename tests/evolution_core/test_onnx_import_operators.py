"""Every supported operator, in the spellings that exporters use, against ONNX Runtime (the import compares itself)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import NodeProto, helper
from torch import nn

from evolution_core.architectures.onnx_import import load_onnx
from evolution_core.architectures.onnx_import.operators.shapes import runs
from tests.evolution_core.own_networks import CLASSES, hand_made, numbers, small_classifier

node = helper.make_node


def int64(*values: int) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def scalar(value: float) -> np.ndarray:
    return np.asarray(value, dtype=np.float32)


CUBE = [
    node("Pow", ["relu", "three"], ["cube"]),
    node("Mul", ["cube", "c"], ["small"]),
    node("Add", ["relu", "small"], ["inner"]),
    node("Mul", ["inner", "root"], ["scaled"]),
    node("Tanh", ["scaled"], ["tanh"]),
    node("Add", ["tanh", "one"], ["bell"]),
    node("Mul", ["relu", "bell"], ["double"]),
    node("Mul", ["double", "half"], ["features"]),
]
GELU_NUMBERS = {
    "three": scalar(3),
    "c": scalar(0.044715),
    "root": scalar(0.7978845608),
    "one": scalar(1),
    "half": scalar(0.5),
}

# What stands between "relu" [N, 8, 16, 16] and "features": nodes, constants, opset, a layer that must come out of it.
IDIOMS: dict[str, tuple[list[NodeProto], dict[str, np.ndarray], int, type[nn.Module] | None]] = {
    "relu6": (
        [node("Clip", ["relu", "low", "high"], ["features"])],
        {"low": scalar(0), "high": scalar(6)},
        13,
        nn.ReLU6,
    ),
    "relu6 of opset 10": ([node("Clip", ["relu"], ["features"], min=0.0, max=6.0)], {}, 10, nn.ReLU6),
    "clip": ([node("Clip", ["relu", "low", "high"], ["features"])], {"low": scalar(-1), "high": scalar(2)}, 13, None),
    "leaky": ([node("LeakyRelu", ["relu"], ["features"], alpha=0.1)], {}, 17, nn.LeakyReLU),
    "prelu": ([node("PRelu", ["relu", "slope"], ["features"])], {"slope": numbers(8, 1, 1)}, 17, nn.PReLU),
    "elu": ([node("Elu", ["relu"], ["features"], alpha=0.7)], {}, 17, nn.ELU),
    "celu": ([node("Celu", ["relu"], ["features"], alpha=2.0)], {}, 17, nn.CELU),
    "selu": ([node("Selu", ["relu"], ["features"])], {}, 17, nn.SELU),
    "thresholded": ([node("ThresholdedRelu", ["relu"], ["features"], alpha=0.2)], {}, 17, nn.Threshold),
    "softplus": ([node("Softplus", ["relu"], ["features"])], {}, 17, nn.Softplus),
    "softsign": ([node("Softsign", ["relu"], ["features"])], {}, 17, nn.Softsign),
    "mish": (
        [node("Softplus", ["relu"], ["s"]), node("Tanh", ["s"], ["t"]), node("Mul", ["relu", "t"], ["features"])],
        {},
        17,
        nn.Mish,
    ),
    "silu": ([node("Sigmoid", ["relu"], ["s"]), node("Mul", ["s", "relu"], ["features"])], {}, 17, nn.SiLU),
    "hard swish": ([node("HardSwish", ["relu"], ["features"])], {}, 17, nn.Hardswish),
    "hard swish by parts": (
        [
            node("Add", ["relu", "three"], ["a"]),
            node("Clip", ["a", "zero", "six"], ["c"]),
            node("Div", ["c", "six"], ["d"]),
            node("Mul", ["relu", "d"], ["features"]),
        ],
        {"three": scalar(3), "zero": scalar(0), "six": scalar(6)},
        12,
        nn.Hardswish,
    ),
    "hard sigmoid by parts": (
        [
            node("Add", ["relu", "three"], ["a"]),
            node("Clip", ["a", "zero", "six"], ["c"]),
            node("Mul", ["c", "sixth"], ["features"]),
        ],
        {"three": scalar(3), "zero": scalar(0), "six": scalar(6), "sixth": scalar(1 / 6)},
        12,
        nn.Hardsigmoid,
    ),
    "hard sigmoid of Keras": ([node("HardSigmoid", ["relu"], ["features"])], {}, 17, None),
    "gelu by tanh": (CUBE, GELU_NUMBERS, 17, nn.GELU),
    "gelu": ([node("Gelu", ["relu"], ["features"])], {}, 20, nn.GELU),
    "batch norm by numbers": (
        [node("Mul", ["relu", "scale"], ["m"]), node("Add", ["shift", "m"], ["features"])],
        {"scale": numbers(1, 8, 1, 1), "shift": numbers(8, 1, 1)},
        17,
        None,
    ),
    "batch norm": (
        [node("BatchNormalization", ["relu", "g", "b", "m", "v"], ["features"], epsilon=1e-3)],
        {"g": numbers(8), "b": numbers(8), "m": numbers(8), "v": np.abs(numbers(8)) + 0.5},
        9,
        nn.BatchNorm2d,
    ),
    "layer norm of channels": (
        [
            node("ReduceMean", ["relu"], ["mean"], axes=[1]),
            node("Sub", ["relu", "mean"], ["centred"]),
            node("Pow", ["centred", "two"], ["squares"]),
            node("ReduceMean", ["squares"], ["variance"], axes=[1]),
            node("Add", ["variance", "eps"], ["safe"]),
            node("Sqrt", ["safe"], ["deviation"]),
            node("Div", ["centred", "deviation"], ["normal"]),
            node("Mul", ["normal", "scale"], ["scaled"]),
            node("Add", ["scaled", "shift"], ["features"]),
        ],
        {"two": scalar(2), "eps": scalar(1e-5), "scale": numbers(8, 1, 1), "shift": numbers(8, 1, 1)},
        13,
        nn.LayerNorm,
    ),
    "instance norm": (
        [node("InstanceNormalization", ["relu", "g", "b"], ["features"])],
        {"g": numbers(8), "b": numbers(8)},
        17,
        nn.GroupNorm,
    ),
    "local response norm": ([node("LRN", ["relu"], ["features"], size=5, alpha=0.1)], {}, 17, None),
    "max pool, uneven": (
        [node("MaxPool", ["relu"], ["features"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")],
        {},
        17,
        nn.MaxPool2d,
    ),
    "average pool, uneven": (
        [node("AveragePool", ["relu"], ["features"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")],
        {},
        17,
        nn.AvgPool2d,
    ),
    "average pool behind a pad": (
        [
            node("Pad", ["relu", "pads"], ["padded"]),
            node("AveragePool", ["padded"], ["features"], kernel_shape=[3, 3], strides=[1, 1]),
        ],
        {"pads": int64(0, 0, 1, 1, 0, 0, 1, 1)},
        17,
        nn.AvgPool2d,
    ),
    "convolution behind a pad": (
        [
            node("Pad", ["relu", "pads"], ["padded"]),
            node("Conv", ["padded", "w"], ["convolved"], strides=[2, 2]),
            node("Add", ["convolved", "bias"], ["features"]),
        ],
        {"pads": int64(0, 0, 1, 1, 0, 0, 1, 1), "w": numbers(8, 8, 3, 3), "bias": numbers(1, 8, 1, 1)},
        13,
        nn.Conv2d,
    ),
    "convolution with even kernel": (
        [node("Conv", ["relu", "w"], ["features"], auto_pad="SAME_LOWER")],
        {"w": numbers(8, 8, 4, 4)},
        17,
        nn.Conv2d,
    ),
    "transposed convolution": (
        [node("ConvTranspose", ["relu", "w", "b"], ["features"], strides=[2, 2], pads=[1, 1, 1, 1])],
        {"w": numbers(8, 8, 4, 4), "b": numbers(8)},
        17,
        nn.ConvTranspose2d,
    ),
    "pads": (
        [
            node("Pad", ["relu"], ["a"], pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="reflect"),
            node("Pad", ["a"], ["b"], pads=[0, 0, 1, 0, 0, 0, 0, 1], mode="edge"),
            node("Pad", ["b"], ["features"], pads=[0, 0, 1, 1, 0, 0, 2, 0], value=0.5),
        ],
        {},
        10,
        None,
    ),
    "resize": (
        [
            node(
                "Resize",
                ["relu", "", "scales"],
                ["a"],
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            ),
            node("Resize", ["a", "", "", "sizes"], ["features"], mode="linear"),
        ],
        {"scales": np.asarray([1, 1, 2, 2], np.float32), "sizes": int64(1, 8, 20, 20)},
        17,
        None,
    ),
    "upsample": (
        [node("Upsample", ["relu", "scales"], ["features"], mode="nearest")],
        {"scales": np.asarray([1, 1, 2, 2], np.float32)},
        9,
        None,
    ),
    "space and depth": (
        [
            node("SpaceToDepth", ["relu"], ["a"], blocksize=2),
            node("DepthToSpace", ["a"], ["b"], blocksize=2),
            node("SpaceToDepth", ["b"], ["c"], blocksize=2),
            node("DepthToSpace", ["c"], ["features"], blocksize=2, mode="CRD"),
        ],
        {},
        13,
        None,
    ),
    "split and concat": (
        [node("Split", ["relu", "sizes"], ["a", "b"], axis=1), node("Concat", ["b", "a"], ["features"], axis=1)],
        {"sizes": int64(3, 5)},
        13,
        None,
    ),
    "split of opset 11": (
        [node("Split", ["relu"], ["a", "b"], axis=1), node("Concat", ["b", "a"], ["features"], axis=-3)],
        {},
        11,
        None,
    ),
    "slices": (
        [
            node("Slice", ["relu", "starts", "ends", "axes", "steps"], ["a"]),
            node("Slice", ["relu", "starts", "ends", "axes", "steps"], ["b"]),
            node("Add", ["a", "b"], ["features"]),
        ],
        {"starts": int64(0, 1), "ends": int64(2**63 - 1, -1), "axes": int64(2, 3), "steps": int64(2, 1)},
        17,
        None,
    ),
    "gathers": (
        [
            node("Gather", ["relu", "order"], ["a"], axis=1),
            node("Gather", ["a", "row"], ["b"], axis=2),
            node("Unsqueeze", ["b", "two"], ["features"]),
        ],
        {"order": int64(7, 0, 1, 2, 6, 5, 4, 3), "row": np.asarray(-1, np.int64), "two": int64(2)},
        17,
        None,
    ),
    "attention over places": (
        [
            node("Shape", ["relu"], ["shape"]),
            node("Slice", ["shape", "zero", "two"], ["front"]),
            node("Concat", ["front", "minus"], ["target"], axis=0),
            node("Reshape", ["relu", "target"], ["tokens"]),
            node("Transpose", ["tokens"], ["queries"], perm=[0, 2, 1]),
            node("MatMul", ["queries", "tokens"], ["products"]),
            node("Where", ["mask", "products", "never"], ["masked"]),
            node("Softmax", ["masked"], ["weights"], axis=-1),
            node("MatMul", ["tokens", "weights"], ["mixed"]),
            node("Reshape", ["mixed", "shape"], ["features"]),
        ],
        {
            "zero": int64(0),
            "two": int64(2),
            "minus": int64(-1),
            "mask": np.tri(256, dtype=bool),
            "never": scalar(-1e9),
        },
        17,
        None,
    ),
    "window of Swin": (
        [
            node("Reshape", ["relu", "cut"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[0, 2, 4, 3, 5, 1]),
            node("Reshape", ["b", "windows"], ["c"]),
            node("MatMul", ["c", "w"], ["d"]),
            node("Reshape", ["d", "back"], ["e"]),
            node("Transpose", ["e"], ["f"], perm=[0, 5, 1, 3, 2, 4]),
            node("Reshape", ["f", "whole"], ["features"]),
        ],
        {
            "cut": int64(1, 8, 4, 4, 4, 4),
            "windows": int64(-1, 16, 8),
            "w": numbers(8, 8),
            "back": int64(1, 4, 4, 4, 4, 8),
            "whole": int64(1, 8, 16, 16),
        },
        17,
        nn.Linear,
    ),
    "reductions": (
        [
            node("ReduceMax", ["relu"], ["a"], axes=[2, 3], keepdims=1),
            node("ReduceL2", ["relu"], ["b"], axes=[3], keepdims=1),
            node("ReduceSum", ["relu", "three"], ["c"], keepdims=0),
            node("Unsqueeze", ["c", "three"], ["d"]),
            node("Sum", ["a", "b", "d"], ["e"]),
            node("Mul", ["relu", "e"], ["features"]),
        ],
        {"three": int64(3)},
        13,
        None,
    ),
    "arithmetic": (
        [
            node("Sub", ["one", "relu"], ["a"]),
            node("Exp", ["a"], ["b"]),
            node("Div", ["two", "b"], ["c"]),
            node("Sqrt", ["c"], ["d"]),
            node("Max", ["d", "half"], ["e"]),
            node("Min", ["e", "relu", "two"], ["f"]),
            node("Mean", ["e", "f"], ["g"]),
            node("Neg", ["g"], ["h"]),
            node("Abs", ["h"], ["i"]),
            node("Greater", ["i", "half"], ["mask"]),
            node("Where", ["mask", "i", "relu"], ["features"]),
        ],
        {"one": scalar(1), "two": scalar(2), "half": scalar(0.5)},
        17,
        None,
    ),
    "repetition": (
        [
            node("ReduceMean", ["relu"], ["a"], axes=[2, 3], keepdims=1),
            node("Expand", ["a", "sizes"], ["b"]),
            node("Tile", ["a", "times"], ["c"]),
            node("Mul", ["b", "c"], ["features"]),
        ],
        {"sizes": int64(1, 8, 4, 4), "times": int64(1, 1, 4, 4)},
        13,
        nn.AdaptiveAvgPool2d,
    ),
    "einsum": (
        [node("Einsum", ["relu", "w"], ["features"], equation="nchw,dc->ndhw")],
        {"w": numbers(8, 8)},
        17,
        None,
    ),
}


@pytest.mark.parametrize("batch", ["one", "open"])
@pytest.mark.parametrize("name", IDIOMS)
def test_an_operator_means_what_onnx_runtime_does(name: str, batch: str) -> None:
    nodes, constants, opset, layer = IDIOMS[name]
    if batch == "open" and name in ("resize", "window of Swin", "repetition"):
        pytest.skip("its numbers are for one image")
    content = small_classifier(
        *nodes, constants=constants, opset=opset, image=("N" if batch == "open" else 1, 3, 16, 16)
    )
    network = load_onnx(content)
    assert network.outputs == CLASSES
    if layer is not None:
        assert any(type(module) is layer for module in network.module.modules())
    five = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together = network.module(five)
        alone = torch.cat([network.module(image[None]) for image in five])
    assert torch.allclose(together, alone, atol=1e-4)


def test_pads_and_biases_go_into_the_convolution() -> None:
    nodes, constants, opset, _ = IDIOMS["convolution behind a pad"]
    network = load_onnx(small_classifier(*nodes, constants=constants, opset=opset))
    layers = [module for module in network.module.modules() if isinstance(module, nn.Conv2d)]
    assert [layer.padding for layer in layers] == [(1, 1), (1, 1), (1, 1)]
    assert layers[2].bias is not None
    assert {node.op for node in network.module.graph.nodes} == {"placeholder", "call_module", "call_function", "output"}


def tensorflow(first: list[NodeProto] | None = None, **kwargs) -> bytes:
    """As tf2onnx writes it: images [N, H, W, C], transposed at once; the last layer a MatMul and an Add; Softmax."""
    nodes = [
        *(first or [node("Transpose", ["image"], ["planes"], "model/transpose", perm=[0, 3, 1, 2])]),
        node("Conv", ["planes", "w1"], ["c1"], "model/block1/conv/Conv2D", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Add", ["c1", "b1"], ["a1"], "model/block1/conv/BiasAdd"),
        node("Relu", ["a1"], ["r1"], "model/block1/relu"),
        node("Transpose", ["r1"], ["t1"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["t1"], ["m1"], "model/gap", axes=[1, 2], keepdims=0),
        node("MatMul", ["m1", "w2"], ["d1"], "model/dense/MatMul"),
        node("Add", ["d1", "b2"], ["d2"], "model/dense/BiasAdd"),
        node("Softmax", ["d2"], ["scores"], "model/softmax", axis=1),
    ]
    constants = {
        "w1": numbers(8, 3, 3, 3),
        "b1": numbers(1, 8, 1, 1),
        "w2": numbers(8, CLASSES),
        "b2": numbers(CLASSES),
    }
    constants |= kwargs.pop("constants", {})
    return hand_made(nodes, constants, image=kwargs.pop("image", ("N", 16, 20, 3)), opset=13, **kwargs)


def test_a_tensorflow_export_takes_its_images_channels_first() -> None:
    network = load_onnx(tensorflow())
    assert network.shape == (3, 16, 20)
    assert network.final == "softmax"
    assert network.layers == {"block1.conv": 8}
    first = next(node for node in network.module.graph.nodes if node.op != "placeholder")
    assert "permute" not in str(first.target)


def test_a_channels_last_network_that_works_on_pixels_first() -> None:
    first = [
        node("Sub", ["image", "mean"], ["centred"]),
        node("Div", ["centred", "deviation"], ["scaled"]),
        node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
    ]
    constants = {"mean": numbers(3), "deviation": np.abs(numbers(3)) + 0.3}
    network = load_onnx(tensorflow(first, constants=constants, image=(1, 16, 20, 3)))
    assert network.shape == (3, 16, 20)
    assert not any(name.startswith(("mean", "deviation")) for name, _ in network.module.named_parameters())


def test_the_last_softmax_is_taken_off_and_can_be_put_back() -> None:
    from evolution_core.architectures.onnx_import import deployed

    network = load_onnx(tensorflow())
    images = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores, logits = deployed(network.module, network.final)(images), network.module(images)
    assert torch.allclose(scores.sum(1), torch.ones(2))
    assert not torch.allclose(logits.sum(1), torch.ones(2))
    assert deployed(network.module, "") is network.module


def test_of_several_outputs_the_classifier_is_taken() -> None:
    extra = [node("Relu", ["conv"], ["relu"]), node("Identity", ["relu"], ["features"])]
    content = small_classifier(*extra[1:], outputs={"relu": 4, "scores": 2})
    network = load_onnx(content)
    assert network.outputs == CLASSES
    assert any("2 outputs" in note for note in network.notes)


def test_open_heights_and_widths_take_the_size_asked_for() -> None:
    content = small_classifier(image=("N", 3, "H", "W"))
    assert load_onnx(content, size=40).shape == (3, 40, 40)
    assert load_onnx(content).shape == (3, 224, 224)


def test_half_precision_becomes_single() -> None:
    import onnx
    from onnx import TensorProto, numpy_helper

    model = onnx.ModelProto.FromString(small_classifier())
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    network = load_onnx(model.SerializeToString())
    assert {parameter.dtype for parameter in network.module.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("given", "target", "expected"),
    [
        ((1, 12, 9, 4), [12, 9, 4], [(0, 2, [12]), (2, 3, [9]), (3, 4, [4])]),
        ((29, 512, 1, 1), [29, 512], [(0, 1, [29]), (1, 4, [512])]),
        ((1, 10, 48), [1, 10, 3, 2, 8], [(0, 1, [1]), (1, 2, [10]), (2, 3, [3, 2, 8])]),
        ((2, 6, 5), [4, 3, 5], [(0, 2, [4, 3]), (2, 3, [5])]),
        ((3, 4), [3, 4, 1, 1], [(0, 1, [3]), (1, 2, [4, 1, 1])]),
    ],
)
def test_a_reshape_is_cut_into_the_shortest_runs(given, target, expected) -> None:
    assert [(run.start, run.stop, run.sizes) for run in runs(given, target)] == expected
