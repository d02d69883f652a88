"""The idioms themselves: which small steps mean which layer."""

from __future__ import annotations

import math

import numpy as np

from .graph import Graph, Step
from .patterns import Any_, Bindings, Const, Made, Number, Rule, Tree, made, rewrite, scalar

X = Any_("x")


def _activation(operator: str, **attributes):
    def make(graph: Graph, step: Step, found: Bindings) -> Step:
        return Step(operator, step.name, (str(found["x"]),), step.outputs[:1], attributes)

    return make


def _clipped(inner: Tree) -> Tree:
    return made("Clip", inner, label="clip")


def _six(graph: Graph, found: Bindings) -> bool:
    clip = found["clip"]
    assert isinstance(clip, Step)
    low, high = clip_range(graph, clip)
    return low == 0.0 and high == 6.0


def clip_range(graph: Graph, clip: Step) -> tuple[float | None, float | None]:
    """A Clip's constant bounds: attributes until opset 10, inputs since."""
    low, high = clip.attributes.get("min"), clip.attributes.get("max")
    if len(clip.inputs) > 1 and clip.inputs[1]:
        low = scalar(graph, clip.inputs[1])
    if len(clip.inputs) > 2 and clip.inputs[2]:
        high = scalar(graph, clip.inputs[2])
    return low, high


def _if_six(operator: str):
    plain = _activation(operator)

    def make(graph: Graph, step: Step, found: Bindings) -> Step | None:
        return plain(graph, step, found) if _six(graph, found) else None

    return make


def _hard_swish(graph: Graph, step: Step, found: Bindings) -> Step | None:
    hard = found["hard"]
    assert isinstance(hard, Step)
    alpha, beta = hard.attributes.get("alpha", 0.2), hard.attributes.get("beta", 0.5)
    return (
        _activation("HardSwish")(graph, step, found) if abs(alpha - 1 / 6) < 1e-4 and abs(beta - 0.5) < 1e-6 else None
    )


# --- activations --------------------------------------------------------------------------------------------------

_SHIFTED = _clipped(made("Add", X, Number(3.0)))
_ERF = [made("Erf", made("Div", X, Number(math.sqrt(2.0)))), made("Erf", made("Mul", X, Number(math.sqrt(0.5))))]
_CUBES = [made("Pow", X, Number(3.0)), made("Mul", X, made("Mul", X, X))]
_TANH = [
    made("Tanh", made("Mul", Number(math.sqrt(2.0 / math.pi)), made("Add", X, made("Mul", Number(0.044715), cube))))
    for cube in _CUBES
]


def _gelu_forms(bell: Made) -> list[Made]:
    one = made("Add", bell, Number(1.0))
    return [
        made("Mul", made("Mul", X, one), Number(0.5)),
        made("Mul", made("Mul", X, Number(0.5)), one),
        made("Mul", X, made("Mul", one, Number(0.5))),
    ]


ACTIVATIONS: list[Rule] = [
    Rule(made("Mul", X, made("Sigmoid", X)), _activation("Silu")),
    Rule(made("Mul", X, made("HardSigmoid", X, label="hard")), _hard_swish),
    Rule(made("Mul", X, made("Tanh", made("Softplus", X))), _activation("Mish")),
    Rule(made("Div", made("Mul", X, _SHIFTED), Number(6.0)), _if_six("HardSwish")),
    Rule(made("Mul", made("Mul", X, _SHIFTED), Number(1 / 6)), _if_six("HardSwish")),
    Rule(made("Mul", X, made("Div", _SHIFTED, Number(6.0))), _if_six("HardSwish")),
    Rule(made("Mul", X, made("Mul", _SHIFTED, Number(1 / 6))), _if_six("HardSwish")),
    Rule(made("Div", _SHIFTED, Number(6.0)), _if_six("HardSigmoid6")),
    Rule(made("Mul", _SHIFTED, Number(1 / 6)), _if_six("HardSigmoid6")),
    *(Rule(form, _activation("Gelu")) for bell in _ERF for form in _gelu_forms(bell)),
    *(Rule(form, _activation("Gelu", approximate=b"tanh")) for bell in _TANH for form in _gelu_forms(bell)),
]


# --- normalisations -----------------------------------------------------------------------------------------------

