"""Operators that only move elements: concatenating, cutting out, padding, shuffling, resizing."""

from __future__ import annotations

import operator as python
from typing import Any

import numpy as np
import torch
from torch import nn

from ..emission import Constant, Emission, Emitted, Value
from ..graph import Step, refuse
from ..idioms import pad_amounts
from .convolution import pad_image
from .registry import operator
from .shapes import over_batch


@operator("Concat")
def concat(emit: Emission, step: Step) -> Emitted:
    values = [emit.value(step, index) for index in range(len(step.inputs))]
    first = next(value for value in values if isinstance(value, Emitted))
    axis = int(step.attributes["axis"]) % first.rank
    batched = [place for place, dim in enumerate(first.dims) if dim.batched]
    if axis in batched:
        raise refuse(step, "joins along the batch")
    parts = []
    for value in values:
        if isinstance(value, Emitted):
            parts.append(value)
        elif 0 in value.array.shape:
            continue
        elif len(batched) != 1:
            raise refuse(step, "joins a constant to values without a clear batch")
        else:
            parts.append(over_batch(emit, step, value, first.rank, batched[0]))
    return parts[0] if len(parts) == 1 else emit.function(step, torch.cat, parts, axis)


def _cut(emit: Emission, step: Step, x: Emitted, axis: int, window: slice) -> Emitted:
    return emit.function(step, python.getitem, x, (*[slice(None)] * axis, window))


