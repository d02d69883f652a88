"""The ONNX forms of activations, arithmetic and everything that only moves numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from evolution_core.architectures.region import Region

from .writing import Sized, Step, Unknown, Value, call, module, plain

# --- activations: layer, function names, operator -------------------------------------

_UNARY: tuple[tuple[type[nn.Module] | None, tuple[str, ...], str], ...] = (
    (nn.ReLU, ("relu",), "Relu"),
    (nn.Sigmoid, ("sigmoid",), "Sigmoid"),
    (nn.Tanh, ("tanh",), "Tanh"),
    (nn.Softplus, (), "Softplus"),
    (nn.Softsign, ("softsign",), "Softsign"),
    (nn.SELU, ("selu",), "Selu"),
    (nn.Hardswish, ("hardswish",), "HardSwish"),
    (None, ("abs",), "Abs"),
    (None, ("neg",), "Neg"),
    (None, ("exp",), "Exp"),
    (None, ("log",), "Log"),
    (None, ("sqrt",), "Sqrt"),
    (None, ("erf",), "Erf"),
    (None, ("reciprocal",), "Reciprocal"),
    (None, ("sign",), "Sign"),
    (None, ("floor",), "Floor"),
    (None, ("ceil",), "Ceil"),
    (None, ("sin",), "Sin"),
    (None, ("cos",), "Cos"),
)


def _unary(operator: str) -> Any:
    return lambda step: step.out(operator, [step.tensor().name])


for _kind, _names, _operator in _UNARY:
    if _kind is not None:
        module(_kind)(_unary(_operator))
    call(*_names)(_unary(_operator))


@module(nn.Identity, Region, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
@call("dropout", "dropout1d", "dropout2d", "contiguous", "float", "clone", "detach")
def nothing(step: Step) -> Value:
    """What does nothing in a deployed network leaves no trace in it."""
    source = step.tensor()
    return Value(source.name, step.result)


@module(nn.SiLU)
@call("silu")
def silu(step: Step) -> Value:
    name = step.tensor().name
    return step.out("Mul", [name, step.inner("Sigmoid", [name])])


@call("rsqrt")
def rsqrt(step: Step) -> Value:
    return step.out("Reciprocal", [step.inner("Sqrt", [step.tensor().name])])


@module(nn.LeakyReLU)
@call("leaky_relu")
def leaky(step: Step) -> Value:
    slope = step.module.negative_slope if step.module else step.number(1, "negative_slope", 0.01)  # type: ignore[union-attr]
    return step.out("LeakyRelu", [step.tensor().name], alpha=float(slope))  # type: ignore[arg-type]


@module(nn.ELU)
def elu(step: Step) -> Value:
    return step.out("Elu", [step.tensor().name], alpha=float(step.module.alpha))  # type: ignore[union-attr,arg-type]


@module(nn.PReLU)
def learned(step: Step) -> Value:
    layer: Any = step.module
    axes = [-1] + [1] * (step.tensor().rank - 2)
    return step.out("PRelu", [step.tensor().name, step.writer.constant(layer.weight.detach().reshape(axes))])


@module(nn.GELU)
@call("gelu")
def gelu(step: Step) -> Value:
    approximate = step.module.approximate if step.module else step.number(1, "approximate", "none")  # type: ignore[union-attr]
    if approximate != "none":
        raise Unknown(f"{step.label}: approximate GELU")
    source = step.tensor().name
    inner = step.inner("Erf", [step.inner("Mul", [source, step.operand(1 / math.sqrt(2))])])
    half = step.inner("Mul", [source, step.operand(0.5)])
    return step.out("Mul", [half, step.inner("Add", [inner, step.operand(1.0)])])


@module(nn.Hardsigmoid)
@call("hardsigmoid")
def hardsigmoid(step: Step) -> Value:
    return step.out("HardSigmoid", [step.tensor().name], alpha=1 / 6, beta=0.5)


@module(nn.ReLU6, nn.Hardtanh)
@call("relu6", "clamp", "clip", "hardtanh")
def clamp(step: Step) -> Value:
    if isinstance(step.module, nn.Hardtanh):  # ReLU6 is one
        low, high = step.module.min_val, step.module.max_val
    elif getattr(step.node.target, "__name__", "") == "relu6":
        low, high = 0.0, 6.0
    else:
        low, high = step.number(1, "min"), step.number(2, "max")
    limits = ["" if limit is None else step.operand(float(limit)) for limit in (low, high)]
    return step.out("Clip", [step.tensor().name, *limits])


@module(nn.Softmax, nn.LogSoftmax)
@call("softmax", "log_softmax")
def softmax(step: Step) -> Value:
    layer: Any = step.module
    axis = layer.dim if layer is not None else step.number(1, "dim")
    name = type(layer).__name__ if layer is not None else str(getattr(step.node.target, "__name__", step.node.target))
    if axis is None or step.kwargs.get("dtype") is not None:
        raise Unknown(f"{step.label}: no dimension")
    return step.out("LogSoftmax" if "log" in name.lower() else "Softmax", [step.tensor().name], axis=int(axis))


# --- arithmetic -----------------------------------------------------------------------


def _binary(operator: str) -> Any:
    def form(step: Step) -> Value:
        if step.kwargs.get("alpha", 1) != 1 or step.kwargs.get("rounding_mode") is not None:
            raise Unknown(f"{step.label}: a scaled sum or a rounded quotient")
        left, right = step.arg(0, "input"), step.arg(1, "other")
        return step.out(operator, [step.operand(left), step.operand(right)])

    return form


for _names, _operator in (
    (("add", "iadd"), "Add"),
    (("sub", "isub"), "Sub"),
    (("mul", "imul"), "Mul"),
    (("div", "truediv", "itruediv", "true_divide"), "Div"),
    (("pow",), "Pow"),
    (("maximum",), "Max"),
    (("minimum",), "Min"),
    (("matmul", "bmm", "mm"), "MatMul"),
):
    call(*_names)(_binary(_operator))


@call("rsub")
def swapped(step: Step) -> Value:
    return step.out("Sub", [step.operand(step.arg(1, "other")), step.tensor().name])


def _reduction(operator: str, *, axes_as_input: bool) -> Any:
    def form(step: Step) -> Value:
        source = step.tensor()
        axes, keep = step.number(1, "dim"), bool(step.number(2, "keepdim", False))
        if axes is None:
            raise Unknown(f"{step.label}: a reduction over the batch")
        axes = [axes] if isinstance(axes, int) else list(axes)
        if not axes or 0 in [axis % source.rank for axis in axes]:
            raise Unknown(f"{step.label}: a reduction over the batch")
        if axes_as_input:
            return step.out(operator, [source.name, step.writer.integers(axes)], keepdims=int(keep))
        return step.out(operator, [source.name], axes=axes, keepdims=int(keep))

    return form


call("mean")(_reduction("ReduceMean", axes_as_input=False))
call("sum")(_reduction("ReduceSum", axes_as_input=True))
call("amax")(_reduction("ReduceMax", axes_as_input=False))
call("amin")(_reduction("ReduceMin", axes_as_input=False))


# --- what only moves numbers ----------------------------------------------------------


@module(nn.Flatten, nn.Unflatten)
@call("flatten", "unflatten", "view", "reshape", "squeeze", "unsqueeze", "view_as", "reshape_as")
def reshape(step: Step) -> Value:
    """Any new shape of the same numbers in the same order, told by the shapes that torch gives."""
    source, target = step.tensor(), step.value("")
    wanted: list[int] = []
    for axis, size in enumerate(target.shape):
        if size is not None:
            wanted.append(size)
        elif axis < source.rank and all(
            probe.shape[axis] == given.shape[axis] for probe, given in zip(step.result, source.probes, strict=True)
        ):
            wanted.append(0)  # as in the input
        else:
            wanted.append(-1)
    if wanted.count(-1) > 1:
        raise Unknown(f"{step.label}: two sizes that follow the batch")
    return step.out("Reshape", [source.name, step.writer.integers(wanted)])


@call("permute")
def permute(step: Step) -> Value:
    axes = step.number(1, "dims")
    axes = list(axes) if isinstance(axes, (tuple, list)) else list(plain(step.args[1:]))
    source = step.tensor()
    return step.out("Transpose", [source.name], perm=[int(axis) % source.rank for axis in axes])


@call("transpose", "swapaxes")
def transpose(step: Step) -> Value:
    source = step.tensor()
    axes = list(range(source.rank))
    first, second = step.number(1, "dim0") % source.rank, step.number(2, "dim1") % source.rank
    axes[first], axes[second] = axes[second], axes[first]
    return step.out("Transpose", [source.name], perm=axes)


@call("expand")
def expand(step: Step) -> Value:
    """A class token or a gate repeated: over the batch, whose size the input's shape tells, or over fixed sizes."""
    two, three = (tuple(result.shape) for result in step.result)
    pieces = []
    for size, other in zip(two, three, strict=True):
        if size == other:
            pieces.append(step.writer.integers([size]))
        elif (size, other) == (2, 3):
            pieces.append(step.inner("Shape", ["image"], start=0, end=1))
        else:
            raise Unknown(f"{step.label}: a size that depends on the batch")
    return step.out("Expand", [step.tensor().name, step.inner("Concat", pieces, axis=0)])


