"""Drawing offspring where only the living are of interest."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from evolution_core.synthesis import draw_offspring


def draw(*of: Any, **options: Any) -> Tensor:
    """alive [n] of `draw_offspring`, whose arguments it takes."""
    return draw_offspring(*of, **options).alive
