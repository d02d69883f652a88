"""Arithmetic between activations, and between activations and constants."""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ..emission import Constant, Emission, Emitted, Value
from ..folding import evaluate
from ..graph import MOVERS, Step, refuse
from .registry import operator

MASK = 1e4  # numbers as large as this stand for "never", not for something learned


def single(value: Value) -> float | int | bool | None:
    """The plain number that a constant of one element is."""
    if isinstance(value, Constant) and value.array.size == 1:
        return value.array.ravel()[0].item()
    return None


def without_batch(emit: Emission, step: Step, constant: Constant, other: Emitted) -> Constant:
    """A constant that carries one equal copy for each image of the exported batch, cut down to one copy."""
    array = constant.array
    offset = array.ndim - other.rank
    for axis, dim in enumerate(other.dims):
        if dim.batched and axis + offset >= 0:
            array = one_copy(emit, step, array, axis + offset, dim.at(emit.batch), dim.size)
    return Constant(array, constant.name)


def one_copy(emit: Emission, step: Step, array: np.ndarray, axis: int, size: int, kept: int) -> np.ndarray:
    """`array` with `kept` of the `size` entries along `axis`, if the rest repeats them. Raises NetworkError."""
    if array.shape[axis] == 1 or (array.shape[axis] != size):
        return array
    if kept != 1 and emit.batch != 1:
        raise refuse(step, "mixes a constant with the batch")
    if emit.batch == 1:
        if kept != 1:
            raise refuse(step, "mixes a constant with the batch")
        return array
    first = np.take(array, [0], axis)
    if not np.array_equal(np.broadcast_to(first, array.shape), array):
        raise refuse(step, "treats the images of a batch differently")
    return first


def is_learned(array: np.ndarray) -> bool:
    """Whether numbers look trained: floats, not a mask and not a single number."""
    if array.dtype.kind != "f" or array.size < 2 or not np.isfinite(array).all() or np.abs(array).max() >= MASK:
        return False
    return not bool(np.isin(array, (0.0, 1.0)).all())


def operand(emit: Emission, step: Step, value: Value, other: Value, *, trainable: bool = False) -> Any:
    """One side of an arithmetic step: an activation, a plain number, or a held constant."""
    if isinstance(value, Emitted):
        return value
    number = single(value)
    if number is not None and (isinstance(other, Constant) or value.array.ndim <= other.rank):
        return number
    if isinstance(other, Emitted):
        value = without_batch(emit, step, value, other)
        trainable = trainable and other.learned and is_learned(value.array)
    return emit.held(step, value, trainable=trainable)


# Operator -> (torch's function, whether a constant side may be a trained scale or shift)
BINARY: dict[str, tuple[Callable[..., Any], bool]] = {
    "Add": (torch.add, True),
    "Mul": (torch.mul, True),
    "Sub": (torch.sub, False),
    "Div": (torch.div, False),
    "Pow": (torch.pow, False),
}


def _binary(emit: Emission, step: Step, function: Callable[..., Any], trainable: bool) -> Emitted:
    left, right = emit.value(step, 0), emit.value(step, 1)
    if isinstance(left, Emitted) and step.operator in ("Add", "Sub", "Mul", "Div"):
        neutral = 0.0 if step.operator in ("Add", "Sub") else 1.0
        if single(right) == neutral and isinstance(right, Constant) and right.array.ndim <= left.rank:
            return left
    first = operand(emit, step, left, right, trainable=trainable)
    second = operand(emit, step, right, left, trainable=trainable)
    if not isinstance(first, Emitted):  # torch.sub(1, x) and the like do not exist
        if step.operator in ("Add", "Mul"):
            first, second = second, first
        else:
            return emit.function(step, _SWAPPED[step.operator], first, second)
    return emit.function(step, function, first, second)


_SWAPPED: dict[str, Callable[..., Any]] = {"Sub": python.sub, "Div": python.truediv, "Pow": torch.pow}

for _name, (_function, _trainable) in BINARY.items():
    operator(_name)(partial(_binary, function=_function, trainable=_trainable))


