"""What cannot be evolved, or cannot be trusted, is refused at load, by name."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evolution_core.architectures.onnx_import import folding, load_onnx, network, reading
from evolution_core.spec import NetworkError
from tests.evolution_core.own_networks import CLASSES, exported_design, hand_made, numbers, saved, small_classifier

node = helper.make_node


def refused(content: bytes, *words: str) -> None:
    with pytest.raises(NetworkError) as caught:
        load_onnx(content)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def changed(change) -> bytes:
    model = onnx.ModelProto.FromString(small_classifier())
    change(model)
    return model.SerializeToString()


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x00" * 100, b"PK\x03\x04 a zip", b"\x08\x07"])
def test_what_is_no_network(content: bytes) -> None:
    refused(content, "not an ONNX network")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off(share: float) -> None:
    content = exported_design("vgg", "opset17")
    refused(content[: int(len(content) * share)])


def test_a_file_that_is_too_large(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(small_classifier(), tmp_path)
    monkeypatch.setattr(reading, "MAXIMUM_FILE_BYTES", 100)
    with pytest.raises(NetworkError, match=r"net\.onnx: the file is larger"):
        load_onnx(path)
    refused(small_classifier(), "larger")


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(NetworkError, match=r"gone\.onnx: the file cannot be read"):
        load_onnx(tmp_path / "gone.onnx")


def test_weights_in_another_file_are_never_opened(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(b"\x00" * 10_000)
    monkeypatch.chdir(tmp_path)

    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="secret")

    refused(changed(change), "'w0'", "another file")


def test_a_constant_in_another_file() -> None:
    tensor = numpy_helper.from_array(numbers(8))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    constant = node("Constant", [], ["c"], "held", value=tensor)
    refused(small_classifier(constant, node("Identity", ["relu"], ["features"])), "Constant", "held", "another file")


def test_absurd_dimensions() -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[:] = [2**20, 2**20, 3, 3]

    refused(changed(change), "'w0'", "absurd dimensions")


def test_numbers_that_are_not_there() -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[:] = [600, 3, 3, 3]

    refused(changed(change), "w0")


def test_a_small_file_that_asks_for_a_huge_constant() -> None:
    nodes = [
        node("ConstantOfShape", ["size"], ["huge"], "bomb"),
        node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        node("Add", ["relu", "sum"], ["features"]),
    ]
    refused(small_classifier(*nodes, constants={"size": np.asarray([100_000, 100_000], np.int64)}), "huge")


@pytest.mark.parametrize(
    ("step", "constants"),
    [
        (node("Tile", ["seed", "times"], ["huge"], "bomb"), {"times": np.asarray([2**40], np.int64)}),
        (node("Expand", ["seed", "times"], ["huge"], "bomb"), {"times": np.asarray([2**40, 1], np.int64)}),
    ],
)
def test_a_small_file_that_grows_a_constant(step, constants) -> None:
    nodes = [step, node("ReduceSum", ["huge"], ["sum"], keepdims=0), node("Add", ["relu", "sum"], ["features"])]
    refused(small_classifier(*nodes, constants={"seed": numbers(4), **constants}))


@pytest.mark.parametrize("shape", ["size", "own"])
def test_a_small_file_that_asks_for_many_constants(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is small enough, all together are not; known from the file alone, or once the image's shape is."""
    monkeypatch.setattr(folding, "MAXIMUM_FOLDED", 10_000)
    constants = {"size": np.asarray([1, 8, 16, 16], np.int64)}
    for count, fits in ((4, True), (6, False)):
        nodes = [node("Shape", ["relu"], ["own"])]
        nodes += [node("ConstantOfShape", [shape], [f"c{k}"], f"bomb{k}") for k in range(count)]
        nodes += [node("Add", ["relu" if k == 0 else f"s{k - 1}", f"c{k}"], [f"s{k}"]) for k in range(count)]
        content = small_classifier(*nodes, node("Identity", [f"s{count - 1}"], ["features"]), constants=constants)
        if fits:
            load_onnx(content)
        else:
            refused(content, "bomb", "brings the constants to work out to more than 10,000 numbers")


def test_an_image_grown_beyond_all_bounds() -> None:
    nodes = [node("Resize", ["relu", "", "scales"], ["features"], "grow", mode="nearest")]
    refused(small_classifier(*nodes, constants={"scales": np.asarray([1, 1, 4096, 4096], np.float32)}), "features")


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAXIMUM_NODES", 3)
    refused(small_classifier(), "nodes")


