"""Tables to keep: the rows behind a page's table or chart as a CSV or JSON file, whole, in order, unrounded.

Every such file goes through :func:`kept`. A subject only says which tables it has and what stands in them, and its
page's `_keep.html` leads to them; how they are written, and what no spreadsheet may take for a formula, stands here.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse

KINDS = ("csv", "json")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what formulas begin with


@dataclass(frozen=True)
class Table:
    """`columns` name a row's values, each by a name of its own; values are texts, numbers, moments, lists of texts, or
    None where unknown. Fractions, counts, bytes and milliseconds are as they were measured. Raises ValueError for two
    columns of one name: a JSON file would lose one of them."""

    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]

    def __post_init__(self) -> None:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"Two columns of a table have one name: {', '.join(self.columns)}")

    @classmethod
    def of(cls, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Table:
        """From mappings, of which other names than the columns' are left out."""
        return cls(columns, [[record.get(name) for name in columns] for record in records])


def kept(table: Table, kind: str, name: str) -> HttpResponse:
    """The table as an attachment `name.kind`. Raises Http404 for another kind than KINDS."""
    response: HttpResponse
    if kind == "json":
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        response = JsonResponse(rows, safe=False, json_dumps_params={"indent": 1, "ensure_ascii": False})
    elif kind == "csv":
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        writer = csv.writer(response)
        writer.writerow([inert(column) for column in table.columns])
        writer.writerows([_cell(value) for value in row] for row in table.rows)
    else:
        raise Http404("There is CSV and JSON.")
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


class Addresses:
    """Where a page's tables are: `tables.layers.csv` in a template. `address(table, kind)` says it."""

    def __init__(self, address: Callable[[str, str], str]):
        self._address = address

    def __getitem__(self, table: str) -> dict[str, str]:
        return {kind: self._address(table, kind) for kind in KINDS}


def inert(text: str) -> str:
    """A text that no spreadsheet will take for a formula: names are other people's."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(value: Any) -> Any:
    """Lists are joined by spaces; what is unknown is empty."""
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    elif isinstance(value, datetime):
        value = value.isoformat(timespec="seconds")
    return inert(value) if isinstance(value, str) else value
