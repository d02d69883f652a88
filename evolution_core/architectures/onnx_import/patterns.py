"""Finding again what an exporter took apart: an activation or a normalisation spelled out in small steps.

A pattern is a tree; :func:`match` walks it back from the step that makes the last value. Commutative
operators match either way round. A found tree becomes one step, and what only it used disappears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .graph import Graph, Step

COMMUTATIVE = {"Add", "Mul"}


@dataclass(frozen=True)
class Any_:
    """Any value; the same name must mean the same value everywhere in the tree."""

    name: str


@dataclass(frozen=True)
class Number:
    """A constant that holds this one number (within a relative 1e-3; exporters round)."""

    value: float


@dataclass(frozen=True)
class Const:
    """Any constant."""

    name: str


@dataclass(frozen=True)
class Made:
    """A step of this operator over these inputs (only as many as are named are looked at)."""

    operator: str
    inputs: tuple[Tree, ...]
    label: str = ""


Tree = Any_ | Number | Const | Made
Bindings = dict[str, object]


def made(operator: str, *inputs: Tree, label: str = "") -> Made:
    return Made(operator, inputs, label)


def scalar(graph: Graph, name: str) -> float | None:
    """The one number that a constant holds, or None."""
    array = graph.constants.get(name)
    if array is None or array.size == 0 or array.dtype.kind not in "fiu":
        return None
    first = float(array.ravel()[0])
    return first if array.size == 1 or bool(np.all(array == array.ravel()[0])) else None


def match(graph: Graph, tree: Tree, name: str, found: Bindings) -> Iterator[Bindings]:
    """Every way to read the value `name` as `tree`; bindings map names to values and labels to steps."""
    if isinstance(tree, Any_):
        if found.get(tree.name, name) == name:
            yield {**found, tree.name: name}
    elif isinstance(tree, Number):
        value = scalar(graph, name)
        if value is not None and abs(value - tree.value) <= 1e-3 * max(abs(tree.value), 1e-3):
            yield found
    elif isinstance(tree, Const):
        if name in graph.constants and found.get(tree.name, name) == name:
            yield {**found, tree.name: name}
    else:
        step = graph.producer(name, tree.operator)
        if step is None or len(step.inputs) < len(tree.inputs):
            return
        if tree.label:
            found = {**found, tree.label: step}
        yield from _match_inputs(graph, tree.inputs, step.inputs, found)
        if tree.operator in COMMUTATIVE and len(tree.inputs) == 2:
            yield from _match_inputs(graph, tree.inputs[::-1], step.inputs, found)


def _match_inputs(graph: Graph, trees: tuple[Tree, ...], names: tuple[str, ...], found: Bindings) -> Iterator[Bindings]:
    if not trees:
        yield found
        return
    for bindings in match(graph, trees[0], names[0], found):
        yield from _match_inputs(graph, trees[1:], names[1:], bindings)


@dataclass(frozen=True)
class Rule:
    """A tree, and what it becomes: the maker returns the new step, or None when the details do not fit."""

    tree: Made
    make: Callable[[Graph, Step, Bindings], Step | None]


def rewrite(graph: Graph, rules: list[Rule]) -> None:
    """Apply every rule once over the graph, in order: earlier rules see the graph first."""
    for rule in rules:
        changes: dict[int, Step] = {}
        for position, step in enumerate(graph.steps):
            if step.operator != rule.tree.operator or not step.outputs:
                continue
            for bindings in match(graph, rule.tree, step.outputs[0], {}):
                new = rule.make(graph, step, bindings)
                if new is not None:
                    changes[position] = new
                    break
        if changes:
            graph.replace_steps(changes)
