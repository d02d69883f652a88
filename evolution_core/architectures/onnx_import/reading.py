"""Reading an ONNX file that nobody vouches for: every check that needs no network yet.

A file is refused with :class:`NetworkError`, in one sentence that names the operator and its node:
too large, truncated, of another format, weights kept in other files, operators of other makers,
control flow inside, tensors of absurd sizes, an input that is no image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, inliner, numpy_helper

from evolution_core.spec import NetworkError

from .graph import Graph, Input, Step, shown

MAXIMUM_FILE_BYTES = 768 * 2**20  # VGG-19, the largest of the usual networks, takes 548 MiB
MAXIMUM_NODES = 20_000
MAXIMUM_ELEMENTS = 2**28  # of one tensor: 1 GiB as float32
MAXIMUM_SIDE = 1024  # pixels, as for every run
OLDEST_OPSET, NEWEST_OPSET = 7, 23
DEFAULT_SIDE = 224  # for files that leave height and width open

FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.DOUBLE: "float64"}


def read_bytes(source: Path | str | bytes) -> bytes:
    """The file's bytes, refused by size before they are read."""
    if isinstance(source, bytes):
        if len(source) > MAXIMUM_FILE_BYTES:
            raise NetworkError(f"the file is larger than {MAXIMUM_FILE_BYTES // 2**20} MiB")
        return source
    path = Path(source)
    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            raise NetworkError(f"{path.name}: the file is larger than {MAXIMUM_FILE_BYTES // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path.name}: the file cannot be read ({error.strerror})") from None


def read_model(content: bytes) -> onnx.ModelProto:
    """The checked and shape-inferred model. Raises NetworkError."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise NetworkError("the file is not an ONNX network, or it is cut off") from None
    if not model.HasField("graph") or not model.graph.node:
        raise NetworkError("the file is not an ONNX network: it holds no graph")
    _refuse_foreign(model)
    model = _inline_functions(model)
    if len(model.graph.node) > MAXIMUM_NODES:
        raise NetworkError(f"the network has more than {MAXIMUM_NODES:,} nodes")
    opset(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise NetworkError(f"the file is not a valid ONNX network: {_first_line(error)}") from None
    return model


def infer(model: onnx.ModelProto) -> None:
    """ONNX's own type and shape inference over the fixed input. Raises NetworkError where it finds a contradiction."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise NetworkError(f"the network's tensors do not fit together: {_first_line(error)}") from None
    for value in [*inferred.graph.value_info, *inferred.graph.output]:
        dims = value.type.tensor_type.shape.dim
        if math.prod(max(dim.dim_value, 1) for dim in dims) > MAXIMUM_ELEMENTS:
            raise NetworkError(f"the tensor {shown(value.name)} would hold more than {MAXIMUM_ELEMENTS:,} numbers")


def opset(model: onnx.ModelProto) -> int:
    """The version of the standard operators. Raises NetworkError outside what was verified."""
    version = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if not OLDEST_OPSET <= version <= NEWEST_OPSET:
        raise NetworkError(
            f"the network uses ONNX opset {version}; opsets {OLDEST_OPSET} to {NEWEST_OPSET} are understood, "
            "so export it with one of them"
        )
    return version


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:240]


# --- what is refused wherever it stands ---------------------------------------------------------------------------


def _refuse_foreign(model: onnx.ModelProto) -> None:
    """Refuse other makers' operators, graphs inside nodes, and weights that are not in the file."""
    own = {(function.domain, function.name) for function in model.functions}
    for tensor in model.graph.initializer:
        _refuse_tensor(tensor, f"the tensor {shown(tensor.name)}")
    if model.graph.sparse_initializer:
        raise NetworkError("the network stores sparse tensors; export it with dense ones")
    nodes: list[onnx.NodeProto] = list(model.graph.node)
    for function in model.functions:
        nodes += function.node
    for node in nodes:
        where = f"{shown(node.op_type)} (node {shown(node.name)})"
        if node.domain not in ("", "ai.onnx") and (node.domain, node.op_type) not in own:
            raise NetworkError(
                f"{shown(node.domain)}::{where} is an operator of its maker's own; only standard ONNX operators "
                "can be evolved"
            )
        for attribute in node.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise NetworkError(f"{where} holds a graph of its own (control flow), which cannot be evolved")
            for tensor in [attribute.t, *attribute.tensors]:
                _refuse_tensor(tensor, where)
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise NetworkError(f"{where} holds a sparse tensor, which cannot be evolved")


def _refuse_tensor(tensor: TensorProto, where: str) -> None:
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise NetworkError(f"{where} keeps its numbers in another file; export the network as one single file")
    if tensor.HasField("segment"):
        raise NetworkError(f"{where} is stored in segments, which are not read")
    if any(dim < 0 for dim in tensor.dims) or math.prod(tensor.dims) > MAXIMUM_ELEMENTS:
        raise NetworkError(f"{where} claims absurd dimensions {_dims(tensor.dims)}")


def _dims(dims: Iterable[int]) -> str:
    return "x".join(str(dim) for dim in list(dims)[:8]) or "none"