_CENTRED = made("Sub", X, made("ReduceMean", X, label="mean"))
_VARIANCES = [
    made("ReduceMean", made("Pow", _CENTRED, Number(2.0)), label="variance"),
    made("ReduceMean", made("Mul", _CENTRED, _CENTRED), label="variance"),
]
_NORMALISED = [
    tree
    for variance in _VARIANCES
    for tree in (
        made("Div", _CENTRED, made("Sqrt", made("Add", variance, Const("epsilon")))),
        made("Mul", _CENTRED, made("Reciprocal", made("Sqrt", made("Add", variance, Const("epsilon"))))),
    )
]


def _axes(graph: Graph, step: Step) -> list[int] | None:
    if "axes" in step.attributes:
        return list(step.attributes["axes"])
    array = graph.constants.get(step.input(1))
    return None if array is None else [int(axis) for axis in array.ravel()]


def flattened(graph: Graph, name: str) -> str:
    """A constant's name once it is one row of numbers."""
    flat = f"{name} in a row"
    graph.constants[flat] = graph.constants[name].reshape(-1)
    graph.origins[flat] = graph.origins.get(name, name)
    return flat


def _layer_norm(graph: Graph, step: Step, found: Bindings) -> Step | None:
    """Normalisation over the last axis, or over the channels of images (then the scale is [C, 1, 1])."""
    mean, variance = found["mean"], found["variance"]
    assert isinstance(mean, Step)
    assert isinstance(variance, Step)
    epsilon = scalar(graph, str(found["epsilon"]))
    axes = _axes(graph, mean)
    if axes is None or len(axes) != 1 or axes != _axes(graph, variance) or epsilon is None:
        return None
    names = [str(found[key]) for key in ("scale", "bias") if key in found]
    arrays = [graph.constants[name] for name in names]
    if axes == [1] and all(array.shape[-3:] == (array.size, 1, 1) for array in arrays):
        names = [flattened(graph, name) for name in names]
    elif axes[0] not in (-1, 2, 3) or any(array.ndim != 1 for array in arrays):
        return None
    attributes = {"axis": 1 if axes == [1] else -1, "epsilon": epsilon, "only": 1}
    return Step("LayerNormalization", step.name, (str(found["x"]), *names), step.outputs[:1], attributes)


def _group_norm(graph: Graph, step: Step, found: Bindings) -> Step | None:
    """torch's GroupNorm leaves Reshape [N, groups, -1], InstanceNormalization by ones, Reshape back, Mul, Add."""
    inner = found["instance"]
    assert isinstance(inner, Step)
    ones, zeros = graph.constants[str(found["ones"])], graph.constants[str(found["zeros"])]
    scale, bias = graph.constants[str(found["scale"])], graph.constants[str(found["bias"])]
    if not (np.all(ones == 1) and np.all(zeros == 0)) or any(a.shape[-3:] != (scale.size, 1, 1) for a in (scale, bias)):
        return None
    attributes = {"num_groups": int(ones.size), "epsilon": float(inner.attributes.get("epsilon", 1e-5))}
    names = [flattened(graph, str(found[key])) for key in ("scale", "bias")]
    return Step("GroupNormalization", step.name, (str(found["x"]), *names), step.outputs[:1], attributes)


