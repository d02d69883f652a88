"""The table of a run's networks: what the view's selection leaves, in its order, page by page; and the same to keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .addresses import RunUrls
from .measures import MEASURES, MOST_COMPARED
from .models import Run
from .snapshot import Lineage, Snapshot, metric_title
from .templatetags import figures
from .view import COLUMNS, View

PAGE = 50  # rows shown at once
_WIDE = ("generation", "parents", "shock", "macs", "bytes", "memory")  # step back on a phone, unless chosen
LABELS = {
    "name": "Network",
    "generation": "Generation",
    "parents": "Parents",
    "shock": "Shock",
    "parameters": "Parameters",
    "macs": "Multiply-adds",
    "bytes": "Size",
    "memory": "Memory",
    "latency": "Latency",
}
_WRITTEN: dict[str, Callable[[Any], str]] = {key: getattr(figures, m.kind) for key, m in MEASURES.items()}


def selected(lineage: Lineage, view: View) -> list[Snapshot]:
    """The networks within every range of the view whose name holds what is searched, in order of birth."""
    found = lineage.networks
    if view.q:
        found = [network for network in found if view.q.lower() in network.name]
    for key in view.ranges:
        low, high = view.bounds(key)
        field = MEASURES[key].field if key in MEASURES else key
        least = float("-inf") if low is None else low - abs(low) * 1e-6  # what was rounded for the address
        most = float("inf") if high is None else high + abs(high) * 1e-6
        found = [n for n in found if (value := getattr(n, field)) is not None and least <= value <= most]
    return found


def ordered(networks: list[Snapshot], sort: str) -> list[Snapshot]:
    """In the view's order; what is not measured yet comes first, what never will be last, whatever the order."""
    key, backwards = sort.removeprefix("-"), sort.startswith("-")
    if key == "name":
        return networks[::-1] if backwards else networks
    field = MEASURES[key].field
    known = [n for n in networks if getattr(n, field) is not None]
    unknown = [n for n in networks if getattr(n, field) is None]
    known.sort(key=lambda n: getattr(n, field), reverse=backwards)
    return [n for n in unknown if n.is_open] + known + [n for n in unknown if not n.is_open]


def table(run: Run, lineage: Lineage, urls: RunUrls, view: View) -> dict[str, Any]:
    """One page of rows, the headings, and where the other pages are."""
    networks = ordered(selected(lineage, view), view.sort)
    pages = max(1, -(-len(networks) // PAGE))
    page = min(view.page, pages)
    first = (page - 1) * PAGE
    shown = networks[first : first + PAGE]
    path = lineage.path(lineage.leading.name if lineage.leading else None)
    return {
        "columns": headings(run, view),
        "rows": [_row(network, lineage, urls, view, path) for network in shown],
        "found": len(networks),
        "total": len(lineage.networks),
        "page": page,
        "pages": pages,
        "first": first + 1,
        "last": min(first + PAGE, len(networks)),
        "newer": view.query(page=page - 1) if page > 1 else "",
        "older": view.query(page=page + 1) if page < pages else "",
        "compare": None if urls.readonly else _compared(run, lineage, view, {n.name for n in shown}),
        "everything": view.query(q="", ranges={}, page=1),
        "choices": [
            {"key": key, "label": label(run, key), "on": key in view.columns, "query": _toggled(view, key)}
            for key in COLUMNS
        ],
    }


def _compared(run: Run, lineage: Lineage, view: View, shown: set[str]) -> dict[str, Any]:
    """The networks that are ticked; those of other pages go along with the form."""
    ticked = [name for name in view.compare if name in lineage.by_name]
    return {
        "count": len(ticked),
        "most": MOST_COMPARED,
        "elsewhere": [name for name in ticked if name not in shown],
        "none": view.query(compare=()),
    }


def label(run: Run, key: str) -> str:
    return metric_title(run) if key == "accuracy" else LABELS[key]


def _toggled(view: View, key: str) -> str:
    shown = set(view.columns) ^ {key}
    return view.query(columns=tuple(name for name in COLUMNS if name in shown))


def _row(network: Snapshot, lineage: Lineage, urls: RunUrls, view: View, path: set[str]) -> dict[str, Any]:
    leading = lineage.leading
    classes = ["row-link"]
    if leading is not None and network.name == leading.name:
        classes.append("sel")
    if network.name in path:
        classes.append("on-path")
    chosen = network.name == view.network
    return {
        "name": network.name,
        "url": urls.network(network.name),
        "pick": view.query(network="" if chosen else network.name, against=""),
        "open": network.is_open,
        "selected": chosen,
        "ticked": network.name in view.compare,
        "compares": network.is_measured,
        "class": " ".join(classes),
        "cells": [(_class(key, view), _cell(network, key)) for key in view.columns],
    }


def _class(key: str, view: View) -> str:
    kind = "muted" if key in ("parents", "shock", "bytes", "generation") else ""
    number = "" if key == "parents" else "num"
    steps_back = key in _WIDE and view.columns == View.columns
    return " ".join(word for word in (number, kind, "wide" if steps_back else "") if word)


def _cell(network: Snapshot, key: str) -> str:
    if key == "generation":
        return str(network.generation)
    if key == "parents":
        return ", ".join(network.parents) or "none"
    if key == "accuracy" and not network.is_measured:
        return "in training" if network.is_living else str(network.state)
    return _WRITTEN[key](getattr(network, MEASURES[key].field))


def headings(run: Run, view: View) -> list[dict[str, str]]:
    """Headings that sort: a click sorts downwards first where more is better, upwards where less is."""
    result = []
    for key in ("name", *view.columns):
        falling = key == "name" or (key in MEASURES and MEASURES[key].more_is_better)
        first, other = (f"-{key}", key) if falling else (key, f"-{key}")
        present = view.sort.removeprefix("-") == key
        sorts = key == "name" or key in MEASURES
        result.append(
            {
                "key": key,
                "label": label(run, key),
                "class": "" if key == "name" else _class(key, view).replace("muted", ""),
                "order": ("descending" if view.sort.startswith("-") else "ascending") if present else "",
                "query": view.query(sort=other if view.sort == first else first, page=1) if sorts else "",
            }
        )
    return result
