"""The importer's own view of an ONNX graph: steps in order, constants, and who uses what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evolution_core.spec import NetworkError


def shown(name: str | bytes) -> str:
    """A name out of a stranger's file, fit for a sentence: printable and short."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return repr(text if len(text) <= 80 else text[:77] + "...")


@dataclass(frozen=True)
class Input:
    """The image input. `batch` is the exported one, 0 where it is open; `shape` is (channels, height, width)."""

    name: str
    shape: tuple[int, int, int]
    channels_last: bool
    batch: int
    dtype: str


# What leaves a constant the same tensor to a person: its name is worth keeping.
MOVERS = frozenset(
    ("Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze")
)


@dataclass(frozen=True)
class Step:
    """One ONNX node. An absent optional input has the name ''."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)

    def input(self, index: int) -> str:
        return self.inputs[index] if index < len(self.inputs) else ""

    def __str__(self) -> str:
        return f"{shown(self.operator)[1:-1]} (node {shown(self.name)})"


def refuse(step: Step, sentence: str) -> NetworkError:
    """The refusal of one node, by its operator and name: `raise refuse(step, "needs constant weights")`."""
    return NetworkError(f"{step} {sentence}")


class Graph:
    """Steps in topological order and constants by name. Rewriting makes new steps; nothing is changed in place."""

    def __init__(self, steps: list[Step], constants: dict[str, np.ndarray], outputs: list[str], opset: int):
        self.constants = constants
        self.outputs = outputs
        self.opset = opset
        self.steps = steps
        self.folded = 0  # numbers in all constants that were worked out, kept or not
        self.origins: dict[str, str] = {}  # a constant that was moved about -> the name it had in the file
        self._index()

    def _index(self) -> None:
        self.producers = {name: step for step in self.steps for name in step.outputs if name}

    def producer(self, name: str, *operators: str) -> Step | None:
        """The step that makes `name`, if it is one of `operators` (any when none is given)."""
        step = self.producers.get(name)
        return step if step is not None and (not operators or step.operator in operators) else None

    def users(self, name: str) -> Iterator[Step]:
        return (step for step in self.steps if name in step.inputs)

    def replace_steps(self, changes: dict[int, Step]) -> None:
        """Put new steps (by position) in the place of old ones, then drop whatever nothing needs any more."""
        self.steps = [changes.get(position, step) for position, step in enumerate(self.steps)]
        self._index()
        self.drop_unused()

    def rename(self, old: str, new: str) -> None:
        """Let every user of `old` use `new`."""
        self.steps = [
            replace(step, inputs=tuple(new if name == old else name for name in step.inputs))
            if old in step.inputs
            else step
            for step in self.steps
        ]
        self.outputs = [new if name == old else name for name in self.outputs]
        self._index()

    def drop_unused(self) -> None:
        needed = set(self.outputs)
        kept = []
        for step in reversed(self.steps):
            if any(name in needed for name in step.outputs):
                kept.append(step)
                needed.update(step.inputs)
        self.steps = kept[::-1]
        self.constants = {name: array for name, array in self.constants.items() if name in needed}
        self._index()
