"""A sweep's page: its runs side by side, what each setting came to over the seeds, and a scatter of any two figures.

Everything is read by a fixed number of queries, however many runs there are.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import Http404
from django.urls import reverse

from evolution_core.spec import RunSpec, SpecError
from webapp.keeping import Addresses, Table
from webapp.networks.models import Network

from . import listing
from .group_view import OUTCOMES, SEED, TABLE, GroupView, Outcome, place, run_columns, seed_columns
from .models import Run, RunGroup
from .ordered import arranged, headings, orders
from .snapshot import ANCESTOR
from .words import label_of, number_of, value_in_words


@dataclass(frozen=True)
class Row:
    """A run of the sweep: what it has for itself, how it is, and what it came to."""

    number: int  # in the order in which the sweep was typed, from 1
    run: Run
    tone: str
    state: str
    doubt: str  # why its figures say nothing
    progress: float | None
    values: dict[str, Any]  # setting -> value, in its own type
    words: dict[str, str]  # setting -> the same for people
    outcomes: dict[str, float | None] = field(default_factory=dict)

    @property
    def cells(self) -> list[str]:
        return list(self.words.values())

    @property
    def plain(self) -> list[Any]:
        """Each setting as a number where it is one, in words where not."""
        values = [(self.values.get(name), word) for name, word in self.words.items()]
        return [value if isinstance(value, (int, float)) else word for value, word in values]

    @property
    def labelled(self) -> list[tuple[str, str]]:
        return [(label_of(name), word) for name, word in self.words.items()]

    @property
    def told(self) -> list[dict[str, str]]:
        return [{"short": OUTCOMES[key].short, "words": OUTCOMES[key].words(self.outcomes.get(key))} for key in TABLE]


@dataclass(frozen=True)
class Summary:
    """One setting of everything but the seed: how many of its runs have come to an end, and what they came to."""

    labelled: list[tuple[str, str]]  # (setting, value)
    places: list[Any]  # by setting, what orders the values
    runs: int
    finished: int
    figures: list[tuple[float | None, float | None]]  # by TABLE: mean and sample standard deviation

    @property
    def cells(self) -> list[str]:
        return [word for _, word in self.labelled]

    @property
    def told(self) -> list[dict[str, str]]:
        figures = zip(TABLE, self.figures, strict=True)
        return [
            {"short": OUTCOMES[key].short, "words": _mean_and_spread(OUTCOMES[key], *both)} for key, both in figures
        ]


class GroupPage:
    """What the page of a group shows. Four queries."""

    def __init__(self, group: RunGroup, view: GroupView):
        self.group, self.view = group, view
        self.varied: list[str] = [str(name) for name in group.axes]

    @cached_property
    def rows(self) -> list[Row]:
        """Every run, in the order in which the sweep was typed."""
        runs = list(self.group.runs.select_related("dataset", "chosen").defer("dataset__report").order_by("pk"))
        ancestors = {
            network.run_id: network
            for network in Network.objects.filter(run__group=self.group, name=ANCESTOR).defer("record")
        }
        listed = listing.rows(runs)
        return [self._row(number, entry, ancestors.get(entry["run"].pk)) for number, entry in enumerate(listed, 1)]

    def _row(self, number: int, entry: dict[str, Any], ancestor: Network | None) -> Row:
        run = entry["run"]
        spec = _spec_of(run)
        values = {name: getattr(spec, name) for name in self.varied} if spec is not None else {}
        words = {name: value_in_words(name, values[name]) if name in values else "?" for name in self.varied}
        outcomes = _outcomes(run, ancestor)
        told = entry["tone"], entry["state"], entry["doubt"], entry["progress"]
        return Row(number, run, *told, values, words, outcomes)

    @property
    def runs(self) -> list[Row]:
        """The same in the view's order."""
        return arranged(self.rows, run_columns(self.varied), self.view.sort)

    @property
    def run_headings(self) -> list[dict[str, str]]:
        return headings(self.view, run_columns(self.varied), self.view.sort)

    @property
    def run_orders(self) -> list[dict[str, Any]]:
        return orders(run_columns(self.varied), self.view.sort)

    @property
    def ticked(self) -> set[int]:
        """Keys of the runs that are ticked; another sweep's are none of this page's."""
        return {row.run.pk for row in self.rows} & set(self.view.compare)

    @property
    def unticked(self) -> str:
        return self.view.query(compare=())

    @property
    def heads(self) -> list[str]:
        return [label_of(name) for name in self.varied]

    @property
    def ended(self) -> int:
        return sum(row.run.has_ended for row in self.rows)

    @property
    def finished(self) -> int:
        return sum(row.run.state == Run.State.FINISHED for row in self.rows)

    @property
    def is_under_way(self) -> bool:
        return self.ended < len(self.rows)

    @property
    def dataset(self) -> Any:
        return self.rows[0].run.dataset if self.rows else None

    # -- over the seeds

    @property
    def seed_headings(self) -> list[dict[str, str]]:
        return headings(self.view, seed_columns(self.varied), self.view.seeds, "seeds")

    @cached_property
    def summaries(self) -> list[Summary]:
        """A line for each combination of the settings other than the seed; none where only seeds differ, or none do."""
        settings = [name for name in self.varied if name != SEED]
        if not settings or SEED not in self.varied:
            return []
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row.words[name] for name in settings), []).append(row)
        found = [_summary(rows, settings) for rows in groups.values()]
        return arranged(found, seed_columns(self.varied), self.view.seeds) if self.view.seeds else found

    @cached_property
    def whole(self) -> Summary | None:
        """Over all runs, where nothing but the seed differs."""
        return _summary(self.rows, []) if self.varied == [SEED] and self.rows else None

    # -- the scatter

    @property
    def x(self) -> str:
        return self.view.x or next((name for name in self.varied if name != SEED), "smaller")

    @property
    def y(self) -> str:
        return self.view.y or "points"

    @property
    def axes(self) -> list[dict[str, str]]:
        """Everything that can be an axis."""
        settings = [{"key": name, "label": label_of(name).lower()} for name in self.varied]
        return settings + [{"key": outcome.key, "label": outcome.label} for outcome in OUTCOMES.values()]

    @property
    def chart(self) -> str:
        """The scatter's points as JSON: every run that has both figures."""
        x, y = self._axis(self.x), self._axis(self.y)
        points = []
        for row in self.rows:
            at = {"x": x.place(row), "y": y.place(row)}
            if at["x"] is not None and at["y"] is not None:
                known = " · ".join(f"{label.lower()} {word}" for label, word in zip(self.heads, row.cells, strict=True))
                points.append({**at, "name": known, "run": row.run.pk, "xs": x.words(row), "ys": y.words(row)})
        return json.dumps({"points": points, "x": x.to_json(), "y": y.to_json()})

    def _axis(self, name: str) -> _Axis:
        if name in OUTCOMES:
            return _Axis(OUTCOMES[name].label, name, ())
        words = list(dict.fromkeys(row.words[name] for row in self.rows))
        kinds = {getattr(row.values.get(name), "name", "") for row in self.rows}  # a share and 40× share no axis
        numeric = len(kinds) == 1 and all(number_of(row.values.get(name)) is not None for row in self.rows)
        return _Axis(label_of(name).lower(), name, () if numeric else tuple(words))

    # -- to keep

    @property
    def tables(self) -> Addresses:
        return Addresses(lambda table, kind: reverse("runs:group_table", args=[self.group.pk, table, kind]))

    def kept_table(self, name: str) -> Table:
        """`runs`: every run, its settings in words and its figures; `seeds`: the same summed up over the seeds; both in
        the view's order. Raises Http404 for another name."""
        if name == "runs":
            rows = [
                (row.run.pk, row.run.name, row.run.state, *row.plain, *map(row.outcomes.get, OUTCOMES))
                for row in self.runs
            ]
            return Table(("run", "name", "state", *self.varied, *OUTCOMES), rows)
        if name != "seeds":
            raise Http404("This page has no such table.")
        summaries = self.summaries or ([self.whole] if self.whole else [])
        settings = [name for name in self.varied if name != SEED]
        columns = [column for key in TABLE for column in (key, f"{key}_deviation")]
        lines = [(*line.cells, line.runs, line.finished, *sum(line.figures, ())) for line in summaries]
        return Table((*settings, "runs", "finished", *columns), lines)