def _response_norm(graph: Graph, step: Step, found: Bindings) -> Step | None:
    """Our own export spells it out: channels as rows, pooled, and the power by roots where it is three quarters."""
    pool, rows = found["pool"], graph.constants[str(found["rows"])]
    assert isinstance(pool, Step)
    size, _ = pool.attributes.get("kernel_shape", (0, 0))
    plain = {"kernel_shape": [size, 1], "strides": [1, 1], "pads": [size // 2, 0, size // 2, 0], "count_include_pad": 1}
    numbers = [scalar(graph, str(found[key])) for key in ("alpha", "k") if key in found]
    beta = scalar(graph, str(found["beta"])) if "beta" in found else 0.75
    if any(list(pool.attributes.get(key, ())) != value for key, value in plain.items() if isinstance(value, list)):
        return None
    if pool.attributes.get("count_include_pad") != 1 or None in (*numbers, beta) or rows.ravel().tolist()[:2] != [0, 1]:
        return None
    attributes = {"size": size, "alpha": numbers[0], "bias": numbers[1], "beta": beta}
    return Step("LRN", step.name, (str(found["x"]),), step.outputs[:1], attributes)


_POOLED = made("AveragePool", made("Reshape", made("Mul", X, X), Const("rows")), label="pool")
_BASE = made("Add", made("Mul", made("Reshape", _POOLED, Const("back")), Const("alpha")), Const("k"))
_POWERS = [made("Mul", made("Sqrt", _BASE), made("Sqrt", made("Sqrt", _BASE))), made("Pow", _BASE, Const("beta"))]

_INSTANCE = made(
    "Reshape",
    made("InstanceNormalization", made("Reshape", X, Any_("to")), Const("ones"), Const("zeros"), label="instance"),
    Any_("back"),
)

NORMALISATIONS: list[Rule] = [
    *(Rule(made("Add", made("Mul", tree, Const("scale")), Const("bias")), _layer_norm) for tree in _NORMALISED),
    *(Rule(made("Mul", tree, Const("scale")), _layer_norm) for tree in _NORMALISED),
    Rule(made("Add", made("Mul", _INSTANCE, Const("scale")), Const("bias")), _group_norm),
    *(Rule(made("Div", X, power), _response_norm) for power in _POWERS),
]


# --- layers in two steps ------------------------------------------------------------------------------------------


def _linear(graph: Graph, step: Step, found: Bindings) -> Step | None:
    weight, bias = graph.constants[str(found["weight"])], graph.constants[str(found["bias"])]
    if weight.ndim != 2 or bias.size != weight.shape[1] or bias.shape[-1:] != (weight.shape[1],):
        return None
    inner = found["matmul"]
    assert isinstance(inner, Step)
    names = (str(found["x"]), str(found["weight"]), str(found["bias"]))
    return Step("Linear", inner.name, names, step.outputs[:1])


def _biased_convolution(graph: Graph, step: Step, found: Bindings) -> Step | None:
    inner = found["convolution"]
    assert isinstance(inner, Step)
    bias = graph.constants[str(found["bias"])]
    weight = graph.constants.get(inner.input(1))
    if inner.input(2) or weight is None or weight.ndim != 4:
        return None
    if bias.shape not in ((1, weight.shape[0], 1, 1), (weight.shape[0], 1, 1)):
        return None
    names = (*inner.inputs[:2], flattened(graph, str(found["bias"])))
    return Step("Conv", inner.name, names, step.outputs[:1], inner.attributes)


def _padded(graph: Graph, step: Step, found: Bindings) -> Step | None:
    """A zero Pad goes into the convolution or average pooling behind it, when it only widens the image evenly."""
    pad = found["pad"]
    assert isinstance(pad, Step)
    amounts, value = pad_amounts(graph, pad)
    mode = pad.attributes.get("mode", b"constant")
    if amounts is None or mode != b"constant" or value != 0.0 or len(amounts) != 8 or min(amounts) < 0:
        return None
    if any(amounts[k] for k in (0, 1, 4, 5)) or amounts[2] != amounts[6] or amounts[3] != amounts[7]:
        return None
    attributes = dict(step.attributes)
    if attributes.pop("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return None
    own = attributes.get("pads", [0, 0, 0, 0])
    if step.operator == "AveragePool":
        if any(own):
            return None
        attributes["count_include_pad"] = 1
    attributes["pads"] = [own[0] + amounts[2], own[1] + amounts[3], own[2] + amounts[6], own[3] + amounts[7]]
    return Step(step.operator, step.name, (str(found["x"]), *step.inputs[1:]), step.outputs, attributes)


def pad_amounts(graph: Graph, pad: Step) -> tuple[list[int] | None, float | None]:
    """A Pad's amounts (befores, then afters) and its value: attributes until opset 10, inputs since."""
    if "pads" in pad.attributes:
        return list(pad.attributes["pads"]), float(pad.attributes.get("value", 0.0))
    array = graph.constants.get(pad.input(1))
    if array is None or pad.input(3):
        return None, None
    value = scalar(graph, pad.input(2)) if pad.input(2) else 0.0
    return [int(amount) for amount in array.ravel()], value


LAYERS: list[Rule] = [
    Rule(made("Add", made("MatMul", X, Const("weight"), label="matmul"), Const("bias")), _linear),
    Rule(made("Add", made("Conv", X, Any_("weight"), label="convolution"), Const("bias")), _biased_convolution),
    Rule(made("Conv", made("Pad", X, label="pad")), _padded),
    Rule(made("AveragePool", made("Pad", X, label="pad")), _padded),
]


def restore_idioms(graph: Graph) -> None:
    """Rewrite every known idiom in place."""
    rewrite(graph, ACTIVATIONS)
    rewrite(graph, NORMALISATIONS)
    rewrite(graph, LAYERS)
