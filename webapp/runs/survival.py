"""How many of each layer's synaptic clusters lived on, network by network down one line of descent."""

from __future__ import annotations

from typing import Any

from webapp.keeping import Table

from .addresses import RunUrls
from .snapshot import Lineage, Snapshot

SHADES = 10  # steps of shading; none for a layer that is nearly gone, the last for one that is whole
LAYERS = 200  # of the strip; deeper networks are shown by the layers that lost most


def survival_context(lineage: Lineage, network: Snapshot | None, urls: RunUrls) -> dict[str, Any] | None:
    """Context of `runs/_survival.html`: layers by the measured networks from the ancestor to `network`, with what is
    left of each.

    {"of": the last one's name, "line": [{"name", "url", "generation"}], "rows": [{"layer", "before", "share": what the
    last network has left, "cells": [{"left", "shade"}]}], "hidden": layers left out}; None where there is no line yet.
    Thousands of cells are written as text here, which templates write out far faster than numbers.
    """
    line = _line(lineage, network)
    if not line or network is None:
        return None
    shown = rows = _rows(line)
    if len(rows) > LAYERS:
        least = sorted(range(len(rows)), key=lambda place: (rows[place]["share"], place))[:LAYERS]
        shown = [rows[place] for place in sorted(least)]
    return {
        "of": line[-1].name,
        "line": [{"name": n.name, "url": urls.network(n.name), "generation": n.generation} for n in line],
        "rows": shown,
        "hidden": len(rows) - len(shown),
    }


def survival_table(lineage: Lineage, network: Snapshot | None) -> Table:
    """Every layer's clusters in each network of the line; the last column is the share that is left at its end."""
    line = _line(lineage, network)
    before = line[0].clusters if line else {}
    rows = []
    for layer, number in before.items():
        left = [one.clusters.get(layer, 0) for one in line]
        rows.append((layer, *left, _share(left[-1], number)))
    return Table(("layer", *(one.name for one in line), "left"), rows)


def _line(lineage: Lineage, network: Snapshot | None) -> list[Snapshot]:
    """The measured networks from the ancestor to this one; [] where they are fewer than two."""
    line = [one for one in lineage.line(network.name) if one.is_measured] if network is not None else []
    return line if len(line) > 1 and line[0].is_ancestor else []


def _rows(line: list[Snapshot]) -> list[dict[str, Any]]:
    counts = [one.clusters for one in line]
    return [
        {
            "layer": layer,
            "before": before,
            "share": _share(counts[-1].get(layer, 0), before),
            "cells": [_cell(left.get(layer, 0), before) for left in counts],
        }
        for layer, before in counts[0].items()
    ]


def _cell(left: int, before: int) -> dict[str, str]:
    return {"left": str(left), "shade": str(round(SHADES * _share(left, before)))}


def _share(left: int, before: int) -> float:
    return min(1.0, left / before) if before else 0.0
