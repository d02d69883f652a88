"""When in gestation a signal acts: its level over progress, and how much of it has been dealt out by then."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..spec import Stress

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Schedule:
    """`level(progress)` is 0..1 and `dealt(progress)` its integral from 0; progress is 0..1 of gestation."""

    level: Callable[[float], float]
    dealt: Callable[[float], float]


def _constant(parameters: Parameters) -> Schedule:
    return Schedule(lambda progress: 1.0, lambda progress: progress)


def _ramp(parameters: Parameters) -> Schedule:
    return Schedule(lambda progress: progress, lambda progress: progress**2 / 2)


def _pulses(parameters: Parameters) -> Schedule:
    """`count` equal periods; each begins with a burst of `duty` of its length, and calm follows."""
    count, duty = parameters["count"], parameters["duty"]

    def level(progress: float) -> float:
        within = progress * count
        return 1.0 if within - math.floor(min(within, count - 1e-9)) <= duty else 0.0

    def dealt(progress: float) -> float:
        periods = min(progress * count, count)
        whole = math.floor(periods)
        return (whole * duty + min(periods - whole, duty)) / count

    return Schedule(level, dealt)


SCHEDULES: dict[str, Callable[[Parameters], Schedule]] = {
    "constant": _constant,
    "ramp": _ramp,
    "pulses": _pulses,
}


def schedule_of(stress: Stress) -> Schedule:
    """The schedule that a signal of the spec names."""
    return SCHEDULES[stress.schedule](stress.schedule_parameters)
