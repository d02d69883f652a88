"""Tables to keep: the rows behind a page's table or chart as a CSV or JSON file, whole, in order, unrounded.

Every such file goes through :func:`kept`. A subject only says which tables it has and what stands in them, and its
page's `_keep.html` leads to them; how they are written, and what no spreadsheet may take for a formula, stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse

KINDS = ("csv", "json")
# Where a formula could begin: at a text's start, and behind whatever some spreadsheet takes for a cell's end.
_FORMULA = re.compile(r"\A(?=[=+\-@＝＋－＠\t\r\n])|(?<=[;,\t\r\n])(?=[=+\-@＝＋－＠])")


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
        lines = [table.columns, *table.rows]
        # By its byte order mark spreadsheets know a file for UTF-8.
        content = "\ufeff" + "".join(",".join(map(_cell, line)) + "\r\n" for line in lines)
        response = HttpResponse(content, content_type="text/csv; charset=utf-8")
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
    """A text that no spreadsheet will take for a formula, wherever it ends its cells: names are other people's."""
    return _FORMULA.sub("'", text)


def _cell(value: Any) -> str:
    """A cell as CSV has it. Lists are joined by spaces. Texts are quoted, or spreadsheets that separate by semicolons
    split them; numbers are not, nor what is unknown, which is empty: `csv` can do that from Python 3.12 on."""
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    elif isinstance(value, datetime):
        value = value.isoformat(timespec="seconds")
    if isinstance(value, str):
        return '"' + inert(value).replace('"', '""') + '"'
    return "" if value is None else str(value)