@dataclass(frozen=True)
class _Axis:
    """`names` are the places of an axis without numbers."""

    label: str
    key: str
    names: tuple[str, ...]

    def place(self, row: Row) -> float | None:
        if self.key in OUTCOMES:
            return row.outcomes.get(self.key)
        return float(self.names.index(row.words[self.key])) if self.names else number_of(row.values.get(self.key))

    def words(self, row: Row) -> str:
        if self.key in OUTCOMES:
            return f"{OUTCOMES[self.key].words(row.outcomes.get(self.key))}"
        return row.words[self.key]

    def to_json(self) -> dict[str, Any]:
        kind = OUTCOMES[self.key].kind if self.key in OUTCOMES else ""
        return {"label": self.label, "names": list(self.names), "kind": kind}


def _spec_of(run: Run) -> RunSpec | None:
    try:
        return run.run_spec
    except SpecError:
        return None


def _outcomes(run: Run, ancestor: Network | None) -> dict[str, float | None]:
    chosen = run.chosen
    if chosen is None or ancestor is None:
        return {}
    lost = None
    if chosen.validation_accuracy is not None and ancestor.validation_accuracy is not None:
        lost = (chosen.validation_accuracy - ancestor.validation_accuracy) * 100
    taken = None
    if run.started_at and run.finished_at:
        taken = (run.finished_at - run.started_at).total_seconds() / 60
    return {
        "smaller": _ratio(ancestor.parameters, chosen.parameters),
        "points": lost,
        "test": chosen.test_accuracy,
        "fewer": _ratio(ancestor.macs, chosen.macs),
        "faster": _ratio(chosen.ancestor_latency_ms, chosen.latency_ms),
        "parameters": chosen.parameters,
        "minutes": taken,
    }


def _ratio(before: float | None, after: float | None) -> float | None:
    return before / after if before and after else None


def _summary(rows: list[Row], settings: list[str]) -> Summary:
    """Of runs that are alike in these settings."""
    first = rows[0]
    labelled = [(label_of(name), first.words[name]) for name in settings]
    places = [place(first.values.get(name), first.words[name]) for name in settings]
    known = [[value for row in rows if (value := row.outcomes.get(key)) is not None] for key in TABLE]
    figures = [
        (statistics.fmean(values) if values else None, statistics.stdev(values) if len(values) > 1 else None)
        for values in known
    ]
    finished = sum(row.run.state == Run.State.FINISHED for row in rows)
    return Summary(labelled, places, len(rows), finished, figures)


def _mean_and_spread(outcome: Outcome, mean: float | None, spread: float | None) -> str:
    """ "43.1× ± 2.0": mean and standard deviation over the runs; the value alone where there is one."""
    if spread is None:
        return outcome.words(mean)
    spread = spread * 100 if outcome.kind == "percent" else spread
    written = f"{spread:.1f}" if spread >= 0.05 else f"{spread:.2f}" if spread >= 0.005 else "0"
    return f"{outcome.words(mean)} ± {written}"