def test_functions_nested_to_explode() -> None:
    """Ten calls of a function of ten calls of ... : a file of a kilobyte, ten thousand million nodes."""
    model = onnx.ModelProto.FromString(small_classifier())
    model.opset_import.append(helper.make_opsetid("bomb", 1))
    for level in range(10):
        called, domain = (f"f{level - 1}", "bomb") if level else ("Relu", "")
        inner = [node(called, [f"v{k}"], [f"v{k + 1}"], domain=domain) for k in range(10)]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("bomb", 1)]
        model.functions.append(helper.make_function("bomb", f"f{level}", ["v0"], ["v10"], inner, opsets))
    model.graph.node.append(node("f9", ["relu"], ["unused"], domain="bomb"))
    refused(model.SerializeToString(), "nodes")


def test_the_files_own_functions_are_put_in_place() -> None:
    model = onnx.ModelProto.FromString(small_classifier())
    opsets = [helper.make_opsetid("", 17)]
    body = [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])]
    model.functions.append(helper.make_function("mine", "Swish", ["x"], ["y"], body, opsets))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    identity = next(n for n in model.graph.node if n.op_type == "Identity")
    identity.op_type, identity.domain = "Swish", "mine"
    assert load_onnx(model.SerializeToString()).outputs == CLASSES


# --- operators --------------------------------------------------------------------------------------------------


def test_an_operator_of_its_makers_own() -> None:
    step = node("FusedGelu", ["relu"], ["features"], "block/gelu", domain="com.acme")
    refused(small_classifier(step, domains=("com.acme",)), "com.acme", "FusedGelu", "block/gelu")


def _branch(name: str) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return helper.make_graph([node("Identity", ["relu"], [name])], name, [], [value])


def test_control_flow() -> None:
    step = node("If", ["yes"], ["features"], "choice", then_branch=_branch("a"), else_branch=_branch("b"))
    refused(small_classifier(step, constants={"yes": np.asarray(True)}), "If", "choice", "control flow")
    info = helper.make_tensor_value_info
    whole, truth, real = TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Identity", ["x"], ["y"])],
        "body",
        [info("i", whole, []), info("go", truth, []), info("x", real, None)],
        [info("on", truth, []), info("y", real, None)],
    )
    step = node("Loop", ["count", "", "relu"], ["features"], "again", body=body)
    refused(small_classifier(step, constants={"count": np.asarray(3, np.int64)}), "Loop", "again")


def test_recurrent_layers() -> None:
    nodes = [
        node("Squeeze", ["image"], ["rows"], axes=[0]),
        node("LSTM", ["rows", "w", "r"], ["", "last"], "memory", hidden_size=4),
        node("Squeeze", ["last"], ["scores"], axes=[0]),
    ]
    constants = {"w": numbers(1, 16, 16), "r": numbers(1, 16, 4)}
    refused(hand_made(nodes, constants, opset=11), "LSTM", "memory")


def test_quantised_graphs() -> None:
    nodes = [
        node("QuantizeLinear", ["relu", "scale", "zero"], ["whole"], "quantise"),
        node("DequantizeLinear", ["whole", "scale", "zero"], ["features"], "dequantise"),
    ]
    constants = {"scale": np.asarray(0.1, np.float32), "zero": np.asarray(0, np.uint8)}
    refused(small_classifier(*nodes, constants=constants), "QuantizeLinear", "quantise")


def test_what_cannot_be_differentiated() -> None:
    nodes = [
        node("ArgMax", ["relu"], ["places"], "pick", axis=1),
        node("Cast", ["places"], ["real"], to=1),
        node("Mul", ["real", "relu"], ["features"]),
    ]
    refused(small_classifier(*nodes), "ArgMax", "pick")


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ReduceMean", ["relu"], ["mean"], "over/images", axes=[0]), node("Sub", ["relu", "mean"], ["features"])],
        [node("Concat", ["relu", "relu"], ["features"], "over/images", axis=0)],
        [node("Softmax", ["relu"], ["features"], "over/images", axis=0)],
        [
            node("Transpose", ["relu"], ["t"], perm=[1, 0, 2, 3]),
            node("Reshape", ["t", "shape"], ["features"], "over/images"),
        ],
    ],
)
def test_images_of_a_batch_that_meet(nodes) -> None:
    shape = np.asarray([-1, 8, 16, 16], np.int64)
    refused(small_classifier(*nodes, constants={"shape": shape}, image=("N", 3, 16, 16)))


def test_batch_normalisation_in_training() -> None:
    step = node("BatchNormalization", ["relu", "g", "b", "m", "v"], ["features", "m2", "v2"], "norm", training_mode=1)
    refused(small_classifier(step, constants={name: numbers(8) for name in "gbmv"}), "BatchNormalization", "norm")


def test_weights_that_depend_on_the_image() -> None:
    nodes = [
        node("ReduceMean", ["relu"], ["mean"], axes=[2, 3], keepdims=0),
        node("Reshape", ["mean", "eight"], ["scale"]),
        node("BatchNormalization", ["relu", "scale", "b", "m", "v"], ["features"], "dynamic"),
    ]
    constants = {"eight": np.asarray([8], np.int64), **{name: numbers(8) for name in "bmv"}}
    refused(small_classifier(*nodes, constants=constants), "BatchNormalization", "dynamic", "depend on the image")


