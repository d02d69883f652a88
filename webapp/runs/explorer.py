"""What lineage, trade-off, card and table need to be drawn and steered, as the view in the address says."""

from __future__ import annotations

from functools import partial
from typing import Any

from webapp.keeping import Addresses

from .addresses import RunUrls
from .card import card
from .choice import KINDS, LANDING
from .measures import COSTS, HEIGHTS, MEASURES
from .models import Run
from .snapshot import Lineage, metric_title
from .survival import survival_context
from .table import table
from .view import RANGED, View


def explorer(run: Run, lineage: Lineage, urls: RunUrls, view: View) -> dict[str, Any]:
    """Context of the panels that one selection brushes together; `live` pages ask for it again."""
    shown = card(run, lineage, urls, view)
    return {
        "tables": Addresses(partial(urls.get, "table")),
        "table": table(run, lineage, urls, view),
        "card": shown,
        "survival": survival_context(lineage, shown["selected"], urls),
        "axes": axes(run, view),
        "rules": [_button(key) for key in LANDING],
        "drop": lineage.max_drop,
        "filters": filters(run, view),
        "kept": view.parameters(),
        "plainly": [(name, value) for name, value in view.parameters().items() if name not in (*RANGED, "page")],
    }


def _button(key: str) -> dict[str, str]:
    """A rule as a button with a field behind it: "Smallest within … points" parted at its gap."""
    label, unit = KINDS[key].label.split(" … ")
    return {"key": key, "label": label, "unit": unit}


def axes(run: Run, view: View) -> list[dict[str, Any]]:
    """What each chart can be drawn by, and on which scales: links that work without scripts, too."""
    return [
        {
            "name": "lineage",
            "label": "Height in the lineage",
            "sets": "height",
            "measures": [_axis(run, key, view.height, view.query(height=key, hscale="", look="")) for key in HEIGHTS],
            "scales": [_scale(run, view, "hscale", view.height)],
        },
        {
            "name": "tradeoff",
            "label": "Cost in the trade-off",
            "sets": "cost",
            "measures": [_axis(run, key, view.cost, view.query(cost=key, xscale="", zoom="")) for key in COSTS],
            "scales": [_scale(run, view, "xscale", view.cost), _scale(run, view, "yscale", "accuracy")],
        },
    ]


def _axis(run: Run, key: str, now: str, query: str) -> dict[str, Any]:
    return {"key": key, "label": _label(run, key), "on": key == now, "query": query}


def _scale(run: Run, view: View, name: str, key: str) -> dict[str, Any]:
    """A link that turns an axis from logarithmic to linear or back."""
    plain = "log" if MEASURES[key].log else "linear"
    now = getattr(view, name) or plain
    other = "linear" if now == "log" else "log"
    query = view.query(**{name: "" if other == plain else other})
    return {"name": name, "label": _label(run, key), "now": now, "other": other, "query": query}


def filters(run: Run, view: View) -> list[dict[str, Any]]:
    """Two fields for every measure, from and to, in the units that people type."""
    rows = []
    for key in ("generation", *MEASURES):
        low, high = view.ranges.get(key, (None, None))
        unit = MEASURES[key].unit if key in MEASURES else ""
        rows.append({"key": key, "label": _label(run, key), "unit": unit, "low": _typed(low), "high": _typed(high)})
    return rows


def _typed(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"


def _label(run: Run, key: str) -> str:
    return metric_title(run) if key == "accuracy" else MEASURES[key].label if key in MEASURES else key
