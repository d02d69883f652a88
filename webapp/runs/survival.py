"""How many of each layer's synaptic clusters lived on, network by network down one line of descent."""

from __future__ import annotations

from typing import Any

from .addresses import RunUrls
from .snapshot import Lineage, Snapshot

SHADES = 10  # steps of shading; none for a layer that is nearly gone, the last for one that is whole
LAYERS = 200  # of the strip; deeper networks are shown by the layers that lost most


def survival_context(lineage: Lineage, network: Snapshot | None, urls: RunUrls) -> dict[str, Any] | None:
    """Context of `runs/_survival.html`: layers by the networks from the ancestor to `network`, with what is left.

    {"of": name, "line": [{"name", "url", "generation"}], "rows": [{"layer", "before", "share": what the last network
    has left, "cells": [{"left", "shade"}]}], "hidden": layers left out}; None where there is no line yet. Thousands of
    cells are written as text here, which templates write out far faster than numbers.
    """
    line = [one for one in lineage.line(network.name) if one.is_measured] if network is not None else []
    if len(line) < 2 or network is None or not line[0].is_ancestor:
        return None
    counts = [one.clusters for one in line]
    rows: list[dict[str, Any]] = [
        {
            "layer": layer,
            "before": before,
            "share": _share(counts[-1].get(layer, 0), before),
            "cells": [_cell(left.get(layer, 0), before) for left in counts],
        }
        for layer, before in counts[0].items()
    ]
    shown = rows
    if len(rows) > LAYERS:
        least = sorted(range(len(rows)), key=lambda place: (rows[place]["share"], place))[:LAYERS]
        shown = [rows[place] for place in sorted(least)]
    return {
        "of": network.name,
        "line": [{"name": n.name, "url": urls.network(n.name), "generation": n.generation} for n in line],
        "rows": shown,
        "hidden": len(rows) - len(shown),
    }


def _cell(left: int, before: int) -> dict[str, str]:
    return {"left": str(left), "shade": str(round(SHADES * _share(left, before)))}


def _share(left: int, before: int) -> float:
    return min(1.0, left / before) if before else 0.0
