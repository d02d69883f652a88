"""The tables of a comparison, to keep as files. What is compared is named by its letter, as on the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import Http404

from webapp.compare import tables
from webapp.compare.asked import Asked
from webapp.compare.curves import curve
from webapp.compare.entries import Details, Entry, entries_of, letters_of, runs_of
from webapp.compare.page import front_of
from webapp.keeping import Table
from webapp.teams.models import Team


@dataclass(frozen=True)
class Compared:
    """What the address asks for, as far as it is the team's."""

    asked: Asked
    entries: list[Entry]

    @cached_property
    def details(self) -> Details:
        return Details.of(self.entries)

    @property
    def runs(self) -> list[Entry]:
        return runs_of(self.entries)

    @property
    def heads(self) -> list[str]:
        return [f"{entry.letter} {entry.title}" for entry in self.entries]


def figures(of: Compared) -> Table:
    """What came out of each, then mean and sample standard deviation over seeds, in rows of their own."""
    keys = [key for key, _, _ in tables.FIGURES]
    rows: list[tuple[Any, ...]] = []
    for entry in of.entries:
        found = tables.figures(entry)
        name = entry.network.name if entry.network else None
        values = (found[key] for key in keys)
        rows.append((entry.letter, "network", entry.run.name, name, entry.run.spec.get("seed"), *values))
    for group in map(tables.spread, tables.groups_of_seeds(of.entries)):
        for kind in ("mean", "deviation"):
            rows.append((group["letters"], kind, None, None, group["seeds"], *(cell[kind] for cell in group["cells"])))
    return Table(("letter", "row", "run", "network", "seed", *keys), rows)


def curves(of: Compared) -> Table:
    """Every point of the training curves, aligned as the address says."""
    rows = [
        (entry.letter, entry.run.name, point["network"], point["phase"], point["x"], point["y"])
        for entry in of.entries
        for point in curve(entry, of.details, of.asked.align)
    ]
    metric = "accuracy" if any(entry.run.dataset.task != "detection" for entry in of.entries) else "map50"
    return Table(
        ("letter", "run", "network", "phase", "seconds" if of.asked.align == "time" else "epochs", metric), rows
    )


def fronts(of: Compared) -> Table:
    """Each run's Pareto front by the cost that the address names."""
    cost = of.asked.cost
    rows = [
        (letters_of(of.entries, one), one.run.name, network.name, network.measure(cost), network.validation_accuracy)
        for one in of.runs
        for network in front_of(one.lineage, cost)
    ]
    return Table(("letters", "run", "network", cost, "accuracy"), rows)


def settings(of: Compared) -> Table:
    """What was asked for, in words: what differs, or all where the address says so."""
    heads = [f"{letters_of(of.entries, one)} {one.run.name}" for one in of.runs]
    rows = tables.settings(of.runs, of.asked.all)["rows"]
    return Table(("setting", "differs", *heads), [(row["label"], row["differs"], *row["values"]) for row in rows])


def layers(of: Compared) -> Table:
    """Clusters left of each layer, and of how many: two columns for each that is compared."""
    heads = [name for head in of.heads for name in (head, f"{head}, ancestor")]
    rows = [
        (row["layer"], *(cell[key] if cell else None for cell in row["cells"] for key in ("left", "of")))
        for row in tables.layers(of.entries, None)
    ]
    return Table(("layer", *heads), rows)


def classes(of: Compared) -> Table:
    """The share recognised of each class (of detectors: mAP@.5), the most different first."""
    rows = [(row["name"], *row["values"]) for row in tables.classes(of.entries, of.details, None)]
    return Table(("class", *of.heads), rows)


TABLES: dict[str, Callable[[Compared], Table]] = {
    table.__name__: table for table in (figures, curves, fronts, settings, layers, classes)
}


def of_comparison(team: Team, asked: Asked, name: str) -> Table:
    """One of TABLES. Raises Http404 for another name, and where nothing that is asked for is the team's."""
    entries, _ = entries_of(team, asked)
    if name not in TABLES or not entries:
        raise Http404("There is no such table.")
    return TABLES[name](Compared(asked, entries))