def test_a_broken_reshape_names_itself() -> None:
    step = node("Reshape", ["relu", "shape"], ["features"], "torn")
    refused(small_classifier(step, constants={"shape": np.asarray([1, 7, -1, 16], np.int64)}), "orn")


# --- inputs and outputs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ((1, 3), ["batch, channels, height, width"]),
        ((1, 5, 16, 16), ["1 channel", "5"]),
        ((1, 3, 4096, 4096), ["4096x4096"]),
        ((1, 3, 2, 2), ["2x2"]),
        ((500, 3, 16, 16), ["batches of 500"]),
    ],
)
def test_inputs_that_are_no_images(image, words) -> None:
    refused(small_classifier(image=image), *words)


def test_two_inputs() -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))

    refused(changed(change), "exactly one input", "'mask'")


def test_whole_numbers_as_input() -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64

    refused(changed(change), "'image'")


def test_an_output_that_is_no_classifiers() -> None:
    nodes = [node("Conv", ["image", "w"], ["scores"])]
    refused(hand_made(nodes, {"w": numbers(4, 3, 3, 3)}, outputs={"scores": 4}), "'scores'", "classifier")


def test_an_output_that_ignores_the_image() -> None:
    nodes = [node("Relu", ["image"], ["unused"]), node("Identity", ["c"], ["scores"])]
    refused(hand_made(nodes, {"c": numbers(1, 4)}), "does not depend on the image")


def test_a_network_without_anything_to_cut() -> None:
    nodes = [
        node("GlobalAveragePool", ["image"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w"], ["scores"]),
    ]
    refused(hand_made(nodes, {"w": numbers(3, 4)}), "no layer that could be made narrower")


def test_opsets_that_were_never_verified() -> None:
    refused(small_classifier(opset=6), "opset 6")

    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = 99

    refused(changed(change), "opset 99")


def test_a_difference_to_onnx_runtime_stops_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a builder wrong, the comparison would see it."""
    content = small_classifier()
    kept = network._convert

    def wrong(*args):
        built = kept(*args)
        next(iter(built.module.parameters())).data.add_(0.5)
        return built

    monkeypatch.setattr(network, "_convert", wrong)
    refused(content, "disagrees with ONNX Runtime")


def test_names_cannot_become_code(tmp_path) -> None:
    """Layer names are written into generated Python: whatever is in them, only letters, digits and _ come through."""
    evil = 'body")(__import__("os").system("touch ' + str(tmp_path / "owned") + '"))#.weight'

    def change(model: onnx.ModelProto) -> None:
        for index, step in enumerate(model.graph.node):
            step.input[:] = [evil if name == "w1" else name for name in step.input]
            step.name = f"{evil}/{index}/{step.name}"
        for tensor in model.graph.initializer:
            tensor.name = evil if tensor.name == "w1" else tensor.name

    loaded = load_onnx(changed(change))
    assert loaded.outputs == CLASSES
    assert not (tmp_path / "owned").exists()
    assert "__import__" not in loaded.module.code or '"' not in loaded.module.code


def test_arg_max_as_the_only_output() -> None:
    nodes = [
        node("Conv", ["image", "w"], ["c"]),
        node("ReduceMean", ["c"], ["mean"], axes=[2, 3], keepdims=0),
        node("ArgMax", ["mean"], ["place"], "decide", axis=1, keepdims=1),
        node("Cast", ["place"], ["scores"], to=1),
    ]
    refused(hand_made(nodes, {"w": numbers(4, 3, 3, 3)}), "ArgMax", "decide")


def test_damaged_files_end_in_a_sentence() -> None:
    """Bytes changed at random: the file is imported or refused, and nothing else ever happens."""
    whole = small_classifier(image=("N", 3, 16, 16))
    luck = np.random.default_rng(7)
    outcomes = set()
    for _ in range(60):
        content = bytearray(whole)
        for place in luck.integers(0, len(content), 6):
            content[place] = luck.integers(256)
        try:
            load_onnx(bytes(content))
            outcomes.add("imported")
        except NetworkError:
            outcomes.add("refused")
    assert outcomes == {"imported", "refused"}


def test_a_network_beyond_all_means() -> None:
    nodes = [
        node("Conv", ["relu", "w"], ["wide"], pads=[4, 4, 4, 4]),
        node("Conv", ["wide", "v"], ["wider"], pads=[4, 4, 4, 4]),
        node("Conv", ["wider", "u"], ["features"]),
    ]
    constants = {"w": numbers(60, 8, 9, 9), "v": numbers(60, 60, 9, 9), "u": numbers(8, 60, 1, 1)}
    refused(small_classifier(*nodes, constants=constants, image=(1, 3, 1024, 1024)), "multiply-adds")
