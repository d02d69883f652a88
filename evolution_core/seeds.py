"""Random numbers: every stream is named, none is global.

A stream is a function of the run's seed and of labels that say what it is for (`derive(7, "draw", "2-1")`),
so a network's luck depends on neither the order of work nor on what was drawn before, and resuming needs no
saved state beyond the seed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # planning a generation needs seeds but no torch
    import torch


def derive(seed: int, *labels: str | int) -> int:
    """A stable 63-bit seed for the stream that `labels` name (SHA-256 of seed and labels)."""
    text = "\x1f".join([str(seed), *(f"{type(label).__name__}:{label}" for label in labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *labels: str | int) -> torch.Generator:
    """A CPU generator for the stream that `labels` name."""
    import torch

    return torch.Generator(device="cpu").manual_seed(derive(seed, *labels))
