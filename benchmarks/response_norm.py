"""Claim: local response normalisation by shifted slices gives torch's numbers, and AlexNet trains faster with it.

    python benchmarks/response_norm.py [--repeats 15] [--results FILE.json]

One training step (forward and backward, batch 32) of AlexNet for small images, with torch's layer and with ours in
turns; and the layer alone on its first activation. Medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from evolution_core.architectures import LocalResponseNorm, build

BATCH = 32


def with_torchs_norm(model: nn.Module) -> nn.Module:
    for name, module in list(model.named_children()):
        if isinstance(module, LocalResponseNorm):
            setattr(model, name, nn.LocalResponseNorm(module.size, module.alpha, module.beta, module.k))
    return model


def step(model: nn.Module, images: torch.Tensor) -> Callable[[], None]:
    def work() -> None:
        model.zero_grad(set_to_none=True)
        model(images).square().mean().backward()

    return work


def in_turns(works: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median seconds of each, after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--results", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.randn(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    activation = torch.randn(BATCH, 96, 32, 32, generator=torch.Generator().manual_seed(2), requires_grad=True)
    layers = {"torch": nn.LocalResponseNorm(5), "ours": LocalResponseNorm(5)}
    models = {
        "torch": with_torchs_norm(build("alexnet-small", 10, (3, 32, 32))),
        "ours": build("alexnet-small", 10, (3, 32, 32)),
    }
    alone = in_turns(
        {name: (lambda layer=layer: layer(activation).sum().backward()) for name, layer in layers.items()},
        options.repeats,
    )
    whole = in_turns({name: step(model, images) for name, model in models.items()}, options.repeats)
    with torch.no_grad():
        difference = float((layers["torch"](activation) - layers["ours"](activation)).abs().max())
    result = {
        "claim": "the shifted-sum LRN is exact and faster than torch's",
        "largest_difference": difference,
        "layer_ms": {name: round(1000 * seconds, 2) for name, seconds in alone.items()},
        "layer_times_faster": round(alone["torch"] / alone["ours"], 2),
        "training_images_per_second": {name: round(BATCH / seconds, 1) for name, seconds in whole.items()},
        "training_times_faster": round(whole["torch"] / whole["ours"], 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one used",
        "n": options.repeats,
    }
    print(json.dumps(result, indent=1))
    if options.results:
        options.results.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
