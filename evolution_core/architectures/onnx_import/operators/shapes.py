"""Shape, Reshape and the other operators that only rename dimensions.

A Reshape's target numbers are for the exported batch and full widths. Here it is taken apart into
runs of dimensions that are merged (flatten) or divided (unflatten, with one size left open), which
stay true for any batch, and for narrower layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..emission import Constant, Dim, Emission, Emitted, Value
from ..graph import Step, refuse
from .elementwise import one_copy
from .registry import operator


@operator("Shape")
def shape(emit: Emission, step: Step) -> Value:
    """The sizes at the exported batch: a constant."""
    sizes = emit.activation(step).sizes(emit.batch)
    start, end = step.attributes.get("start", 0), step.attributes.get("end", len(sizes))
    return Constant(np.asarray(sizes[start:end], dtype=np.int64), step.outputs[0])


@operator("Size")
def size(emit: Emission, step: Step) -> Value:
    return Constant(np.asarray(math.prod(emit.activation(step).sizes(emit.batch)), dtype=np.int64), step.outputs[0])


@dataclass
class Run:
    """Neighbouring dimensions `start` to `stop` of the input that become `sizes` (for the exported batch)."""

    start: int
    stop: int
    sizes: list[int]


def runs(given: tuple[int, ...], target: list[int]) -> list[Run]:
    """Both shapes cut into the shortest runs of equal products. Dimensions of size 1 go with a neighbour."""
    found: list[Run] = []
    i = j = 0
    while i < len(given) and j < len(target):
        start, first = i, j
        left, right = given[i], target[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right and i < len(given):
                left *= given[i]
                i += 1
            elif j < len(target):
                right *= target[j]
                j += 1
            else:
                raise ValueError("the shapes do not hold the same number of elements")
        found.append(Run(start, i, target[first:j]))
    if found and i < len(given):
        found[-1].stop = len(given)
    if found and j < len(target):
        found[-1].sizes += target[j:]
    return found


def target_shape(emit: Emission, step: Step, given: tuple[int, ...]) -> list[int]:
    """The constant target with 0 (keep) and -1 (the rest) worked out."""
    wanted = emit.integers(step, 1, "shape")
    if wanted is None:
        raise refuse(step, "has no target shape")
    keep_zero = not step.attributes.get("allowzero", 0)
    target = [
        given[axis] if size == 0 and keep_zero and axis < len(given) else size for axis, size in enumerate(wanted)
    ]
    total = math.prod(given)
    if target.count(-1) == 1:
        rest = math.prod(size for size in target if size != -1)
        target[target.index(-1)] = total // rest if rest else 0
    if any(size < 1 for size in target) or math.prod(target) != total:
        raise refuse(step, f"asks for a shape of {wanted[:8]} from {list(given)}")
    return target


@operator("Reshape")
def reshape(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    given = x.sizes(emit.batch)
    target = target_shape(emit, step, given)
    if list(given) == target:
        return x
    for run in reversed(runs(given, target)):  # from the back, so that earlier positions stay true
        x = _apply(emit, step, x, run)
    return x


def _apply(emit: Emission, step: Step, x: Emitted, run: Run) -> Emitted:
    dims = x.dims[run.start : run.stop]
    if len(dims) == len(run.sizes) == 1:
        return x
    if any(dim.batched for dim in dims[1:]) and dims[0].size != 1 and len(run.sizes) > 1:
        raise refuse(step, "folds the batch into other dimensions in a way that cannot be followed")
    if len(dims) > 1:
        ones = [run.start + k for k, dim in enumerate(dims) if dim == Dim(1)]
        if len(run.sizes) == 1 and len(ones) == len(dims) - 1 and len(ones) == 1:
            return emit.method(step, "squeeze", x, ones[0])
        x = emit.function(step, torch.flatten, x, run.start, run.stop - 1)
    return _divide(emit, step, x, run) if len(run.sizes) > 1 else x


def _divide(emit: Emission, step: Step, x: Emitted, run: Run) -> Emitted:
    """Split dimension `run.start`; the open size is the batch's where it takes part, else the largest."""
    whole, sizes = x.dims[run.start], list(run.sizes)
    if whole.batched:
        place = next((k for k, size in enumerate(sizes) if emit.batch > 1 and size % emit.batch == 0), 0)
        if emit.batch > 1 and sizes[place] % emit.batch:
            raise refuse(step, "loses the batch")
    else:
        place = max(range(len(sizes)), key=lambda k: (sizes[k], k))
    others = [size for k, size in enumerate(sizes) if k != place]
    if math.prod(others) == 1:  # only new dimensions of size 1
        for k in range(len(sizes)):
            if k != place:
                x = emit.method(step, "unsqueeze", x, run.start + k)
        return x
    sizes[place] = -1
    return emit.method(step, "unflatten", x, run.start, tuple(sizes))


