"""How long a run will still take: a range from what was measured in it, never a single false promise. Our own rule.

A generation's wall-clock pace is the time from one generation's last measurement to the next one's, whatever the
number of workers. What remains is the rest of the present generation and the generations to come, at the quickest
and the slowest of the latest paces. Before the first generation has ended, the ancestor's own time is the measure:
its offspring never cost more than it did, and with enough workers they live side by side.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .models import Run
from .snapshot import Lineage, Snapshot, spec_value
from .templatetags.figures import duration

_RECENT = 3  # generations whose paces count: they shrink as networks do


def seconds_left(run: Run, lineage: Lineage, now: datetime) -> tuple[float, float] | None:
    """(quickest, slowest) seconds until the last network is measured; None while nothing tells."""
    generations = int(spec_value(run, "generations", 0))
    offspring = int(spec_value(run, "offspring", 1))
    ancestor = lineage.ancestor
    if ancestor is None or not generations:
        return None
    if not ancestor.is_measured:
        return None
    paces = _paces(lineage, generations)
    if not paces:
        guess = _guess(run, ancestor, offspring)
        if guess is None:
            return None
        paces = [guess[0], guess[1]]
    present = max(1, int(run.generation or 1))
    remaining = max(0, generations - present) + 1 - _share_done(lineage, present, offspring)
    if remaining <= 0:
        return None
    recent = paces[-_RECENT:]
    return min(recent) * remaining * 0.85, max(recent) * remaining * 1.15


def in_words(span: tuple[float, float] | None) -> str:
    """ "6 to 9 minutes left", with one unit where both ends have the same."""
    if span is None:
        return ""
    low, high = duration(span[0]), duration(span[1])
    if low == high:
        return f"about {low} left"
    low_number, low_unit = low.split(" ", 1)
    if low_unit.rstrip("s") == high.split(" ", 1)[1].rstrip("s"):
        return f"{low_number} to {high} left"
    return f"{low} to {high} left"


def _ends(lineage: Lineage) -> dict[int, datetime]:
    """When each finished generation's last network was measured."""
    ends: dict[int, datetime] = {}
    for network in lineage.networks:
        if network.measured_at is not None:
            known = ends.get(network.generation)
            ends[network.generation] = max(known, network.measured_at) if known else network.measured_at
    for network in lineage.networks:  # one that is still open keeps its generation open
        if network.is_open:
            ends.pop(network.generation, None)
    return ends


def _paces(lineage: Lineage, generations: int) -> list[float]:
    ends = _ends(lineage)
    steps = [
        (ends[g] - ends[g - 1]) / timedelta(seconds=1) for g in range(1, generations + 1) if g in ends and g - 1 in ends
    ]
    return [step for step in steps if step > 0]


def _guess(run: Run, ancestor: Snapshot, offspring: int) -> tuple[float, float] | None:
    """A first generation's pace from the ancestor's time: all side by side, or one after another."""
    start = ancestor.started_at or ancestor.created_at
    if ancestor.measured_at is None or ancestor.measured_at <= start:
        return None
    own = float(spec_value(run, "ancestor_epochs", 0) or spec_value(run, "epochs", 1))
    scale = float(spec_value(run, "epochs", 1)) / own if own else 1.0
    one = (ancestor.measured_at - start).total_seconds() * scale
    return one * 0.5, one * offspring


def _share_done(lineage: Lineage, generation: int, offspring: int) -> float:
    """How much of a generation is done, 0 to 1."""
    born = [network for network in lineage.networks if network.generation == generation]
    done = sum(min(1.0, network.progress) if network.is_open else 1.0 for network in born)
    return min(1.0, done / max(1, offspring, len(born)))