@call("cat", "concat", "concatenate")
def concat(step: Step) -> Value:
    parts = step.arg(0, "tensors")
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, Value) for part in parts):
        raise Unknown(f"{step.label}: parts that are no tensors")
    return step.out("Concat", [part.name for part in parts], axis=int(step.number(1, "dim", 0)))


@call("chunk", "split", "tensor_split")
def split(step: Step) -> list[Value]:
    """A list of parts, sized as torch sized them."""
    source = step.tensor()
    axis = int(step.number(2, "dim", 0)) % source.rank
    pieces = [Value("", pair) for pair in zip(*step.result, strict=True)]
    if axis == 0:
        raise Unknown(f"{step.label}: a split of the batch")
    sizes = step.writer.integers([piece.size(axis) for piece in pieces])
    names = step.writer.add("Split", [source.name, sizes], step.label, outputs=len(pieces), axis=axis)
    names = [names] if isinstance(names, str) else names
    return [Value(name, piece.probes) for name, piece in zip(names, pieces, strict=True)]


@call("getitem")
def getitem(step: Step) -> Any:
    source, index = step.arg(0, "input"), step.arg(1, "index")
    if isinstance(source, (list, tuple)):
        return source[plain(index)]
    if isinstance(source, Sized):
        return Sized(source.two[plain(index)], source.three[plain(index)])
    return _cut_out(step, step.tensor(), plain(index) if isinstance(index, tuple) else (plain(index),))


