"""How long a run will still take: a range from what was measured in it, never a single false promise. Our own rule.

A generation's pace is the working time from one generation's last measurement to the next one's, whatever the number
of workers, for each epoch of its networks (the last generation may have more). What remains is the rest of the
present generation and the generations to come, at the quickest and the slowest of the latest paces; the present
generation's own pace counts as soon as a part of it is done. Before that the ancestor's own time is the measure, and
while it trains, its progress: its offspring never cost more than it did, and with enough workers they live side by
side. The more paces are known, the narrower the margin around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .history import History
from .models import Run
from .snapshot import Lineage, Snapshot, spec_value
from .templatetags.figures import between

_RECENT = 3  # generations whose paces count: they shrink as networks do
_MARGINS = (0.25, 0.15, 0.1, 0.07)  # around the range, by how many paces are known (of a guess, the first)
_TELLING = 0.2  # of a generation, or of the ancestor's life: less of it tells no pace
Span = tuple[float, float]


@dataclass(frozen=True)
class _Plan:
    """How much a generation costs, in epochs of one network after another."""

    generations: int
    offspring: int
    epochs: float
    last_epochs: float
    ancestor_epochs: float

    @classmethod
    def of(cls, run: Run) -> _Plan:
        epochs = float(spec_value(run, "epochs", 1) or 1)
        return cls(
            int(spec_value(run, "generations", 0)),
            int(spec_value(run, "offspring", 1)),
            epochs,
            float(spec_value(run, "last_epochs", epochs) or epochs),
            float(spec_value(run, "ancestor_epochs", epochs) or epochs),
        )

    def weight(self, generation: int) -> float:
        return self.last_epochs if generation == self.generations else self.epochs

    def after(self, generation: int) -> float:
        """The weights of all generations after this one."""
        return sum(self.weight(later) for later in range(generation + 1, self.generations + 1))


def seconds_left(run: Run, lineage: Lineage, now: datetime, history: History | None = None) -> Span | None:
    """(quickest, slowest) seconds until the last network is measured; None while nothing tells."""
    plan, past = _Plan.of(run), history or History()
    ancestor = lineage.ancestor
    if ancestor is None or not plan.generations:
        return None
    if not ancestor.is_measured:
        return _from_a_young_ancestor(plan, ancestor, now, past)
    present = max(1, int(run.generation or 1))
    done = _share_done(lineage, present, plan.offspring)
    paces = _paces(plan, lineage, past, present, done, now)
    known = len(paces)
    if not paces:
        start = ancestor.started_at or ancestor.created_at
        if ancestor.measured_at is None or ancestor.measured_at <= start:
            return None
        paces = list(_guess(plan, past.worked(start, ancestor.measured_at)))
    remaining = plan.weight(present) * (1 - done) + plan.after(present)
    if remaining <= 0:
        return None
    margin = _MARGINS[min(known, len(_MARGINS) - 1)]
    return min(paces) * remaining * (1 - margin), max(paces) * remaining * (1 + margin)


def in_words(span: Span | None) -> str:
    """ "6 to 9 minutes left", with one unit where both ends have the same."""
    if span is None:
        return ""
    words = between(*span)
    return f"{words} left" if " to " in words else f"about {words} left"


def _from_a_young_ancestor(plan: _Plan, ancestor: Snapshot, now: datetime, past: History) -> Span | None:
    """The rest of its own life at its pace until now, and all generations as :func:`_guess` has them."""
    if ancestor.started_at is None or ancestor.progress < _TELLING:
        return None
    whole = past.worked(ancestor.started_at, now) / min(1.0, ancestor.progress)
    rest = whole * (1 - min(1.0, ancestor.progress))
    quick, slow = (pace * plan.after(0) for pace in _guess(plan, whole))
    margin = _MARGINS[0]
    return (rest + quick) * (1 - margin), (rest + slow) * (1 + margin)


def _guess(plan: _Plan, ancestors: float) -> Span:
    """A generation's pace from the ancestor's seconds: all side by side and half as large, or one after another."""
    one = ancestors / plan.ancestor_epochs
    return one * 0.5, one * plan.offspring


def _ends(lineage: Lineage) -> dict[int, datetime]:
    """When each finished generation's last network was measured."""
    unfinished = {network.generation for network in lineage.open}
    last = {
        generation: max((n for n in born if n.measured_text), key=lambda n: n.measured_text or "", default=None)
        for generation, born in lineage.generations.items()
        if generation not in unfinished
    }
    return {generation: n.measured_at for generation, n in last.items() if n is not None and n.measured_at}


def _paces(plan: _Plan, lineage: Lineage, past: History, present: int, done: float, now: datetime) -> list[float]:
    """Working seconds for each epoch of a generation, oldest first; the present one's last, once it tells."""
    ends = _ends(lineage)
    paces = [
        past.worked(ends[g - 1], ends[g]) / plan.weight(g)
        for g in range(1, plan.generations + 1)
        if g in ends and g - 1 in ends
    ]
    if present not in ends and present - 1 in ends and _TELLING <= done < 1:
        paces.append(past.worked(ends[present - 1], now) / (done * plan.weight(present)))
    return [pace for pace in paces if pace > 0][-_RECENT:]


def _share_done(lineage: Lineage, generation: int, offspring: int) -> float:
    """How much of a generation is done, 0 to 1."""
    born = lineage.generations.get(generation, [])
    done = sum(min(1.0, network.progress) if network.is_open else 1.0 for network in born)
    return min(1.0, done / max(1, offspring, len(born)))
