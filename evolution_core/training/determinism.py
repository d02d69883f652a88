"""The same bits every time: what torch must be told while we train, and told back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import deterministic

from ..seeds import derive

_SWITCHES: Any = deterministic  # its attribute is a property that type checkers do not see


@contextmanager
def reproducible() -> Iterator[None]:
    """Deterministic algorithms, gradients on, and the global random state given back as it was found.

    Dropout draws from the global generator and cannot be handed another; :func:`reseed` sets it for each step, and
    here it is put back, so that training between two events of a caller changes nothing that the caller can see.
    """
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = _SWITCHES.fill_uninitialized_memory
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    torch.use_deterministic_algorithms(True)
    _SWITCHES.fill_uninitialized_memory = False  # costs time and guards only against broken kernels
    try:
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.use_deterministic_algorithms(was[0], warn_only=was[1])
        _SWITCHES.fill_uninitialized_memory = filled


def reseed(seed: int, phase: str, step: int) -> None:
    """Set the global generators for one step. They are a function of (seed, phase, step), so resuming needs no
    random state from the checkpoint."""
    value = derive(seed, phase, "step", step)
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_available():
        torch.cuda.manual_seed(value)
