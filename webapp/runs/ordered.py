"""Tables of runs whose order, and whose ticks for comparing, stand in the address: the list, and those of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from .measures import MOST_COMPARED

T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """`by` orders rows: an expression of the database, or a function of a row. `falling`: people look for the largest
    first. `words` say both orders, rising and falling."""

    label: str
    by: Any
    words: tuple[str, str]
    falling: bool = False
    css: str = ""


class Addressed(Protocol):
    """What a page shows, as its address says."""

    def query(self, **changes: Any) -> str: ...


def read_order(text: str, columns: Mapping[str, Column], usual: str) -> str:
    """A column's name, with a minus where it falls; the usual one for what is unknown."""
    return text if text.removeprefix("-") in columns else usual


def read_ticks(text: str) -> tuple[int, ...]:
    """Keys of runs, each once, no more than can be compared."""
    found = [one for one in text.split(",") if one.isascii() and one.isdigit() and len(one) < 13]
    return tuple(dict.fromkeys(map(int, found)))[:MOST_COMPARED]


def written(values: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """The address's query of what is not as usual."""
    told = {name: value for name, value in values.items() if value != usual[name]}
    lists = {name: ",".join(map(str, value)) for name, value in told.items() if isinstance(value, tuple)}
    return "?" + urlencode(told | lists, safe=",", quote_via=quote)


def headings(view: Addressed, columns: Mapping[str, Column], now: str, name: str = "sort") -> list[dict[str, str]]:
    """Headings that sort: a click sorts first by what people look for there, the best figures and the newest runs.
    `now` is the order, and `name` what it is called in the address."""
    found = []
    for key, column in columns.items():
        first, other = (f"-{key}", key) if column.falling else (key, f"-{key}")
        order = "descending" if now.startswith("-") else "ascending"
        found.append(
            {
                "label": column.label,
                "class": column.css,
                "order": order if now.removeprefix("-") == key else "",
                "query": view.query(**{name: other if now == first else first}),
            }
        )
    return found


def orders(columns: Mapping[str, Column], now: str) -> list[dict[str, Any]]:
    """The same to choose from, where there is no room for headings."""
    return [
        {"key": sign + key, "label": column.words[sign == "-"], "on": sign + key == now}
        for key, column in columns.items()
        for sign in (("-", "") if column.falling else ("", "-"))
    ]


def arranged(rows: Iterable[T], columns: Mapping[str, Column], order: str) -> list[T]:
    """Rows by a column whose `by` is a function of a row; what is not known (None) comes last, whatever the order."""
    by: Callable[[T], Any] = columns[order.removeprefix("-")].by
    rows = list(rows)
    known = [row for row in rows if by(row) is not None]
    return sorted(known, key=by, reverse=order.startswith("-")) + [row for row in rows if by(row) is None]
