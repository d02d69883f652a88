"""Rules for products of activations with each other: attention and other contractions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .flows import Call, Flow, rule
from .joining_rules import join
from .layer_rules import protect_all


def contract(call: Call, left: Flow, right: Flow) -> object:
    """left [..., i, k] times right [..., k, j]: what is summed over must be the same clusters on both sides."""
    ledger = call.ledger
    if left.shape[-1:] == () or left.labels.ndim < 2 or right.labels.ndim < 2:
        return protect_all(call, "it is multiplied as a vector")
    dims = (left.labels.ndim - 1, right.labels.ndim - 2)
    if dims[0] in ledger.varying(left.labels) or dims[1] in ledger.varying(right.labels):
        return _contract_channels(call, left, right)
    shape = call.value.shape
    positions = math.prod(shape) * left.shape[-1] // shape[0]
    carried = [(left, left.labels.ndim - 2), (right, right.labels.ndim - 1)]
    moving = [(flow, dim) for flow, dim in carried if dim in ledger.varying(flow.labels)]
    for flow, _ in carried:
        if len(moving) != 1 or flow is not moving[0][0]:
            ledger.protect(flow.labels, "it is multiplied with other activations")
    if len(moving) != 1:
        call.trace.contractions.append((torch.zeros(1, dtype=torch.long), positions))
        return call.fixed()
    flow, dim = moving[0]
    vector = _vector(flow.labels, dim)
    call.trace.contractions.append((vector, positions // vector.shape[0]))
    summed = -1 if flow is left else -2
    return Flow(flow.labels.narrow(summed, 0, 1).expand(shape), flow.clean)


def _contract_channels(call: Call, left: Flow, right: Flow) -> object:
    ledger = call.ledger
    first, second = ledger.along(left.labels, -1), ledger.along(right.labels, -2)
    if not (left.clean or right.clean):
        ledger.protect(first, "dead channels would still count in a product of activations")
        ledger.protect(second, "dead channels would still count in a product of activations")
    ledger.unite(first, second)
    shape = call.value.shape
    call.trace.contractions.append((first, math.prod(shape) // shape[0]))
    return call.fixed()


def _vector(labels: Tensor, dim: int) -> Tensor:
    """The labels along one dimension, at the start of all others."""
    for other in range(labels.ndim):
        if other != dim:
            labels = labels.narrow(other, 0, 1)
    return labels.flatten()


@rule("attention", "scaled_dot_product_attention")
def attention(call: Call) -> object:
    """softmax(q k^T / sqrt(E)) v: q and k [..., L, E] lose the same channels, v [..., S, Ev] its own."""
    ledger = call.ledger
    query, key, value = call.arg(0, "query"), call.arg(1, "key"), call.arg(2, "value")
    mask = call.arg(3, "attn_mask")
    if call.kwargs.get("enable_gqa") or not all(isinstance(part, Flow) for part in (query, key, value)):
        return protect_all(call, "it meets an operation that is not understood")
    if isinstance(mask, Flow):
        ledger.protect(mask.labels, "it is an attention mask")
    first, second = ledger.along(query.labels, -1), ledger.along(key.labels, -1)
    ledger.unite(first, second)
    if not (query.clean or key.clean):
        ledger.protect(first, "dead channels would still count in a product of activations")
    base = ledger.over(value.labels, (value.labels.ndim - 2,))
    shape = call.value.shape
    tokens, heads = key.shape[-2], math.prod(shape[1:-2])
    call.trace.contractions.append((first, heads * shape[-2] * tokens))
    call.trace.contractions.append((_vector(base, base.ndim - 1), heads * shape[-2] * tokens))
    return Flow(base.expand(shape), value.clean)


@rule("attention", "einsum")
def einsum(call: Call) -> object:
    """Two activations by letters: what is summed over must be the same clusters on both sides; what is kept is carried
    to its place in the result."""
    equation, flows = call.args[0], call.flows()
    letters = _letters(equation) if isinstance(equation, str) else None
    if letters is None or len(flows) != 2 or any(flow.parameter is not None for flow in flows):
        return protect_all(call, "it meets an operation that is not understood")
    *inputs, output = letters
    ledger, shape = call.ledger, call.value.shape
    moving = [{word[d] for d in ledger.varying(flow.labels)} for word, flow in zip(inputs, flows, strict=True)]
    summed = [letter for letter in inputs[0] if letter in inputs[1] and letter not in output]
    sizes = {
        letter: size
        for word, flow in zip(inputs, flows, strict=True)
        for letter, size in zip(word, flow.shape, strict=True)
    }
    positions = math.prod(sizes.values()) // shape[0]
    lost = (moving[0] | moving[1]) - set(output)
    if lost:
        if len(lost) > 1 or not lost <= set(summed):
            return protect_all(call, "its channels are summed over")
        (letter,) = lost
        vectors = [ledger.along(flow.labels, word.index(letter)) for word, flow in zip(inputs, flows, strict=True)]
        if not any(flow.clean for flow in flows):
            ledger.protect(vectors[0], "dead channels would still count in a product of activations")
            ledger.protect(vectors[1], "dead channels would still count in a product of activations")
        ledger.unite(*vectors)
        call.trace.contractions.append((vectors[0], positions // sizes[letter]))
        return call.fixed()
    carried = []
    for word, flow in zip(inputs, flows, strict=True):
        labels = flow.labels
        for dim in reversed(range(len(word))):
            if word[dim] not in output:
                labels = labels.select(dim, 0)
        kept = [letter for letter in word if letter in output]
        labels = labels.permute([kept.index(letter) for letter in output if letter in kept])
        for place, letter in enumerate(output):
            if letter not in kept:
                labels = labels.unsqueeze(place)
        carried.append(Flow(labels, flow.clean))
    labels = join(ledger, carried)
    dims = ledger.varying(labels)
    vector = _vector(labels, dims[0]) if len(dims) == 1 else torch.zeros(1, dtype=torch.long)
    call.trace.contractions.append((vector, positions // vector.shape[0]))
    return Flow(labels.expand(shape), any(flow.clean and not flow.is_free for flow in flows))


def _letters(equation: str) -> list[str] | None:
    """The words of "ab,bc->ac"; None where one is implicit, repeats a letter or has dots."""
    sides = equation.replace(" ", "").split("->")
    words = [*sides[0].split(","), sides[-1]]
    plain = len(sides) == 2 and all(word.isalpha() and len(set(word)) == len(word) for word in words)
    return words if plain and set(sides[1]) <= set(sides[0]) else None
