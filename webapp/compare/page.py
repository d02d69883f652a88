"""What the comparison's page shows, and what its charts draw."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.urls import reverse

from webapp.compare import tables
from webapp.compare.asked import ALIGNMENTS, MOST, Asked
from webapp.compare.curves import curve, mean_curve
from webapp.compare.entries import Details, Entry, entries_of, letters_of, runs_of
from webapp.keeping import Addresses
from webapp.runs.addresses import RunUrls
from webapp.runs.measures import COSTS, MEASURES
from webapp.runs.models import Run
from webapp.runs.pareto import front
from webapp.runs.snapshot import Lineage, Snapshot, metric_label
from webapp.teams.models import Team

POINTS = 300  # of one run in the chart; the front is always whole
FEW, MANY = 3, 5  # so few that tables of theirs stand side by side; so many that headings are letters alone
OFFERED = 100  # runs, and networks of each compared run, in the lists to choose from


def page_context(team: Team, asked: Asked) -> dict[str, Any]:
    """Context of `compare/page.html`."""
    entries, missing = entries_of(team, asked)
    details = Details.of(entries)
    runs = runs_of(entries)
    groups = tables.groups_of_seeds(entries)
    return {
        "asked": asked,
        "entries": [_entry(entry, asked) for entry in entries],
        "missing": missing,
        "most": MOST,
        "full": len(entries) >= MOST,
        "few": len(entries) <= FEW,
        "many": len(entries) >= MANY,
        "has_runs": any(not entry.name for entry in entries),
        "metric": _metric(entries),
        "headings": [(key, heading) for key, heading, _ in tables.FIGURES],
        "groups": [tables.spread(group) for group in groups],
        "letters": [entry.letter for entry in entries],
        "runs": [{"run": one.run, "marks": _marks(entries, one)} for one in runs],
        "run_letters": [letters_of(entries, entry) for entry in runs],
        "settings": tables.settings(runs, asked.all),
        "all_url": asked.query(all=not asked.all),
        "layers": tables.layers(entries),
        "classes": tables.classes(entries, details),
        "alignments": [
            {"label": label, "on": asked.align == key, "query": asked.query(align=key)}
            for key, label in ALIGNMENTS.items()
        ],
        "costs": [
            {"label": MEASURES[key].label, "on": asked.cost == key, "query": asked.query(cost=key)} for key in COSTS
        ],
        "cost": MEASURES[asked.cost],
        "fronts": [
            {"letters": letters_of(entries, one), "run": one.run, "rows": _front_rows(one, asked.cost)} for one in runs
        ],
        "offered_runs": _offered_runs(team, asked),
        "offered_networks": [{"run": one.run, "networks": _offered_networks(one, asked)} for one in runs],
        "tables": Addresses(partial(_table, asked.query())),
        "section": "runs",
    }


def _table(query: str, table: str, kind: str) -> str:
    return reverse("compare:table", args=[table, kind]) + query


_SHOWN = ("letter", "number", "name", "run", "title", "url", "network", "network_url")


def _entry(entry: Entry, asked: Asked) -> dict[str, Any]:
    """What is shown of an entry. Not the entry itself: a template's context lives on until the garbage collector comes
    by, and the whole lineage would with it."""
    found = tables.figures(entry)
    cells = [{"heading": heading, "kind": kind, "value": found[key]} for key, heading, kind in tables.FIGURES]
    shown = {name: getattr(entry, name) for name in _SHOWN}
    return {"entry": shown, "cells": cells, "without": asked.without(entry.thing)}


def _marks(entries: list[Entry], one: Entry) -> list[dict[str, Any]]:
    """Letter and colour of every entry of a run."""
    return [{"letter": entry.letter, "number": entry.number} for entry in entries if entry.run.pk == one.run.pk]


def _metric(entries: list[Entry]) -> str:
    """What accuracy is called, if all tasks call it alike."""
    labels = {metric_label(entry.run) for entry in entries}
    return labels.pop() if len(labels) == 1 else "accuracy or mAP@.5"


def _offered_runs(team: Team, asked: Asked) -> list[Run]:
    runs = Run.objects.filter(team=team).exclude(pk__in=[run for run, name in asked.things if not name])
    return list(runs.only("pk", "name", "created_at", "state")[:OFFERED])


def _offered_networks(entry: Entry, asked: Asked) -> list[Snapshot]:
    """Measured networks that are not compared yet: the leading one, the front, then the others, in order of birth."""
    lineage = entry.lineage
    taken = {name for run, name in asked.things if run == entry.run.pk}
    first = {network.name for network in front_of(lineage, "parameters")} | (
        {lineage.leading.name} if lineage.leading else set()
    )
    known = [network for network in lineage.measured if network.name not in taken]
    chosen = sorted(known, key=lambda network: network.name not in first)[:OFFERED]
    kept = {network.name for network in chosen}
    return [network for network in known if network.name in kept]


# --- the charts -----------------------------------------------------------------------------


def chart_data(team: Team, asked: Asked) -> dict[str, Any]:
    """{"align", "cost", "metric", "entries": [{"letter", "number", "title", "run", "network", "curve", "point"}],
    "means": [{"letters", "number", "mean", "low", "high"}], "runs": [{"number", "front", "others"}]}; points are {"x",
    "y", "name", "url"}."""
    entries, _ = entries_of(team, asked)
    details = Details.of(entries)
    curves = {entry.letter: curve(entry, details, asked.align) for entry in entries}
    means = []
    for group in tables.groups_of_seeds(entries):
        found = mean_curve([curves[entry.letter] for entry in group])
        if found is not None:
            means.append({"letters": "".join(entry.letter for entry in group), "number": group[0].number, **found})
    return {
        "align": asked.align,
        "cost": asked.cost,
        "metric": _metric(entries),
        "entries": [
            {
                "letter": entry.letter,
                "number": entry.number,
                "title": entry.title,
                "run": entry.run.name,
                "network": entry.network.name if entry.network else None,
                "curve": curves[entry.letter],
                "point": _point(entry, entry.network, asked.cost) if entry.network else None,
            }
            for entry in entries
        ],
        "means": means,
        "runs": [_run_points(one, asked.cost) for one in runs_of(entries)],
    }


def _run_points(entry: Entry, cost: str) -> dict[str, Any]:
    """A run's front, and of its other networks all, or POINTS of them spread evenly."""
    best = front_of(entry.lineage, cost)
    names = {network.name for network in best}
    others = [n for n in entry.lineage.measured if n.name not in names and n.measure(cost) is not None]
    step = max(1, -(-len(others) // POINTS))
    return {
        "number": entry.number,
        "title": entry.run.name,
        "front": [_point(entry, network, cost) for network in best],
        "others": [_point(entry, network, cost) for network in others[::step]],
    }


def _point(entry: Entry, network: Snapshot, cost: str) -> dict[str, Any]:
    url = RunUrls(entry.run).network(network.name)
    return {"x": network.measure(cost), "y": network.validation_accuracy, "name": network.name, "url": url}


def front_of(lineage: Lineage, cost: str) -> list[Snapshot]:
    """Measured networks that no other beats on this cost and on accuracy, cheapest first."""
    known = [network for network in lineage.measured if network.measure(cost) is not None]
    return [known[i] for i in front([(n.measure(cost) or 0.0, n.validation_accuracy or 0.0) for n in known])]


def _front_rows(entry: Entry, cost: str) -> list[dict[str, Any]]:
    urls = RunUrls(entry.run)
    return [
        {"network": network, "url": urls.network(network.name), "cost": network.measure(cost)}
        for network in front_of(entry.lineage, cost)
    ]