def _cut_out(step: Step, source: Value, index: tuple[Any, ...]) -> Value:
    """Slices and single places along dimensions: one Slice, then a Reshape where dimensions go."""
    if any(part is not Ellipsis and not isinstance(part, (slice, int)) for part in index):
        raise Unknown(f"{step.label}: an index that is neither a slice nor a place")
    if Ellipsis in index:
        middle = index.index(Ellipsis)
        gap = source.rank - len(index) + 1
        index = (*index[:middle], *[slice(None)] * gap, *index[middle + 1 :])
    cuts: list[tuple[int, int, int, int]] = []  # start, end, axis, stride
    for axis, part in enumerate(index):
        if part == slice(None):
            continue
        size = source.size(axis)
        if isinstance(part, int):
            part = slice(part % size, part % size + 1)
        start, end, stride = part.indices(size)
        cuts.append((start, end, axis, stride))
    name = source.name
    if cuts:
        name = step.inner("Slice", [name, *(step.writer.integers(column) for column in zip(*cuts, strict=True))])
    gone = [axis for axis, part in enumerate(index) if isinstance(part, int)]
    if gone:
        return step.out("Squeeze", [name, step.writer.integers(gone)])
    return step.value(name)


@call("select")
def select(step: Step) -> Value:
    axis = step.number(1, "dim") % step.tensor().rank
    return _cut_out(step, step.tensor(), (*[slice(None)] * axis, step.number(2, "index")))


@call("narrow")
def narrow(step: Step) -> Value:
    axis, start, length = step.number(1, "dim"), step.number(2, "start"), step.number(3, "length")
    return _cut_out(step, step.tensor(), (*[slice(None)] * (axis % step.tensor().rank), slice(start, start + length)))


@call("index_select")
def index_select(step: Step) -> Value:
    index = step.arg(2, "index")
    if not isinstance(index, Value) or index.name not in step.writer.initializers:
        raise Unknown(f"{step.label}: places that depend on the image")
    return step.out("Gather", [step.tensor().name, index.name], axis=int(step.number(1, "dim")))


