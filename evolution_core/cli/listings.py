"""Listings of what a run can be made of, from the catalogue."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..spec import catalogue


@dataclass(frozen=True)
class Listing:
    help: str
    rows: Callable[[], list[dict[str, Any]]]


def _architectures() -> list[dict[str, Any]]:
    return [dataclasses.asdict(card) for card in catalogue.ARCHITECTURES.values()]


def _parts(table: dict[str, catalogue.Part]) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [dataclasses.asdict(part) for part in table.values()]


LISTINGS: dict[str, Listing] = {
    "architectures": Listing("list the base networks", _architectures),
    "stresses": Listing("list the stress signals", _parts(catalogue.STRESSES)),
    "environments": Listing("list the environmental factors", _parts(catalogue.ENVIRONMENTS)),
}


def list_command(options: argparse.Namespace) -> int:
    rows = LISTINGS[options.listing].rows()
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['name']}  -  {row['label']}")
        for line in _facts(row):
            print(textwrap.fill(line, 100, initial_indent="    ", subsequent_indent="    "))
    return 0


def _facts(row: dict[str, Any]) -> list[str]:
    lines = [row["summary"]]
    if "reference_input" in row:
        shape = "x".join(str(side) for side in row["reference_input"])
        lines.append(
            f"{row['task']}; {row['parameters']:,} parameters and {row['macs']:,} multiply-adds "
            f"at input {shape} and {row['reference_classes']} classes"
        )
    for parameter in row.get("parameters", ()) if "reference_input" not in row else ():
        lines.append(
            f"{parameter['name']} (default {parameter['default']:g}, {parameter['minimum']:g} to "
            f"{parameter['maximum']:g}): {parameter['summary']}"
        )
    source = ", ".join(part for part in (row.get("source"), row.get("origin")) if part)
    return [*lines, f"Source: {source}"] if source else lines
