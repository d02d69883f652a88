"""Operator name -> builder. A builder emits what one ONNX step means and returns its value (or several)."""

from __future__ import annotations

from collections.abc import Callable

from ..emission import Emission, Value
from ..graph import Step

Builder = Callable[[Emission, Step], Value | tuple[Value, ...]]

_builders: dict[str, Builder] = {}


def operator(*names: str) -> Callable[[Builder], Builder]:
    """Decorator: the builder of these ONNX operators. Raises ValueError on a name taken twice."""

    def bind(builder: Builder) -> Builder:
        for name in names:
            if name in _builders:
                raise ValueError(f"the operator {name!r} is registered twice")
            _builders[name] = builder
        return builder

    return bind


def builder(name: str) -> Builder | None:
    return _builders.get(name)


def supported() -> frozenset[str]:
    """Every operator that can be built over an image's values."""
    return frozenset(_builders)
