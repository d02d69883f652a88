"""The card of the selected network: its figures, its relatives, and what each layer lost since ancestor or parent."""

from __future__ import annotations

from typing import Any

from webapp.fields import key_of
from webapp.networks.models import Network

from .addresses import RunUrls
from .models import Run
from .snapshot import Lineage, Snapshot, metric_title
from .templatetags.figures import compared, count, milliseconds, percent, points, size
from .view import View

_RELATIVES = 12  # offspring named on the card; the rest is counted


def card(run: Run, lineage: Lineage, urls: RunUrls, view: View) -> dict[str, Any]:
    """Context of `runs/_card.html`: the selected network, or the leading one, or the ancestor. One query."""
    network = lineage.by_name.get(view.network) or lineage.leading or lineage.ancestor
    if network is None:
        return {"selected": None}
    against = _against(lineage, network, view.against)
    children = [n.name for n in lineage.networks if network.name in n.parents]
    return {
        "selected": network,
        "selected_url": urls.network(network.name),
        "is_leading": lineage.leading is not None and lineage.leading.name == network.name,
        "leads_as": "by the rule tried" if lineage.is_tried else "chosen" if run.has_ended else "ahead",
        "was_asked_for": network.name == view.network,
        "figures": figures(run, lineage, network),
        "against": against,
        "edges": [
            {"name": name, "on": against is not None and against.name == name, "query": _edge(view, network, name)}
            for name in dict.fromkeys([*network.parents, lineage.ancestor.name if lineage.ancestor else ""])
            if name and name != network.name
        ],
        "relatives": [(name, view.query(network=name, against="", page=1)) for name in children[:_RELATIVES]],
        "offspring": len(children),
        "unnamed": max(0, len(children) - _RELATIVES),
        "layers": layers(run, network, against),
    }


def _edge(view: View, network: Snapshot, name: str) -> str:
    return view.query(network=network.name, against=name)


def _against(lineage: Lineage, network: Snapshot, asked: str) -> Snapshot | None:
    """Whom to compare with: a parent where an edge was asked for, else the ancestor; None for the ancestor itself."""
    if asked in network.parents:
        return lineage.by_name.get(asked)
    return None if network.is_ancestor else lineage.ancestor


def figures(run: Run, lineage: Lineage, network: Snapshot) -> list[dict[str, str]]:
    """Each measure in words, with what it is against the ancestor's."""
    rows = []

    def add(label: str, value: str, note: str = "") -> None:
        if value:
            rows.append({"label": label, "value": value, "note": note})

    def ratio(field: str, kind: str) -> str:
        own, before = getattr(network, field), getattr(lineage.ancestor, field, None)
        return compared(before / own, kind) if own and before and not network.is_ancestor else ""

    difference = None if network.is_ancestor else lineage.points(network)
    note = "" if difference is None else f"{points(difference)} points"
    add(metric_title(run), percent(network.validation_accuracy), note)
    add("On unseen images", percent(network.test_accuracy))
    recovery = None
    if network.shock_accuracy is not None and network.validation_accuracy is not None:
        recovery = (network.validation_accuracy - network.shock_accuracy) * 100
    add("Shock", percent(network.shock_accuracy), "" if recovery is None else f"{points(recovery)} points by growing")
    add("Parameters", count(network.parameters), ratio("parameters", "count"))
    add("Multiply-adds", count(network.macs), ratio("macs", "count"))
    add("Size", size(network.bytes), ratio("bytes", "size"))
    add("Memory", size(network.peak_activation_bytes), ratio("peak_activation_bytes", "size"))
    speed = network.speed_up
    note = compared(speed, "milliseconds") if speed and not network.is_ancestor else ""
    add("Latency", milliseconds(network.latency_ms), note)
    return rows


def layers(run: Run, network: Snapshot, against: Snapshot | None) -> list[dict[str, Any]]:
    """Each layer's clusters and parameters beside those of `against`: the difference that an edge stands for."""
    names = [network.name, *([against.name] if against else [])]
    rows = Network.objects.filter(run=run, name__in=names).values_list("name", key_of("record", "layers"))
    records = {name: {row["layer"]: row for row in found or []} for name, found in rows}
    own, other = records.get(network.name, {}), records.get(against.name, {}) if against else {}
    before = against.clusters if against else {}
    result = []
    for layer, left in network.clusters.items():
        number, former = own.get(layer, {}).get("parameters"), other.get(layer, {}).get("parameters")
        result.append(
            {
                "layer": layer,
                "left": left,
                "of": before.get(layer, left),
                "lost": before.get(layer, left) - left,
                "parameters": number,
                "before": former,
            }
        )
    return result