@operator("Flatten")
def flatten(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axis = int(step.attributes.get("axis", 1)) % (x.rank + 1)
    if axis < 1 or any(dim.batched for dim in x.dims[axis:]):
        raise refuse(step, "flattens the batch into the image")
    if axis > 1:
        x = emit.function(step, torch.flatten, x, 0, axis - 1)
    if x.rank == 1:
        return emit.method(step, "unsqueeze", x, 1)
    return x if x.rank == 2 else emit.function(step, torch.flatten, x, 1)


@operator("Squeeze")
def squeeze(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axes = emit.integers(step, 1, "axes")
    if axes is None:
        axes = [axis for axis, dim in enumerate(x.dims) if dim == Dim(1)]
    for axis in sorted({axis % x.rank for axis in axes}, reverse=True):
        if x.dims[axis] != Dim(1):
            raise refuse(step, f"drops dimension {axis}, which is not of size 1 for every batch")
        x = emit.method(step, "squeeze", x, axis)
    return x


@operator("Unsqueeze")
def unsqueeze(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    axes = emit.integers(step, 1, "axes") or []
    rank = x.rank + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = emit.method(step, "unsqueeze", x, axis)
    return x


@operator("Transpose")
def transpose(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    order = [int(axis) for axis in step.attributes.get("perm", range(x.rank)[::-1])]
    return permuted(emit, step, x, order)


def permuted(emit: Emission, step: Step, x: Emitted, order: list[int]) -> Emitted:
    """x.permute(order); two in a row become one, and one that changes nothing none."""
    if x.node.op == "call_method" and x.node.target == "permute":
        source, before = x.node.args[0], [int(axis) for axis in x.node.args[1:]]  # type: ignore[arg-type]
        assert isinstance(source, torch.fx.Node)
        together = [before[axis] for axis in order]
        inverse = [before.index(axis) for axis in range(len(before))]
        probes = tuple(probe.permute(inverse) for probe in x.probes)
        x, order = Emitted(source, probes, x.learned), together  # type: ignore[arg-type]
    if order == list(range(x.rank)):
        return x
    return emit.method(step, "permute", x, *order)


@operator("Expand")
def expand(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    wanted = [int(size) for size in emit.constant(step, 1, "a shape")]
    given = x.sizes(emit.batch)
    target = list(np.broadcast_shapes(given, tuple(wanted)))
    if list(given) == target:
        return x
    new = len(target) - len(given)
    sizes: list[object] = list(target[:new])
    for size, dim in zip(target[new:], x.dims, strict=True):
        sizes.append(-1 if size == dim.at(emit.batch) else size)
    if new and emit.batch > 1 and target[0] == emit.batch:
        raise refuse(step, "repeats images over the batch")
    return emit.method(step, "expand", x, *sizes)


def over_batch(emit: Emission, step: Step, constant: Constant, rank: int, axis: int) -> Emitted:
    """A constant [b or 1, ...] repeated for every image (a class token put before the patches)."""
    array = constant.array
    if array.ndim != rank:
        raise refuse(step, "joins a constant of other dimensions")
    array = one_copy(emit, step, array, axis, emit.batch, 1)
    if array.shape[axis] != 1:
        raise refuse(step, "treats the images of a batch differently")
    held = emit.held(step, Constant(array, constant.name), trainable=array.dtype.kind == "f")
    sizes: list[object] = [-1] * rank
    sizes[axis] = emit.batch_size(step)
    return emit.method(step, "expand", held, *sizes)