@call("pad")
def pad(step: Step) -> Value:
    source = step.tensor()
    amounts, mode = list(step.number(1, "pad")), step.number(2, "mode", "constant")
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    if mode not in modes:
        raise Unknown(f"{step.label}: padding mode {mode}")
    before, after = [0] * source.rank, [0] * source.rank
    for place in range(len(amounts) // 2):
        before[-1 - place], after[-1 - place] = amounts[2 * place], amounts[2 * place + 1]
    inputs = [source.name, step.writer.integers([*before, *after])]
    if mode == "constant":
        inputs.append(step.operand(float(step.number(3, "value", 0.0) or 0.0)))
    return step.out("Pad", inputs, mode=modes[mode])


@module(nn.PixelShuffle)
@call("pixel_shuffle")
def pixel_shuffle(step: Step) -> Value:
    factor = step.module.upscale_factor if step.module else step.number(1, "upscale_factor")  # type: ignore[union-attr]
    return step.out("DepthToSpace", [step.tensor().name], blocksize=int(factor), mode="CRD")  # type: ignore[arg-type]


@module(nn.PixelUnshuffle)
@call("pixel_unshuffle")
def pixel_unshuffle(step: Step) -> Value:
    factor = int(step.module.downscale_factor if step.module else step.number(1, "downscale_factor"))  # type: ignore[union-attr,arg-type]
    source, target = step.tensor(), step.value("")
    channels, height, width = source.size(1), target.size(2), target.size(3)
    split = step.writer.integers([0, channels, height, factor, width, factor])
    apart = step.inner("Reshape", [source.name, split])
    moved = step.inner("Transpose", [apart], perm=[0, 1, 3, 5, 2, 4])
    return step.out("Reshape", [moved, step.writer.integers([0, channels * factor**2, height, width])])


_RESIZE = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}


@module(nn.Upsample)
@call("interpolate")
def upsample(step: Step) -> Value:
    """Enlarging by a whole factor; other interpolations are left to torch's exporter."""
    source, target = step.tensor(), step.value("")
    layer: Any = step.module
    mode = layer.mode if layer is not None else step.number(3, "mode", "nearest")
    aligned = layer.align_corners if layer is not None else step.number(4, "align_corners")
    factors = [target.size(axis) / source.size(axis) for axis in range(2, source.rank)]
    if mode not in _RESIZE or any(factor != int(factor) for factor in factors):
        raise Unknown(f"{step.label}: {mode} interpolation by {factors}")
    corners = "asymmetric" if mode == "nearest" else "align_corners" if aligned else "half_pixel"
    return step.out(
        "Resize",
        [source.name, "", step.writer.constant(np.asarray([1.0, 1.0, *factors], np.float32))],
        mode=_RESIZE[mode],
        coordinate_transformation_mode=corners,
        nearest_mode="floor" if mode == "nearest" else None,
        cubic_coeff_a=-0.75 if mode == "bicubic" else None,
    )


@call("scaled_dot_product_attention")
def attention(step: Step) -> Value:
    query, key, value = step.tensor(0, "query"), step.tensor(1, "key"), step.tensor(2, "value")
    plain_form = step.arg(3, "attn_mask") is None and not step.number(5, "is_causal", False)
    if not plain_form or step.kwargs.get("enable_gqa", False):
        raise Unknown(f"{step.label}: masked attention")
    scale = step.number(6, "scale") or 1 / math.sqrt(query.size(query.rank - 1))
    *axes, row, column = range(key.rank)
    scores = step.inner("MatMul", [query.name, step.inner("Transpose", [key.name], perm=[*axes, column, row])])
    shares = step.inner("Softmax", [step.inner("Mul", [scores, step.operand(float(scale))])], axis=-1)
    return step.out("MatMul", [shares, value.name])


@call("size", "getattr", "dim")
def question(step: Step) -> Any:
    """Sizes are known: numbers, or `Sized` where they follow the batch."""
    two, three = step.result
    if isinstance(two, torch.Tensor):
        if step.arg(1, "name") == "mT":
            *axes, row, column = range(two.dim())
            return step.out("Transpose", [step.tensor().name], perm=[*axes, column, row])
        raise Unknown(f"{step.label}: an attribute that is a tensor")
    return two if two == three else Sized(two, three)
