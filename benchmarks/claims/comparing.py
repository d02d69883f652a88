"""Mean, spread, and the interval of a paired difference."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Two-sided 95 % quantiles of Student's t by degrees of freedom; beyond the table the normal's.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs over the seeds that both have; `half` is half of the 95 % interval, None for one seed."""

    mean: float
    half: float | None
    seeds: int

    @property
    def sign(self) -> int:
        """1: ours is surely more, -1: surely less, 0: the interval holds 0, or is unknown."""
        if self.half is None or abs(self.mean) <= self.half:
            return 0
        return 1 if self.mean > 0 else -1

    def text(self) -> str:
        """In a sentence."""
        if self.half is None:
            return f"{self.mean:+.2f} points (one seed)"
        low, high = self.mean - self.half, self.mean + self.half
        return f"{self.mean:+.2f} points (95 % CI {low:+.2f} to {high:+.2f}, {self.seeds} seeds)"

    def short(self) -> str:
        """In a table's cell."""
        if self.half is None:
            return f"{self.mean:+.2f}"
        return f"{self.mean:+.2f} [{self.mean - self.half:+.2f}, {self.mean + self.half:+.2f}]"


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Difference | None:
    """By seed; None when they share no seed. The interval is Student's over the seeds' differences."""
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    found = [ours[seed] - theirs[seed] for seed in seeds]
    if len(found) == 1:
        return Difference(found[0], None, 1)
    quantile = _T[len(found) - 2] if len(found) - 2 < len(_T) else 1.96
    return Difference(statistics.mean(found), quantile * statistics.stdev(found) / math.sqrt(len(found)), len(found))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """ "98.12 ± 0.05": mean and standard deviation over seeds; without the latter for one seed."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def geometric(values: Sequence[float]) -> float:
    """The mean of ratios."""
    return math.exp(statistics.mean(math.log(value) for value in values))
