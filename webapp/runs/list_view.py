"""The list of runs, as its address says: what is looked for, in which order, and which runs are ticked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, FloatField, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce, Lower, NullIf

from webapp.keeping import Table
from webapp.networks.models import Network
from webapp.teams.models import Team

from .models import Run, RunGroup
from .ordered import Column, read_order, read_ticks, written
from .snapshot import ANCESTOR

MOST_KEPT = 10_000  # runs in a file
_FIGURES = ("smaller", "points", "networks")
UNDER_WAY_FIRST = [Run.State.RUNNING, Run.State.PAUSED, Run.State.QUEUED, Run.State.FINISHED, Run.State.CANCELLED]
STATE_WORDS = ("under way first", "ended first")

COLUMNS = {
    "name": Column("Run", Lower("name"), ("by name, from A", "by name, from Z")),
    "state": Column(
        "State",
        Case(*(When(state=state, then=place) for place, state in enumerate(UNDER_WAY_FIRST)), default=9),
        STATE_WORDS,
    ),
    "data": Column("Data set", Lower("dataset__name"), ("by data set, from A", "by data set, from Z")),
    "smaller": Column("Smaller", F("smaller"), ("least shrunk first", "most shrunk first"), True, "num"),
    "points": Column("Points", F("points"), ("most points lost first", "fewest points lost first"), True, "num"),
    "networks": Column("Networks", F("networks_ended"), ("fewest networks first", "most networks first"), True, "num"),
    "started": Column("Started", F("created_at"), ("oldest first", "newest first"), True),
}


@dataclass(frozen=True)
class ListView:
    """Unknown values fall back to the defaults."""

    q: str = ""  # part of a run's or data set's name
    state: str = ""
    sort: str = "-started"
    page: int = 1
    compare: tuple[int, ...] = ()  # runs that are ticked, on whatever page they stand

    @classmethod
    def read(cls, query: Mapping[str, str]) -> ListView:
        state, page = query.get("state", ""), query.get("page", "")
        return cls(
            query.get("q", "").strip()[:100],
            state if state in Run.State.values else "",
            read_order(query.get("sort", ""), COLUMNS, cls.sort),
            max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
            read_ticks(query.get("compare", "")),
        )

    def query(self, **changes: Any) -> str:
        """The address's query with changes; defaults are left out, and another order begins at its first page."""
        return written(vars(dataclasses.replace(self, **({"page": 1} | changes))), vars(ListView()))

    @property
    def is_narrowed(self) -> bool:
        """Whether something is looked for."""
        return bool(self.q or self.state)

    @property
    def is_folded(self) -> bool:
        """Whether a sweep is stood for by its first run: sixty alike would bury the others. Where runs are looked for,
        or are in order of what they came to, each stands for itself."""
        return not self.is_narrowed and self.sort.removeprefix("-") not in _FIGURES


def runs_of(team: Team, view: ListView, *, folded: bool | None = None) -> QuerySet[Run]:
    """The team's runs as the view narrows and orders them, each with `smaller` and `points`: its chosen network against
    its ancestor, None where not known. What is not known comes last, and of equals the newest first."""
    runs = Run.objects.filter(team=team).select_related("dataset", "chosen", "group").defer("dataset__report")
    runs = runs.annotate(**_against_ancestor())
    if view.state:
        runs = runs.filter(state=view.state)
    if view.q:
        runs = runs.filter(Q(name__icontains=view.q) | Q(dataset__name__icontains=view.q))
    if view.is_folded if folded is None else folded:
        first = RunGroup.objects.filter(team=team).order_by().annotate(first=Min("runs")).values("first")
        runs = runs.filter(Q(group=None) | Q(pk__in=first))
    key = view.sort.removeprefix("-")
    if key == "networks":
        runs = runs.alias(networks_ended=_networks_ended())
    order = COLUMNS[key].by
    order = order.desc(nulls_last=True) if view.sort.startswith("-") else order.asc(nulls_last=True)
    return runs.order_by(order, "pk" if view.sort == "started" else "-pk")


def _against_ancestor() -> dict[str, Any]:
    ancestor = Network.objects.filter(run=OuterRef("pk"), name=ANCESTOR)
    parameters, accuracy = (Subquery(ancestor.values(name)[:1]) for name in ("parameters", "validation_accuracy"))
    return {
        "smaller": Cast(parameters, FloatField()) / NullIf(F("chosen__parameters"), Value(0)),
        "points": (F("chosen__validation_accuracy") - accuracy) * Value(100.0),
    }


def _networks_ended() -> Any:
    """How many networks of a run have come to an end; an ancestor counts once it is measured (see listing)."""
    ended = Network.objects.filter(~Q(name=ANCESTOR) | Q(state=Network.State.MEASURED), run=OuterRef("pk"))
    ended = ended.exclude(state__in=[Network.State.WAITING, Network.State.LIVING])
    return Coalesce(Subquery(ended.order_by().values("run").annotate(number=Count("pk")).values("number")), 0)


def ticked(team: Team, view: ListView) -> list[Run]:
    """The team's runs that are ticked, in the order in which they were."""
    found = Run.objects.only("pk", "name").filter(team=team).in_bulk(view.compare) if view.compare else {}
    return [found[pk] for pk in view.compare if pk in found]


def kept_runs(team: Team, view: ListView) -> Table:
    """Every run that the view leaves, those of sweeps too, in its order; the first MOST_KEPT. One query."""
    columns = {
        "run": "pk",
        "name": "name",
        "state": "state",
        "data_set": "dataset__name",
        "sweep": "group__name",
        "architecture": "spec__architecture",
        "seed": "spec__seed",
        "smaller": "smaller",
        "points": "points",
        "networks": "networks_ended",
        "chosen": "chosen__name",
        "validation_accuracy": "chosen__validation_accuracy",
        "test_accuracy": "chosen__test_accuracy",
        "parameters": "chosen__parameters",
        "macs": "chosen__macs",
        "bytes": "chosen__bytes",
        "latency_ms": "chosen__latency_ms",
        "created_at": "created_at",
        "finished_at": "finished_at",
    }
    runs = runs_of(team, view, folded=False).annotate(networks_ended=_networks_ended())
    return Table(tuple(columns), list(runs.values_list(*columns.values())[:MOST_KEPT]))