def _inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace calls of the file's own functions by their bodies, counted first: they may be nested to explode."""
    if not model.functions:
        return model
    bodies = {(function.domain, function.name): list(function.node) for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: list[onnx.NodeProto], open_calls: frozenset[tuple[str, str]]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in open_calls:
                raise NetworkError(f"the function {shown(node.op_type)} calls itself")
            if key in bodies and key not in sizes:
                sizes[key] = size(bodies[key], open_calls | {key})
            total += sizes.get(key, 1)
            if total > MAXIMUM_NODES:
                raise NetworkError(f"the network has more than {MAXIMUM_NODES:,} nodes")
        return total

    try:
        size(list(model.graph.node), frozenset())
        return inliner.inline_local_functions(model)
    except RecursionError:
        raise NetworkError("the network's functions are nested too deeply") from None
    except (RuntimeError, ValueError) as error:
        raise NetworkError(f"the network's functions cannot be put in place: {_first_line(error)}") from None


# --- the input and the graph --------------------------------------------------------------------------------------


def read_input(model: onnx.ModelProto, side: int | None) -> Input:
    """The one image input, with its layout and sizes; open heights and widths become `side` (default 224).

    Raises NetworkError when there is not exactly one input of rank 4, of floats, with 1 or 3 channels.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    found = [value for value in model.graph.input if value.name not in weights]
    if len(found) != 1:
        listed = ", ".join(shown(value.name) for value in found[:5]) or "none"
        raise NetworkError(f"the network must have exactly one input, an image; it has {len(found)} ({listed})")
    value = found[0]
    kind = value.type.tensor_type.elem_type
    if kind not in FLOATS:
        raise NetworkError(f"the input {shown(value.name)} must hold floating-point numbers")
    dims = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in value.type.tensor_type.shape.dim]
    if len(dims) != 4:
        raise NetworkError(f"the input {shown(value.name)} must be images [batch, channels, height, width]")
    channels_last = _is_channels_last(model, value.name, dims)
    batch, channels, height, width = dims if not channels_last else (dims[0], dims[3], dims[1], dims[2])
    if channels not in (1, 3):
        raise NetworkError(
            f"the input {shown(value.name)} must have 1 channel (gray) or 3 (colour), "
            f"not {channels or 'an open number'}"
        )
    height, width = height or side or width or DEFAULT_SIDE, width or side or height or DEFAULT_SIDE
    if not (8 <= height <= MAXIMUM_SIDE and 8 <= width <= MAXIMUM_SIDE):
        raise NetworkError(
            f"the input {shown(value.name)} asks for images of {width}x{height} pixels; "
            f"8 to {MAXIMUM_SIDE} are possible on each side"
        )
    if batch > 64:
        raise NetworkError(f"the network is fixed to batches of {batch} images; export it for one, or an open number")
    return Input(value.name, (channels, height, width), channels_last, batch, FLOATS[kind])


def _is_channels_last(model: onnx.ModelProto, name: str, dims: list[int]) -> bool:
    """TensorFlow's exports take [batch, height, width, channels]; most then transpose at once."""
    users = [node for node in model.graph.node if name in node.input]
    for node in users:
        if node.op_type == "Transpose":
            order = [list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"]
            if order == [[0, 3, 1, 2]]:
                return True
    if any(node.op_type in ("Conv", "MaxPool", "AveragePool") for node in users):
        return False
    return dims[1] not in (1, 3) and dims[3] in (1, 3)


def fix_input(model: onnx.ModelProto, given: Input, batch: int) -> None:
    """Write the chosen batch, height and width into the graph's input, and forget stale inferred shapes."""
    value = next(value for value in model.graph.input if value.name == given.name)
    channels, height, width = given.shape
    sizes = (batch, height, width, channels) if given.channels_last else (batch, channels, height, width)
    for dim, size in zip(value.type.tensor_type.shape.dim, sizes, strict=True):
        dim.Clear()
        dim.dim_value = size
    del model.graph.value_info[:]
    for output in model.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()


def read_graph(model: onnx.ModelProto) -> Graph:
    """The model as steps and constants (numpy arrays; floats as float32). Raises NetworkError on a broken tensor."""
    constants = {
        tensor.name: to_array(tensor, f"the tensor {shown(tensor.name)}") for tensor in model.graph.initializer
    }
    steps = []
    for index, node in enumerate(model.graph.node):
        attributes = {}
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                raise NetworkError(f"{shown(node.op_type)} (node {shown(node.name)}) has an unbound attribute")
            value = onnx.helper.get_attribute_value(attribute)
            if isinstance(value, TensorProto):
                value = to_array(value, f"{shown(node.op_type)} (node {shown(node.name)})")
            attributes[attribute.name] = value
        steps.append(
            Step(node.op_type, node.name or f"node {index + 1}", tuple(node.input), tuple(node.output), attributes)
        )
    return Graph(steps, constants, [output.name for output in model.graph.output], opset(model))


def to_array(tensor: TensorProto, where: str):
    """A tensor's numbers; half and double precision become float32."""
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError) as error:
        raise NetworkError(f"{where} is broken: {_first_line(error)}") from None
    if array.dtype.kind == "f" or array.dtype.name in ("bfloat16", "float16"):
        array = array.astype("float32")
    elif array.dtype.kind not in "iub":
        raise NetworkError(f"{where} holds {array.dtype.name} values, which no network of images needs")
    return array
