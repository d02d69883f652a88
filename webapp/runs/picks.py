"""Rules that land on one network: the smallest that is good enough, the best that is fast or small enough."""

from __future__ import annotations

from dataclasses import dataclass

from .snapshot import Lineage, Snapshot
from .templatetags.figures import milliseconds, percent, size, times


@dataclass(frozen=True)
class Rule:
    """A gap after `before` holds the number that is typed in `unit`."""

    key: str
    before: str
    unit: str


RULES = (
    Rule("within", "smallest within", "points"),
    Rule("latency", "best under", "ms"),
    Rule("bytes", "best under", "kB"),
)


def pick(lineage: Lineage, rule: str, value: float) -> tuple[Snapshot | None, str]:
    """The network that a rule of RULES lands on and why, or None and what is the nearest that there is."""
    offspring = [network for network in lineage.offspring if network.parameters]
    if not offspring:
        return None, "No offspring has been measured yet."
    if rule == "within":
        return _smallest(lineage, offspring, value)
    if rule == "latency":
        return _best(
            [(n, n.latency_ms) for n in offspring if n.latency_ms is not None],
            value,
            f"under {milliseconds(value)}",
            lambda least: f"the fastest takes {milliseconds(least)}",
        )
    found = [(n, float(n.bytes)) for n in offspring if n.bytes is not None]
    return _best(found, value * 1000, f"under {size(value * 1000)}", lambda least: f"the smallest has {size(least)}")


def _smallest(lineage: Lineage, offspring: list[Snapshot], points: float) -> tuple[Snapshot | None, str]:
    threshold = lineage.threshold(points)
    words = f"within {points:g} point{'' if points == 1 else 's'}"
    found = lineage.smallest_within(points)
    if found is None or threshold is None or (found.validation_accuracy or 0) < threshold:
        best = max(n.validation_accuracy or 0 for n in offspring)
        return None, f"No network is {words} of the ancestor: the best reaches {percent(best)}."
    return found, f"{found.name} is the smallest {words}: {times(lineage.smaller(found))} smaller."


def _best(
    found: list[tuple[Snapshot, float]], limit: float, words: str, nearest: object
) -> tuple[Snapshot | None, str]:
    assert callable(nearest)
    if not found:
        return None, "That was measured of no network."
    good = [network for network, value in found if value <= limit]
    if not good:
        return None, f"No network is {words}: {nearest(min(value for _, value in found))}."
    best = max(good, key=lambda n: (n.validation_accuracy or 0, -(n.parameters or 0)))
    return best, f"{best.name} is the best {words}: {percent(best.validation_accuracy)}."
