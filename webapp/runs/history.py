"""What of a run's past its present state no longer shows: when it stood still, and whose workers were lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .models import Run, RunEvent

_STOPS = ("paused", "finished")  # a finished run that was extended stood still in between
_STARTS = ("resumed", "extended")


@dataclass(frozen=True)
class History:
    """`stops`: times in which the run stood still, oldest first; `lost`: workers lost, by the network's number."""

    stops: tuple[tuple[datetime, datetime], ...] = ()
    lost: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, run: Run) -> History:
        """One query, over the few events of these kinds alone."""
        events = RunEvent.objects.filter(run=run, kind__in=[*_STOPS, *_STARTS, "lost"]).order_by()
        stops, since = [], None
        lost: Counter[int] = Counter()
        # put in order here: asked for an order, SQLite walks all of the run's events in it, instead of these few
        for _, kind, network, at in sorted(events.values_list("number", "kind", "network_id", "at")):
            if kind == "lost" and network is not None:
                lost[network] += 1
            elif kind in _STOPS:
                since = at
            elif kind in _STARTS and since is not None:
                stops.append((since, at))
                since = None
        return cls(tuple(stops), lost)

    def worked(self, start: datetime, end: datetime) -> float:
        """Seconds from `start` to `end` in which the run did not stand still."""
        return ((end - start) - _sum(_common(start, end, stop) for stop in self.stops)) / timedelta(seconds=1)


def _common(start: datetime, end: datetime, stop: tuple[datetime, datetime]) -> timedelta:
    return max(timedelta(), min(end, stop[1]) - max(start, stop[0]))


def _sum(spans: Iterable[timedelta]) -> timedelta:
    return sum(spans, timedelta())
