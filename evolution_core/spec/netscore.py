"""NetScore, one number for a network's accuracy and cost: read by the engine's selection and by the dashboard."""

from __future__ import annotations

import math


def netscore(accuracy: float, parameters: float, macs: float) -> float:
    """NetScore (arXiv 1806.05512): 20 log10(a^2 / (sqrt(p) sqrt(m))), with a in percent, p in millions and m in
    thousands of millions of multiply-adds. `accuracy` is a fraction. -inf for a network that is never right."""
    if accuracy <= 0:
        return -math.inf
    percent, millions, giga = 100 * accuracy, parameters / 1e6, macs / 1e9
    return 20 * math.log10(percent**2 / (math.sqrt(millions) * math.sqrt(giga)))
