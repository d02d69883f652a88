"""How many steps a phase has, and the learning rate at each."""

from __future__ import annotations

import math

WARM_UP = 0.05  # share of a phase's steps
LONGEST_WARM_UP = 200  # steps
FLOOR = 0.01  # of the peak, at the last step


def step_count(per_epoch: int, epochs: float) -> int:
    """Steps in `epochs` passes (a fraction is allowed) of `per_epoch` steps each; at least one if epochs is above 0."""
    return max(1, round(epochs * per_epoch)) if epochs > 0 else 0


def rate(step: int, steps: int) -> float:
    """The learning rate at `step` (0-based) as a share of its peak: linear warm-up, then a half cosine.

    Every phase (the ancestor's life, gestation, growth) has a schedule of its own: the optimizer starts without
    momentum after a cut, so a warm-up is due again, and a phase that ends at a low rate hands on a settled network
    to be measured (Loshchilov & Hutter 2017, arXiv 1608.03983, restarts).
    """
    warm = min(max(1, round(WARM_UP * steps)), LONGEST_WARM_UP)
    if step < warm:
        return (step + 1) / (warm + 1)
    done = (step - warm) / max(1, steps - warm)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done))
