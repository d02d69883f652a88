"""A sweep's page, as its address says: the scatter's axes, the orders of its tables, and which runs are ticked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .list_view import COLUMNS, STATE_WORDS, UNDER_WAY_FIRST
from .models import Run
from .ordered import Column, read_order, read_ticks, written
from .templatetags import figures
from .words import label_of, number_of


@dataclass(frozen=True)
class Outcome:
    """A figure of a run's chosen network against its ancestor. `kind` is the filter that writes it."""

    key: str
    label: str
    short: str  # where it heads a column
    kind: str

    def words(self, value: float | None) -> str:
        if value is None:
            return ""
        return str(getattr(figures, self.kind)(value))


OUTCOMES = {
    outcome.key: outcome
    for outcome in (
        Outcome("smaller", "times smaller", "Smaller", "times"),
        Outcome("points", "points of validation", "Points", "points"),
        Outcome("test", "test accuracy", "Test", "percent"),
        Outcome("fewer", "times fewer multiply-adds", "Fewer multiply-adds", "times"),
        Outcome("faster", "times faster", "Faster", "times"),
        Outcome("parameters", "parameters", "Parameters", "count"),
        Outcome("minutes", "minutes taken", "Minutes", "rounded"),
    )
}
SEED = "seed"
TABLE = ("smaller", "points", "test", "faster")  # the columns of outcomes
_ORDERS = {
    "smaller": COLUMNS["smaller"].words,
    "points": COLUMNS["points"].words,
    "test": ("least right of the test first", "most right of the test first"),
    "faster": ("least sped up first", "most sped up first"),
}


@dataclass(frozen=True)
class GroupView:
    """`x` and `y` are settings of the sweep or outcomes, "" for the usual. Unknown values fall back."""

    x: str = ""
    y: str = ""
    sort: str = "run"  # of the runs: as the sweep was typed
    seeds: str = ""  # of what they came to over the seeds; "" as the sweep was typed, too
    compare: tuple[int, ...] = ()

    @classmethod
    def read(cls, query: Mapping[str, str], varied: Sequence[str]) -> GroupView:
        known = {*varied, *OUTCOMES}
        x, y = query.get("x", ""), query.get("y", "")
        return cls(
            x if x in known else "",
            y if y in known else "",
            read_order(query.get("sort", ""), run_columns(varied), cls.sort),
            read_order(query.get("seeds", ""), seed_columns(varied), cls.seeds),
            read_ticks(query.get("compare", "")),
        )

    def query(self, **changes: Any) -> str:
        return written(vars(dataclasses.replace(self, **changes)), vars(GroupView()))


def run_columns(varied: Sequence[str]) -> dict[str, Column]:
    """Of the runs; rows are groups.Row."""
    return {
        "run": Column("Run", lambda row: row.number, ("as typed", "as typed, the last first")),
        **{
            name: _setting(name, lambda row, name=name: place(row.values.get(name), row.words[name])) for name in varied
        },
        "state": Column("State", lambda row: _state(row.run.state), STATE_WORDS),
        **{key: _outcome(key, lambda row, key=key: row.outcomes.get(key)) for key in TABLE},
    }


def seed_columns(varied: Sequence[str]) -> dict[str, Column]:
    """Of what runs came to over the seeds; rows are groups.Summary."""
    settings = [name for name in varied if name != SEED]
    return {
        **{name: _setting(name, lambda row, at=at: row.places[at]) for at, name in enumerate(settings)},
        **{key: _outcome(key, lambda row, at=at: row.figures[at][0]) for at, key in enumerate(TABLE)},
        "runs": Column("Runs", lambda row: row.finished, ("fewest finished first", "most finished first"), True, "num"),
    }


def _setting(name: str, by: Any) -> Column:
    label = label_of(name)
    return Column(label, by, (f"by {label.lower()}, upwards", f"by {label.lower()}, downwards"))


def _outcome(key: str, by: Any) -> Column:
    return Column(OUTCOMES[key].short, by, _ORDERS[key], True, "num")


def _state(state: str) -> int:
    return UNDER_WAY_FIRST.index(Run.State(state)) if state in UNDER_WAY_FIRST else len(UNDER_WAY_FIRST)


def place(value: Any, words: str) -> tuple[float, str]:
    """Numbers by their size, and before what is not one."""
    number = number_of(value)
    return (float("inf"), words.lower()) if number is None else (number, "")
