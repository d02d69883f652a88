"""Constants worked out once: what exporters leave behind to compute shapes, masks and scales.

A step whose inputs are all known is run by ONNX's reference evaluator (numpy), after its result's
size was bounded from its inputs alone: a file of a hundred bytes must not ask for a terabyte, and one
of three thousand not for a hundred gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from evolution_core.spec import NetworkError

from .graph import MOVERS, Graph, Step, refuse

MAXIMUM_FOLDED = 2**26  # numbers in one folded constant, and in all of a file's together
Arrays = Sequence[Any]  # numpy arrays, None where an optional input is absent


def _largest(step: Step, arrays: Arrays) -> int:
    """Results no larger than all the inputs together."""
    return sum(array.size for array in arrays if array is not None)


def _broadcast(step: Step, arrays: Arrays) -> int:
    return math.prod(np.broadcast_shapes(*(array.shape for array in arrays if array is not None)))


def _product(array: np.ndarray) -> int:
    return math.prod(max(int(value), 0) for value in array.ravel()[:16])


def _expand(step: Step, arrays: Arrays) -> int:
    return math.prod(np.broadcast_shapes(arrays[0].shape, tuple(max(int(size), 1) for size in arrays[1].ravel()[:16])))


def _range(step: Step, arrays: Arrays) -> int:
    start, limit, delta = (float(array.ravel()[0]) for array in arrays)
    return math.ceil(max(0.0, (limit - start) / delta)) if delta else MAXIMUM_FOLDED + 1


def _pad(step: Step, arrays: Arrays) -> int:
    amounts = arrays[1].ravel() if len(arrays) > 1 else np.asarray(step.attributes.get("pads", ()))
    added = max((int(amount) for amount in amounts), default=0)
    return math.prod(size + 2 * max(added, 0) for size in arrays[0].shape)


def _matmul(step: Step, arrays: Arrays) -> int:
    return arrays[0].size * max(arrays[1].shape[-1], 1)


def _gather(step: Step, arrays: Arrays) -> int:
    """Every index brings at most the rest of its row."""
    axis = int(step.attributes.get("axis", 0)) if step.operator == "Gather" else 0
    shape = arrays[0].shape
    return arrays[0].size // max(shape[axis] if shape else 1, 1) * arrays[1].size


_NO_LARGER = """
    Abs Acos Asin Atan Cast CastLike Ceil Clip Concat Cos CumSum DequantizeLinear Erf Exp EyeLike Flatten Floor
    GatherElements Identity IsInf IsNaN Log Neg Not Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Reshape Round ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Split Sqrt Squeeze Tan
    Tanh Transpose Trilu Unsqueeze
"""
_BROADCASTING = """
    Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor
"""

# Operator -> the largest result that these inputs can give.
FOLDABLE: dict[str, Callable[[Step, Arrays], int]] = {
    **dict.fromkeys(_NO_LARGER.split(), _largest),
    **dict.fromkeys(_BROADCASTING.split(), _broadcast),
    "Gather": _gather,
    "GatherND": _gather,
    "Constant": lambda step, arrays: 1,
    "ConstantOfShape": lambda step, arrays: _product(arrays[0]),
    "Expand": _expand,
    "Tile": lambda step, arrays: arrays[0].size * _product(arrays[1]),
    "Range": _range,
    "Pad": _pad,
    "MatMul": _matmul,
    "Gemm": _matmul,
    "OneHot": lambda step, arrays: arrays[0].size * max(int(arrays[1].ravel()[0]), 1),
}


def evaluate(step: Step, arrays: Arrays, graph: Graph) -> list[np.ndarray]:
    """The step's outputs for known inputs, counted in `graph.folded`. Raises NetworkError when they cannot be had, or
    would be too large, alone or with all that came before them."""
    if step.operator not in FOLDABLE:
        raise refuse(step, "works on constants in a way that is not understood")
    try:
        if step.operator == "Constant":
            return [_constant(step)]
        if FOLDABLE[step.operator](step, arrays) > MAXIMUM_FOLDED:
            raise refuse(step, f"would make a constant of more than {MAXIMUM_FOLDED:,} numbers")
        results = _run(step, arrays, graph.opset)
    except NetworkError:
        raise
    except Exception as error:  # the reference evaluator raises whatever numpy does
        raise refuse(step, f"cannot be worked out ({type(error).__name__}: {str(error)[:120]})") from None
    plain = [np.asarray(_plain(result)) for result in results]
    graph.folded += sum(result.size for result in plain)
    if graph.folded > MAXIMUM_FOLDED:
        raise refuse(step, f"brings the constants to work out to more than {MAXIMUM_FOLDED:,} numbers")
    return plain


def _plain(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array


def _constant(step: Step) -> np.ndarray:
    for name, value in step.attributes.items():
        if name == "value":
            return np.asarray(value)
        if name in ("value_float", "value_floats"):
            return np.asarray(value, dtype=np.float32)
        if name in ("value_int", "value_ints"):
            return np.asarray(value, dtype=np.int64)
    raise refuse(step, "holds no number")


def _run(step: Step, arrays: Arrays, opset: int) -> list[np.ndarray]:
    """One node as a model of its own, in the version of its file."""
    names = [
        name if arrays[index] is not None else "" for index, name in enumerate(f"i{k}" for k in range(len(arrays)))
    ]
    feeds = {name: array for name, array in zip(names, arrays, strict=True) if name}
    outputs = [f"o{index}" if name else "" for index, name in enumerate(step.outputs)]
    attributes = {
        key: onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in step.attributes.items()
        if not (
            step.operator == "Cast" and key == "to" and value in (onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
        )
    }
    if step.operator == "Cast" and "to" not in attributes:
        attributes["to"] = onnx.TensorProto.FLOAT  # everything here is single precision
    node = onnx.helper.make_node(step.operator, names, outputs, **attributes)
    typed = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    made = [onnx.helper.make_empty_tensor_value_info(name) for name in outputs if name]
    graph = onnx.helper.make_graph([node], "constant", typed, made)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return list(ReferenceEvaluator(model).run(None, feeds))


def fold_constants(graph: Graph) -> None:
    """Replace every step whose inputs are all constants, in place; Identity steps go too. Raises NetworkError."""
    kept = []
    renamed: dict[str, str] = {}
    for step in graph.steps:
        inputs = tuple(renamed.get(name, name) for name in step.inputs)
        step = Step(step.operator, step.name, inputs, step.outputs, step.attributes)
        if step.operator == "Identity" and step.outputs[0] not in graph.outputs:
            renamed[step.outputs[0]] = inputs[0]
            continue
        known = all(not name or name in graph.constants for name in inputs)
        if known and step.operator in FOLDABLE:
            arrays = [graph.constants[name] if name else None for name in inputs]
            for name, array in zip(step.outputs, evaluate(step, arrays, graph), strict=False):
                if name:
                    graph.constants[name] = array
                    if step.operator in MOVERS:
                        graph.origins[name] = graph.origins.get(inputs[0], inputs[0])
            continue
        kept.append(step)
    graph.steps = kept
    graph.drop_unused()
