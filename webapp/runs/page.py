"""What a run's page shows. `run_context` serves the team's page and a share link's alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .addresses import RunUrls
from .answer import answer
from .choice import points_words
from .curves import curves_context
from .layout import HEIGHTS
from .measures import COSTS, MEASURES
from .models import Run, RunEvent
from .sentences import QUIET, sentence
from .snapshot import Lineage, Snapshot, metric_label, metric_title
from .status import status_of
from .survival import survival_context
from .words import settings_context

ROWS = 100  # of networks shown at once; the rest by a link
LINES = 30  # of the log on the run's page
_SORTS = ("name", "accuracy", "shock", "parameters", "macs", "latency", "size")
_SORT_FIELDS = {
    "accuracy": "validation_accuracy",
    "shock": "shock_accuracy",
    "parameters": "parameters",
    "macs": "macs",
    "latency": "latency_ms",
    "size": "bytes",
}


@dataclass(frozen=True)
class View:
    """What of the page's state lives in its address. Unknown values fall back to the defaults."""

    height: str = "accuracy"
    cost: str = "parameters"
    network: str = ""
    sort: str = "-name"
    drop: float | None = None
    rows: int | None = ROWS  # None: all

    @classmethod
    def read(cls, query: Mapping[str, str]) -> View:
        height, cost, sort = query.get("height", ""), query.get("cost", ""), query.get("sort", "")
        return cls(
            height if height in HEIGHTS else cls.height,
            cost if cost in COSTS else cls.cost,
            query.get("network", "")[:20],
            sort if sort.removeprefix("-") in _SORTS else cls.sort,
            _drop(query.get("drop", "")),
            None if query.get("rows") == "all" else ROWS,
        )

    def query(self, **changes: Any) -> str:
        """The address's query for this view with changes; defaults are left out."""
        now = {"height": self.height, "cost": self.cost, "network": self.network, "sort": self.sort}
        now |= {"drop": "" if self.drop is None else f"{self.drop:g}", "rows": "all" if self.rows is None else ""}
        now |= {name: str(value) for name, value in changes.items()}
        plain = {"height": View.height, "cost": View.cost, "sort": View.sort}
        kept = {name: value for name, value in now.items() if value and value != plain.get(name)}
        return "?" + urlencode(kept) if kept else "?"


def _drop(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def run_context(run: Run, urls: RunUrls, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Context of `runs/_run.html` and of each of its fragments. `urls.readonly` hides what only members may do."""
    lineage = Lineage.of(run)
    view = View.read(query or {})
    return {
        "run": run,
        "urls": urls.plain(),
        "readonly": urls.readonly,
        "view": view,
        "metric": metric_label(run),
        "detection": run.dataset.task == "detection",
        "status": status_of(run, lineage),
        "answer": answer(run, lineage, urls, view.network),
        "drop_words": points_words(lineage.max_drop if view.drop is None else view.drop),
        "columns": columns(run, view),
        "axes": axes(view),
        "events": log(run, LINES),
        **settings_context(run, None if urls.readonly else run.cloned_from),
        **table(lineage, urls, view),
        **layers(lineage, urls, view),
        **curves_context(run, lineage, urls, view.network),
    }


def curves(run: Run, urls: RunUrls, query: Mapping[str, str]) -> dict[str, Any]:
    """Context of `runs/_curves.html` alone."""
    view = View.read(query)
    shown = curves_context(run, Lineage.of(run), urls, view.network)
    return {"view": view, "metric": metric_label(run), "status": {"ended": run.has_ended}, **shown}


# --- the table --------------------------------------------------------------------------


def table(lineage: Lineage, urls: RunUrls, view: View) -> dict[str, Any]:
    """Rows in the view's order. What is not measured yet comes first, whatever the order."""
    leading = lineage.leading
    networks = _sorted(lineage.networks, view.sort)
    shown = networks if view.rows is None else networks[: view.rows]
    path = lineage.path(leading.name if leading else None)
    rows = [
        {
            "network": network,
            "url": urls.network(network.name),
            "parents": [{"name": name, "url": urls.network(name)} for name in network.parents],
            "smaller": lineage.smaller(network),
            "leading": leading is not None and network.name == leading.name,
            "on_path": network.name in path,
            "selected": network.name == view.network,
        }
        for network in shown
    ]
    return {"rows": rows, "total": len(networks), "all_rows": view.query(rows="all")}


def _sorted(networks: list[Snapshot], sort: str) -> list[Snapshot]:
    name, backwards = sort.removeprefix("-"), sort.startswith("-")
    order = {network.name: place for place, network in enumerate(networks)}  # birth order
    if name == "name":
        return sorted(networks, key=lambda n: order[n.name], reverse=backwards)
    field = _SORT_FIELDS[name]
    known = [n for n in networks if getattr(n, field) is not None]
    unknown = [n for n in networks if getattr(n, field) is None]
    known.sort(key=lambda n: (getattr(n, field), order[n.name]), reverse=backwards)
    return [n for n in unknown if n.is_open] + known + [n for n in unknown if not n.is_open]


def columns(run: Run, view: View) -> list[dict[str, str]]:
    """Headings that sort: a click sorts downwards first where more is better, upwards where less is."""
    labels = {
        "name": "Network",
        "accuracy": metric_title(run),
        "shock": "Shock",
        "parameters": "Parameters",
        "macs": "Multiply-adds",
        "latency": "Latency",
        "size": "Size",
    }
    result = []
    for key, label in labels.items():
        first = f"-{key}" if key in ("name", "accuracy", "shock") else key
        other = key if first.startswith("-") else f"-{key}"
        present = view.sort.removeprefix("-") == key
        order = ("descending" if view.sort.startswith("-") else "ascending") if present else ""
        result.append(
            {
                "key": key,
                "label": label,
                "order": order,
                "query": view.query(sort=other if view.sort == first else first),
            }
        )
    return result


def axes(view: View) -> dict[str, list[dict[str, Any]]]:
    """The switches above the charts: links that work without scripts, too."""
    return {
        "height": [
            {"key": key, "label": label, "on": view.height == key, "query": view.query(height=key)}
            for key, label in (("accuracy", "accuracy"), ("size", "size"))
        ],
        "cost": [
            {"key": key, "label": MEASURES[key].label, "on": view.cost == key, "query": view.query(cost=key)}
            for key in COSTS
        ],
    }


# --- layers, log, settings ----------------------------------------------------------------


def layers(lineage: Lineage, urls: RunUrls, view: View) -> dict[str, Any]:
    """What is left of each of the ancestor's layers in the selected network, or in the leading one."""
    network = lineage.by_name.get(view.network) or lineage.leading or lineage.ancestor
    before = lineage.ancestor.clusters if lineage.ancestor else {}
    rows = []
    if network is not None:
        rows = [
            {"layer": layer, "left": left, "of": before.get(layer, left)} for layer, left in network.clusters.items()
        ]
    return {
        "selected": network,
        "selected_url": urls.network(network.name) if network else "",
        "layers": rows,
        "survival": survival_context(lineage, network, urls),
    }


def log(run: Run, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """The latest events as sentences, newest first; the many small ones are left out."""
    events = RunEvent.objects.filter(run=run).exclude(kind__in=QUIET).select_related("network")
    if before is not None:
        events = events.filter(number__lt=before)
    return [line(event) for event in events.order_by("-number")[:limit]]


def line(event: RunEvent) -> dict[str, Any]:
    return {"number": event.number, "at": event.at, "kind": event.kind, "text": sentence(event)}
