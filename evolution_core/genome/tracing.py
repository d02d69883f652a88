"""Label tracing: find the synaptic clusters of any network by running its graph on labels instead of numbers.

Our formalisation. Operations that only move elements are executed on the labels, so nothing about them can be wrong;
layers make labels and record whose they read; joins unite labels; what is not known protects what flows into it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx, nn

from evolution_core.spec import NetworkError

from . import channel_rules, joining_rules, layer_rules, moving_rules, product_rules  # noqa: F401  (they register)
from .assembling import assemble
from .clusters import ClusterMap
from .flows import RULES, Call, Flow, Trace, canonical_name, fixed, flows_in
from .graph import attribute, canonical_names, graph_of, run_values

META = "eustress.clusters"  # where a network made by surgery carries its map


def trace_clusters(model: nn.Module, example: Tensor) -> ClusterMap:
    """The model's clusters. `example` is an input [N, C, H, W] (any N, any numbers) on the CPU.

    The model is neither changed nor trained; its mode stays. A network made by `cut` carries its map with it, derived
    from its parent's, so that clusters keep their identity through generations. Raises NetworkError where torch.fx
    cannot follow the network or it does not run on the example.
    """
    known = getattr(model, "meta", {}).get(META) if isinstance(model, fx.GraphModule) else None
    if known is not None:
        return known
    graph, stand_ins = graph_of(model)
    values = _values(model, graph, stand_ins, example)
    trace = Trace(model, stand_ins, values, canonical_names(model))
    for node in graph.nodes:
        trace.flows[node.name] = _visit(trace, node)
    if any(_is_number_in_use(trace, node) for node in graph.nodes):
        trace.batch_dependent = _batch_dependent(model, graph, stand_ins, example, values)
    return assemble(trace, graph)


def _batch_dependent(
    model: nn.Module, graph: fx.Graph, stand_ins: dict[str, nn.Module], example: Tensor, values: dict[str, Any]
) -> set[str]:
    """Nodes whose number is another one for three images; all of them where three cannot be run."""
    plain = {name for name, value in values.items() if _is_plain(value)}
    try:
        other = run_values(model, graph, stand_ins, _batch(example, 3))
    except NetworkError:
        return plain
    return {name for name in plain if other[name] != values[name]}


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float))


def _is_number_in_use(trace: Trace, node: fx.Node) -> bool:
    """Whether arithmetic on activations uses a number that was asked of a tensor's shape (which may be the batch's)."""
    return _is_plain(trace.values[node.name]) and any(
        not _is_plain(trace.values[user.name]) and trace.kinds.get(user.name) not in ("mover", "source", "reduction")
        for user in node.users
    )


def _values(model: nn.Module, graph: fx.Graph, stand_ins: dict[str, nn.Module], example: Tensor) -> dict[str, Any]:
    """Values for a batch of two (so that no dimension of the batch is mistaken for a single channel), or as given."""
    try:
        return run_values(model, graph, stand_ins, _batch(example, 2))
    except NetworkError:  # a network that was exported for one batch size only
        return run_values(model, graph, stand_ins, example)


def _batch(example: Tensor, count: int) -> Tensor:
    return example[:1].expand(count, *example.shape[1:])


def _visit(trace: Trace, node: fx.Node) -> Any:
    value = trace.values[node.name]
    if node.op == "placeholder":
        return fixed(value)
    if node.op == "get_attr":
        found = attribute(trace.model, str(node.target)) if not _is_stand_in(trace, node) else None
        return trace.source(str(node.target)) if isinstance(found, Tensor) else fixed(value)
    args, kwargs = _resolved(trace, node.args), _resolved(trace, node.kwargs)
    if node.op == "output":
        for flow in flows_in(args):
            trace.ledger.protect(flow.labels, "it is an output of the network")
        return None
    module = None
    if node.op == "call_module":
        module = trace.stand_ins.get(str(node.target)) or attribute(trace.model, str(node.target))
    name = canonical_name(node, module)
    if name in ("getitem", "__getitem__") and not isinstance(args[0], Flow):
        return value if not flows_in(args[0]) else args[0][args[1]]
    call = Call(trace, node, name or str(node.target), args, kwargs, module, value)
    if not call.flows():
        if name in RULES and RULES[name][0] == "source":
            trace.kinds[node.name] = "source"
            return RULES[name][1](call)
        return fixed(value)
    return _apply(trace, call, name)


def _apply(trace: Trace, call: Call, name: str | None) -> Any:
    kind, function = RULES.get(name or "", ("unknown", _unknown))
    trace.kinds[call.node.name] = kind
    try:
        result = function(call)
    except NetworkError:
        raise
    except Exception:  # an unusual form of a known operation: safe is to protect
        result = None
    if result is None or not _fits(result, call.value):
        trace.kinds[call.node.name] = "unknown"
        return _unknown(call)
    return result


def _unknown(call: Call) -> Any:
    """Protect what flows in, and what a rule may already have recorded against the call's own parameters."""
    reason = f"it flows into {call.name}, which is not understood"
    for flow in call.flows():
        call.ledger.protect(flow.labels, reason)
    for name, axes in call.ledger.owners.items():
        if call.module is not None and name.startswith(f"{call.node.target}."):
            for labels in axes.values():
                call.ledger.protect(labels, reason)
        for flow in call.flows():
            if flow.parameter == name:
                for labels in axes.values():
                    call.ledger.protect(labels, reason)
    return call.fixed()


def _fits(result: Any, value: Any) -> bool:
    """Whether a rule's result has the shapes that the operation really gave."""
    if isinstance(result, Flow):
        return getattr(value, "shape", None) == tuple(result.shape)
    if isinstance(result, (tuple, list)) and isinstance(value, (tuple, list)):
        return len(result) == len(value) and all(_fits(r, v) for r, v in zip(result, value, strict=True))
    return not hasattr(value, "meta")


def _resolved(trace: Trace, value: Any) -> Any:
    if isinstance(value, fx.Node):
        return trace.flows[value.name]
    if isinstance(value, tuple):
        return tuple(_resolved(trace, part) for part in value)
    if isinstance(value, list):
        return [_resolved(trace, part) for part in value]
    if isinstance(value, dict):
        return {key: _resolved(trace, part) for key, part in value.items()}
    if isinstance(value, slice):
        return slice(*(_resolved(trace, part) for part in (value.start, value.stop, value.step)))
    return value


def _is_stand_in(trace: Trace, node: fx.Node) -> bool:
    return str(node.target).split(".")[0] in trace.stand_ins
