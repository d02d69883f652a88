"""What of a run's page lives in its address: a link shows what its sender saw, with scripts and without."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from .choice import KINDS, PICKED
from .measures import COSTS, HEIGHTS, MEASURES, MOST_COMPARED

Range = tuple[float | None, float | None]  # from, to; both inclusive, None where open
COLUMNS = ("generation", "parents", *MEASURES)  # of the table, beside the name
SHOWN = ("parents", "accuracy", "shock", "parameters", "macs", "bytes", "latency")  # unless asked otherwise
RANGED = ("generation", *MEASURES)
_SORTS = ("name", *MEASURES)
_SCALES = ("log", "linear")
_PLAIN = (
    *("height", "hscale", "cost", "xscale", "yscale", "network", "against", "by", "q"),
    *("sort", "fold", "look", "zoom"),
)
_NAME = re.compile(r"[\w-]{1,20}", re.ASCII)
_SAFE = ".,~:"  # left readable in addresses


@dataclass(frozen=True)
class View:
    """Unknown values fall back to the defaults. `ranges` are in the units that people type (see Measure)."""

    height: str = "accuracy"  # of the lineage
    hscale: str = ""  # its axis; "": the measure's own
    cost: str = "parameters"  # of the trade-off
    xscale: str = ""
    yscale: str = ""  # of accuracy: "log" stretches what is near 100 %
    network: str = ""  # the selected one
    against: str = ""  # what its layers are compared with: a parent (an edge), or the ancestor
    drop: float | None = None  # points that may be lost: the band of the trade-off
    by: str = ""  # a rule that is tried, as Rule.text; "": the one in force
    q: str = ""  # part of a name
    ranges: Mapping[str, Range] = field(default_factory=dict)
    sort: str = "-name"
    page: int = 1
    columns: tuple[str, ...] = SHOWN
    fold: str = ""  # generations drawn folded: "all", "none", "3,5"; "": as there is room
    look: str = ""  # the lineage's window: x from, x to, y from, y to
    zoom: str = ""  # the trade-off's
    lines: bool = False  # parallel coordinates are open
    compare: tuple[str, ...] = ()  # networks that are ticked to be compared, on whatever page of the table they stand

    @classmethod
    def read(cls, query: Mapping[str, str]) -> View:
        def one(name: str, known: tuple[str, ...], default: str = "") -> str:
            return query.get(name, "") if query.get(name, "") in known else default

        sort = query.get("sort", "")
        return cls(
            height=one("height", HEIGHTS, cls.height),
            hscale=one("hscale", _SCALES),
            cost=one("cost", COSTS, cls.cost),
            xscale=one("xscale", _SCALES),
            yscale=one("yscale", _SCALES),
            network=query.get("network", "")[:20],
            against=query.get("against", "")[:20],
            drop=_number(query.get("drop", ""), 0, 100),
            by=_rule(query),
            q=query.get("q", "").strip()[:20],
            ranges=_ranges(query),
            sort=sort if sort.removeprefix("-") in _SORTS else cls.sort,
            page=int(_number(query.get("page", ""), 1, 10**6) or 1),
            columns=_columns(query),
            fold=_list_of_numbers(query.get("fold", "")) if query.get("fold") not in ("all", "none") else query["fold"],
            look=_window(query.get("look", "")),
            zoom=_window(query.get("zoom", "")),
            lines=query.get("lines") == "1",
            compare=_names(query.get("compare", "")),
        )

    def query(self, **changes: Any) -> str:
        """The address's query for this view with changes; defaults are left out."""
        return "?" + urlencode(dataclasses.replace(self, **changes).parameters(), safe=_SAFE, quote_via=quote)

    def parameters(self) -> dict[str, str]:
        """What has to be in the address, by name."""
        found = {name: getattr(self, name) for name in _PLAIN if getattr(self, name) != getattr(View, name)}
        if self.drop is not None:
            found["drop"] = f"{self.drop:g}"
        found |= {name: f"{_plain(low)}..{_plain(high)}" for name, (low, high) in self.ranges.items()}
        if self.page > 1:
            found["page"] = str(self.page)
        if self.columns != SHOWN:
            found["columns"] = ",".join(self.columns) or "none"
        if self.lines:
            found["lines"] = "1"
        if self.compare:
            found["compare"] = ",".join(self.compare)
        return found

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.ranges)

    def bounds(self, key: str) -> Range:
        """The range of a measure in its own units (a fraction, bytes), or an open one."""
        low, high = self.ranges.get(key, (None, None))
        factor = MEASURES[key].factor if key in MEASURES else 1.0
        return (None if low is None else low * factor, None if high is None else high * factor)


def _ranges(query: Mapping[str, str]) -> dict[str, Range]:
    """From `accuracy=91..95`, or from a plain form's two fields `accuracy.from` and `accuracy.to`."""
    found: dict[str, Range] = {}
    for key in RANGED:
        low, _, high = query.get(key, "").partition("..")
        low, high = query.get(f"{key}.from", "") or low, query.get(f"{key}.to", "") or high
        ends = _number(low), _number(high)
        if ends != (None, None):
            found[key] = ends
    return found


def _rule(query: Mapping[str, str]) -> str:
    """From `by=latency:0.5`, or from a plain form's fields `by`, `by.value` and `by.network`. What it is worth, and
    whether it is a rule at all, is told on the page (runs.trial)."""
    kind, _, given = query.get("by", "").partition(":")
    if kind not in KINDS:
        return ""
    if kind != PICKED and not KINDS[kind].unit:
        return kind
    given = query.get("by.network" if kind == PICKED else "by.value", "") or given
    return f"{kind}:{given.strip()[:20]}"


def _columns(query: Mapping[str, str]) -> tuple[str, ...]:
    asked = query.get("columns", "").split(",")
    if asked == [""]:
        return SHOWN
    return tuple(name for name in COLUMNS if name in asked)


def _names(text: str) -> tuple[str, ...]:
    found = [part for part in text[:400].split(",") if _NAME.fullmatch(part)]
    return tuple(dict.fromkeys(found))[:MOST_COMPARED]


def _number(text: str, low: float = -math.inf, high: float = math.inf) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and low <= value <= high else None


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"


def _list_of_numbers(text: str) -> str:
    return ",".join(part for part in text[:400].split(",") if part.isascii() and part.isdigit())


def _window(text: str) -> str:
    parts = text.split(",")
    return text if len(parts) == 4 and len(text) < 120 and all(_number(part) is not None for part in parts) else ""
