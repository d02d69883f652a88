"""The proof after surgery: the parent with the dead silenced must compute what its offspring computes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evolution_core.architectures.layers import LocalResponseNorm
from evolution_core.genome.clusters import ClusterMap
from evolution_core.genome.graph import with_stand_ins

from .surgery import silence

TOLERANCE = 1e-4  # of the largest output


@dataclass(frozen=True)
class Proof:
    """Whether parent and offspring agree. `difference` and `tolerance` are in the outputs' own units.

    lrn_effect: with local response normalisation at work, the largest difference as a share of the largest output;
    None where the network has none. reason: one sentence when not ok.
    """

    ok: bool
    difference: float
    tolerance: float
    lrn_effect: float | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def prove(
    parent: nn.Module,
    offspring: nn.Module,
    clusters: ClusterMap,
    alive: Tensor,
    example: Tensor,
    *,
    samples: int = 4,
    seed: int = 0,
) -> Proof:
    """Compare both on `samples` random inputs shaped like `example` [N, ...], in evaluation mode.

    Local response normalisation mixes neighbouring channels, so that it changes a little by nature when one goes: the
    proof is made with it bypassed on both sides, and its effect is measured apart. Neither network is changed.
    """
    silenced = with_stand_ins(copy.deepcopy(parent), clusters.graph, clusters.stand_ins)
    silence(silenced, clusters, ~alive)
    generator = torch.Generator().manual_seed(seed)
    shape = (example.shape[0] if _one_batch_only(clusters, example) else samples, *example.shape[1:])
    inputs = torch.randn(shape, generator=generator, dtype=example.dtype).to(device_of(parent))
    with evaluating(silenced), evaluating(offspring), torch.no_grad():
        with lrn_bypassed(silenced) as found, lrn_bypassed(offspring):
            expected, got = _outputs(silenced(inputs)), _outputs(offspring(inputs))
        effect = None
        if found:
            effect = _relative(_outputs(silenced(inputs)), _outputs(offspring(inputs)))
    return _verdict(expected, got, effect)


def _verdict(expected: list[Tensor], got: list[Tensor], effect: float | None) -> Proof:
    if [part.shape for part in expected] != [part.shape for part in got]:
        return Proof(False, float("inf"), 0.0, effect, "the offspring's outputs have another shape than its parent's")
    if not all(bool(torch.isfinite(part).all()) for part in (*expected, *got)):
        return Proof(False, float("inf"), 0.0, effect, "outputs are not finite: the network has diverged")
    scale = max([float(part.abs().max()) for part in expected if part.numel()], default=0.0)
    tolerance = max(TOLERANCE * scale, 1e-12)
    difference = max([float((e - g).abs().max()) for e, g in zip(expected, got, strict=True) if e.numel()], default=0.0)
    if difference <= tolerance:
        return Proof(True, difference, tolerance, effect)
    reason = f"parent and offspring differ by {difference:.3g} where {tolerance:.3g} is allowed"
    return Proof(False, difference, tolerance, effect, reason)


def _one_batch_only(clusters: ClusterMap, example: Tensor) -> bool:
    """Whether the network only runs on the batch size that it was traced with."""
    first = next(clusters.values[node.name] for node in clusters.graph.nodes if node.op == "placeholder")
    return first.shape[0] == example.shape[0] != 2


def _relative(expected: list[Tensor], got: list[Tensor]) -> float:
    scale = max([float(part.abs().max()) for part in expected if part.numel()], default=0.0)
    difference = max([float((e - g).abs().max()) for e, g in zip(expected, got, strict=True) if e.numel()], default=0.0)
    return difference / scale if scale > 0 else 0.0


def _outputs(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [part for each in value for part in _outputs(each)] if isinstance(value, (tuple, list)) else []


def device_of(model: nn.Module) -> torch.device:
    """Where a model's numbers are."""
    return next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode within, every module's own mode after."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def lrn_bypassed(model: nn.Module) -> Iterator[bool]:
    """Local response normalisation hands its input on within; yields whether there is any."""
    own = [m for m in model.modules() if isinstance(m, LocalResponseNorm)]
    torchs = [m for m in model.modules() if isinstance(m, (nn.LocalResponseNorm, nn.CrossMapLRN2d))]
    before = [module.bypass for module in own]
    hooks = [module.register_forward_hook(lambda module, inputs, output: inputs[0]) for module in torchs]
    for module in own:
        module.bypass = True
    try:
        yield bool(own or torchs)
    finally:
        for module, value in zip(own, before, strict=True):
            module.bypass = value
        for hook in hooks:
            hook.remove()
