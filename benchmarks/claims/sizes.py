"""Size and speed of a synthesis without any training: how fast a network runs does not depend on what it has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from evolution_core.architectures import build
from evolution_core.export import export_onnx
from evolution_core.genome import cluster_probability, trace_clusters
from evolution_core.measurement import latency_ms
from evolution_core.measurement.counts import count_bytes, count_parameters, walk
from evolution_core.measurement.layer_times import layer_milliseconds
from evolution_core.records import NetworkRecord
from evolution_core.seeds import generator
from evolution_core.spec import RunSpec
from evolution_core.synthesis import cut, draw_offspring, prove

from . import results
from .declared import Arm, Claim
from .places import WORK

SECONDS, ROUNDS = 10.0, 60  # of work, in bursts in turns, for one pair of networks


def cut_only(
    claim: Claim, arm: Arm, spec: RunSpec, folder: Path, tell: Any, *, reference: Any = None, work: Path = WORK
) -> dict[str, Any]:
    """Draw one offspring from a newborn base network, cut it, prove the cut, and time both in ONNX Runtime in turns,
    then each layer's share of that.
    options: `classes` and `shape` [C, H, W]; a detector's boxes are not decoded."""
    classes, shape = arm.options["classes"], tuple(arm.options["shape"])
    parent = build(spec, classes, shape).eval()
    clusters = trace_clusters(parent, torch.zeros(2, *shape))
    chances = cluster_probability(parent, clusters, spec)
    alive = draw_offspring(clusters, chances, spec, spec.generations, generator(spec.seed, "draw", "1-1")).alive
    child = cut(parent, clusters, alive).eval()
    proof = prove(parent, child, clusters, alive, torch.zeros(1, *shape), samples=1, seed=spec.seed)
    tell(f"{count_parameters(child):,} of {count_parameters(parent):,} parameters; proof {proof.ok}")
    files = {"child": export_onnx(child, shape), "parent": export_onnx(parent, shape)}
    times = latency_ms(files, rounds=ROUNDS, seconds=SECONDS)
    tell(f"{times['parent']:.1f} -> {times['child']:.1f} ms")
    taken = {
        name: layer_milliseconds(files[name], [row["layer"] for row in walk(model, shape).rows if row["macs"]])
        for name, model in (("parent", parent), ("child", child))
    }
    ancestor = _record("ancestor", parent, shape, clusters.counts(), times["parent"], times["parent"])
    own = _record("1-1", child, shape, clusters.counts(alive), times["child"], times["parent"])
    return {
        "about_data": {"task": "none: newborn weights, no training, no accuracy", "shape": list(shape)},
        "epochs": 0.0,
        "seconds": 0.0,
        "metric": None,
        "proof": {"ok": proof.ok, "difference": proof.difference, "tolerance": proof.tolerance},
        "ancestor": results.network(ancestor, ancestor) | {"time_shares": _shares(taken["parent"])},
        "generations": [],
        "networks": [],
        "chosen": results.network(own, ancestor) | {"time_shares": _shares(taken["child"])},
    }


def _shares(milliseconds: dict[str, float]) -> dict[str, float]:
    whole = sum(milliseconds.values())
    return {layer: round(taken / whole, 4) for layer, taken in milliseconds.items()} if whole else {}


def _record(
    name: str, model: torch.nn.Module, shape: tuple[int, ...], counts: dict[str, int], own: float, ancestor: float
) -> NetworkRecord:
    found, parameters = walk(model, shape), count_parameters(model)
    return NetworkRecord(
        name,
        0,
        metric="none",
        parameters=parameters,
        living_synapses=parameters,
        macs=found.macs,
        bytes=count_bytes(model),
        clusters=counts,
        layers=found.rows,
        latency_ms=round(own, 4),
        ancestor_latency_ms=round(ancestor, 4),
    )