@operator("Slice")
def cut_out(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    starts, ends = emit.integers(step, 1, "starts"), emit.integers(step, 2, "ends")
    if starts is None or ends is None:
        raise refuse(step, "needs constant bounds")
    axes = emit.integers(step, 3, "axes") or list(range(len(starts)))
    strides = emit.integers(step, 4, "steps") or [1] * len(starts)
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        axis %= x.rank
        dim = x.dims[axis]
        begin, stop, stride = slice(start, end, stride).indices(dim.at(emit.batch))
        if (begin, stop, stride) == (0, dim.at(emit.batch), 1):
            continue
        if dim.batched:
            raise refuse(step, "cuts the batch")
        if stride == -1 and begin == dim.size - 1 and stop == -1:
            x = emit.function(step, torch.flip, x, (axis,))
        elif stride < 1:
            raise refuse(step, "runs backwards over a part")
        else:
            window = slice(begin or None, None if stop >= dim.size else stop, None if stride == 1 else stride)
            x = _cut(emit, step, x, axis, window)
    return x


@operator("Split")
def split(emit: Emission, step: Step) -> tuple[Value, ...]:
    x = emit.activation(step)
    axis = int(step.attributes.get("axis", 0)) % x.rank
    dim, count = x.dims[axis], len(step.outputs)
    if dim.batched:
        raise refuse(step, "splits the batch")
    sizes = emit.integers(step, 1, "split")
    if sizes is None:
        each = -(-dim.size // count)
        sizes = [min(each, dim.size - each * k) for k in range(count)]
    if len(sizes) != count or sum(sizes) != dim.size or min(sizes) < 1:
        raise refuse(step, f"cuts {dim.size} into {sizes[:8]}")
    if count == 1:
        return (x,)
    if len(set(sizes)) == 1:
        parts = emit.function(step, torch.chunk, x, count, axis)
    else:
        parts = emit.function(step, torch.split, x, sizes, axis)
    return tuple(emit.function(step, python.getitem, parts, index) for index in range(count))


@operator("Gather")
def gather(emit: Emission, step: Step) -> Emitted:
    """Constant places along one dimension: one of them, a range, or any list."""
    x = emit.activation(step)
    places = emit.constant(step, 1, "places")
    axis = int(step.attributes.get("axis", 0)) % x.rank
    dim = x.dims[axis]
    if dim.batched:
        raise refuse(step, "picks images out of the batch")
    if places.size and (places.min() < -dim.size or places.max() >= dim.size):
        raise refuse(step, f"picks place {int(places.max())} of {dim.size}")
    places = places % dim.size
    if places.ndim == 0:
        return emit.method(step, "select", x, axis, int(places))
    if places.ndim > 1:
        raise refuse(step, "picks places in a table")
    listed = [int(place) for place in places]
    stride = listed[1] - listed[0] if len(listed) > 1 else 1
    if stride > 0 and listed == list(range(listed[0], listed[0] + stride * len(listed), stride)):
        if listed == list(range(dim.size)):
            return x
        return _cut(emit, step, x, axis, slice(listed[0], listed[-1] + 1, None if stride == 1 else stride))
    index = emit.held(step, Constant(np.asarray(listed, dtype=np.int64), f"{step.name}.places"))
    return emit.function(step, torch.index_select, x, axis, index)


@operator("Pad")
def pad(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    amounts, value = pad_amounts(emit.source, step)
    if amounts is None:
        amounts = [int(item) for item in emit.constant(step, 1, "amounts")]
        value = float(emit.constant(step, 2).ravel()[0]) if step.input(2) else 0.0
    rank = len(amounts) // 2
    if step.input(3):
        axes = [int(axis) % x.rank for axis in emit.constant(step, 3)]
        full = [0] * 2 * x.rank
        for place, axis in enumerate(axes):
            full[axis], full[axis + x.rank] = amounts[place], amounts[place + len(axes)]
        amounts, rank = full, x.rank
    while rank > 1 and amounts[0] == 0 and amounts[rank] == 0:  # leading dimensions that are not padded
        amounts, rank = amounts[1:rank] + amounts[rank + 1 :], rank - 1
    if not any(amounts):
        return x
    if any(dim.batched for dim in x.dims[x.rank - rank :]):
        raise refuse(step, "pads the batch")
    mode = step.attributes.get("mode", b"constant")
    if mode == b"constant":
        return pad_image(emit, step, x, amounts, value or 0.0)
    if mode not in (b"reflect", b"edge") or rank > 2 or x.rank != 4:
        raise refuse(step, f"pads in the mode {mode.decode('ascii', 'replace')[:20]}")
    flat = [amount for axis in reversed(range(rank)) for amount in (amounts[axis], amounts[axis + rank])]
    flat += [0] * (4 - len(flat))
    return emit.function(step, nn.functional.pad, x, flat, "reflect" if mode == b"reflect" else "replicate")


@operator("SpaceToDepth")
def space_to_depth(emit: Emission, step: Step) -> Emitted:
    """As strided slices joined: the same order, and open to surgery."""
    x, block = emit.activation(step), int(step.attributes["blocksize"])
    if x.rank != 4 or block < 1 or any(dim.size % block for dim in x.dims[2:]):
        raise refuse(step, "does not divide its image")
    parts = [
        emit.function(step, python.getitem, x, (slice(None), slice(None), slice(i, None, block), slice(j, None, block)))
        for i in range(block)
        for j in range(block)
    ]
    return emit.function(step, torch.cat, parts, 1)


@operator("DepthToSpace")
def depth_to_space(emit: Emission, step: Step) -> Emitted:
    x, block = emit.activation(step), int(step.attributes["blocksize"])
    if x.rank != 4 or block < 1 or x.dims[1].size % block**2:
        raise refuse(step, "does not divide its channels")
    if step.attributes.get("mode", b"DCR") == b"CRD":
        return emit.function(step, torch.pixel_shuffle, x, block)
    x = emit.method(step, "unflatten", x, 1, (block, block, -1))
    x = emit.method(step, "permute", x, 0, 3, 4, 1, 5, 2)
    x = emit.function(step, torch.flatten, x, 4, 5)
    return emit.function(step, torch.flatten, x, 2, 3)


@operator("Tile")
def tile(emit: Emission, step: Step) -> Emitted:
    x = emit.activation(step)
    times = [int(count) for count in emit.constant(step, 1, "counts")]
    if all(count == 1 for count in times):
        return x
    if len(times) != x.rank or any(count != 1 and dim.batched for count, dim in zip(times, x.dims, strict=False)):
        raise refuse(step, "repeats the batch")
    return emit.method(step, "repeat", x, *times)


@operator("Resize", "Upsample")
def resize(emit: Emission, step: Step) -> Emitted:
    """Whole-number growth keeps its factor, so that it holds for other image sizes too; the rest names its size."""
    x = emit.activation(step)
    if x.rank != 4:
        raise refuse(step, "must work on images")
    scales, sizes = _resize_target(emit, step, x)
    if sizes[:2] != [x.dims[0].at(emit.batch), x.dims[1].size] or not x.dims[0].batched:
        raise refuse(step, "resizes more than height and width")
    if sizes[2:] == [dim.size for dim in x.dims[2:]]:
        return x
    mode = step.attributes.get("mode", b"nearest")
    where = step.attributes.get("coordinate_transformation_mode", b"half_pixel")
    if step.operator == "Upsample":
        where = b"asymmetric"
    options: dict[str, Any] = {}
    if mode == b"nearest":
        options["mode"] = _nearest(step, where, scales)
    elif mode in (b"linear", b"cubic") and where in (b"half_pixel", b"pytorch_half_pixel", b"align_corners"):
        options["mode"] = "bilinear" if mode == b"linear" else "bicubic"
        options["align_corners"] = where == b"align_corners"
        if step.attributes.get("antialias", 0):
            options["antialias"] = True
        elif mode == b"cubic" and abs(step.attributes.get("cubic_coeff_a", -0.75) + 0.75) > 1e-6:
            raise refuse(step, "interpolates with a coefficient of its own")
    else:
        raise refuse(step, f"interpolates in a way that is not understood ({mode.decode()}, {where.decode()})")
    if all(scale == int(scale) for scale in scales):
        options["scale_factor"] = tuple(float(scale) for scale in scales)
    else:
        options["size"] = tuple(sizes[2:])
    return emit.function(step, nn.functional.interpolate, x, **options)


def _resize_target(emit: Emission, step: Step, x: Emitted) -> tuple[list[float], list[int]]:
    """The factors of height and width, and the whole target shape at the exported batch."""
    given = x.sizes(emit.batch)
    factors: np.ndarray | None
    wanted = None
    if step.operator == "Upsample" and "scales" in step.attributes:
        factors = np.asarray(step.attributes["scales"])
    elif step.operator == "Upsample" or emit.opset < 11:
        factors = emit.constant(step, 1, "factors")
    else:
        factors = emit.optional(step, 2, "factors")
        wanted = emit.optional(step, 3, "sizes")
    if step.attributes.get("axes") or step.attributes.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise refuse(step, "names its target in a way that is not understood")
    if wanted is not None and wanted.size == 4:
        sizes = [int(size) for size in wanted]
        return [sizes[k] / given[k] for k in (2, 3)], sizes
    if factors is None or factors.size != 4:
        raise refuse(step, "has no target size")
    sizes = [int(size * float(factor)) for size, factor in zip(given, factors, strict=True)]
    return [float(factors[2]), float(factors[3])], sizes


def _nearest(step: Step, where: bytes, scales: list[float]) -> str:
    """torch's "nearest" takes the pixel below, "nearest-exact" the closest centre."""
    rounding = step.attributes.get("nearest_mode", b"round_prefer_floor")
    if where == b"asymmetric" and (rounding == b"floor" or step.operator == "Upsample"):
        return "nearest"
    if where in (b"half_pixel", b"pytorch_half_pixel") and rounding in (b"round_prefer_floor", b"round_prefer_ceil"):
        return "nearest-exact"
    if where == b"half_pixel" and all(scale == int(scale) for scale in scales):
        return "nearest"
    raise refuse(step, f"takes nearest pixels in a way that is not understood ({where.decode()}, {rounding.decode()})")