def _chain(emit: Emission, step: Step, function: Callable[..., Any]) -> Emitted:
    """Operators of any number of inputs: Sum, Max, Min, Mean."""
    values = [emit.value(step, index) for index in range(len(step.inputs))]
    place = next(k for k, value in enumerate(values) if isinstance(value, Emitted))
    result = values.pop(place)
    assert isinstance(result, Emitted)
    for value in values:
        number = single(value)
        if number is not None and function is not torch.add:
            bound = {"min": number} if function is torch.maximum else {"max": number}
            result = emit.function(step, torch.clamp, result, **bound)
        else:
            result = emit.function(
                step, function, result, operand(emit, step, value, result, trainable=function is torch.add)
            )
    return result


operator("Sum")(partial(_chain, function=torch.add))
operator("Max")(partial(_chain, function=torch.maximum))
operator("Min")(partial(_chain, function=torch.minimum))


@operator("Mean")
def mean(emit: Emission, step: Step) -> Emitted:
    return emit.function(step, torch.mul, _chain(emit, step, torch.add), 1.0 / len(step.inputs))


UNARY: dict[str, Callable[..., Any]] = {
    "Abs": torch.abs,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Log": torch.log,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sqrt": torch.sqrt,
}


def _unary(emit: Emission, step: Step, function: Callable[..., Any]) -> Emitted:
    return emit.function(step, function, emit.activation(step))


for _name, _function in UNARY.items():
    operator(_name)(partial(_unary, function=_function))


COMPARISONS: dict[str, Callable[..., Any]] = {
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "And": torch.logical_and,
    "Or": torch.logical_or,
}


def _comparison(emit: Emission, step: Step, function: Callable[..., Any]) -> Emitted:
    left, right = emit.value(step, 0), emit.value(step, 1)
    sides = [operand(emit, step, left, right), operand(emit, step, right, left)]
    if not isinstance(sides[0], Emitted):
        sides[0] = emit.held(step, left)  # type: ignore[arg-type]
    return emit.function(step, function, *sides)


for _name, _function in COMPARISONS.items():
    operator(_name)(partial(_comparison, function=_function))


@operator("Where")
def where(emit: Emission, step: Step) -> Emitted:
    """A mask chooses; a constant mask is held as a buffer."""
    condition, yes, no = (emit.value(step, index) for index in range(3))
    pivot = next(value for value in (yes, no, condition) if isinstance(value, Emitted))
    sides: list[Any] = [
        condition if isinstance(condition, Emitted) else emit.held(step, without_batch(emit, step, condition, pivot))
    ]
    for value in (yes, no):
        number = single(value)
        if isinstance(value, Emitted):
            sides.append(value)
        elif number is not None:
            sides.append(float(number))
        else:
            sides.append(emit.held(step, without_batch(emit, step, value, pivot)))
    return emit.function(step, torch.where, *sides)


FLOAT_TYPES = (1, 10, 11, 16)  # float, half, double, bfloat16


@operator("Cast", "CastLike")
def cast(emit: Emission, step: Step) -> Emitted:
    """Between floating-point types nothing changes: networks here are single precision throughout."""
    x = emit.activation(step)
    to = int(step.attributes.get("to", 1)) if step.operator == "Cast" else 1
    kind = x.probes[0].dtype
    if to in FLOAT_TYPES:
        return x if kind == torch.float32 else emit.method(step, "float", x)
    if to == 9 and kind == torch.bool:
        return x
    raise refuse(step, "turns an image's values into whole numbers, which cannot be trained")


@operator("Identity")
def identity(emit: Emission, step: Step) -> Value:
    return emit.value(step, 0)


def fold(emit: Emission, step: Step) -> tuple[Value, ...]:
    """A step whose inputs turned out to be constants (the image's shape is one)."""
    arrays = []
    for index, name in enumerate(step.inputs):
        arrays.append(emit.constant(step, index) if name else None)
    results = evaluate(step, arrays, emit.source)
    first = emit.values.get(step.input(0))
    kept = first.name if isinstance(first, Constant) and step.operator in MOVERS else ""
    return tuple(Constant(array, kept or name) for array, name in zip(results, step.outputs, strict=False))
