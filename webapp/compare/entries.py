"""The things that are compared, read from the database: a fixed number of queries, however many they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webapp.compare.asked import Asked
from webapp.fields import key_of
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage, Snapshot
from webapp.teams.models import Team

LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Entry:
    """One thing in a comparison. A run stands for itself by its chosen network, or by its best so far.

    `letter` and `number` (0 to 7: colour and shape) name it in charts and tables. `line` goes from the ancestor to
    `network`, which is None while a run has nothing to show.
    """

    letter: str
    number: int
    run: Run
    name: str  # the network's that was asked for; "" for a run
    lineage: Lineage
    network: Snapshot | None

    @property
    def thing(self) -> tuple[int, str]:
        return self.run.pk, self.name

    @property
    def title(self) -> str:
        return f"{self.name} of {self.run.name}" if self.name else self.run.name

    @property
    def url(self) -> str:
        urls = RunUrls(self.run)
        return urls.network(self.name) if self.name else urls.get("page")

    @property
    def network_url(self) -> str:
        return RunUrls(self.run).network(self.network.name) if self.network else ""

    @property
    def line(self) -> list[Snapshot]:
        return self.lineage.line(self.network.name) if self.network else []


def entries_of(team: Team, asked: Asked) -> tuple[list[Entry], int]:
    """The team's runs and networks among those asked for, and how many of them are not there. Three queries."""
    found = (
        Run.objects.filter(team=team, pk__in=asked.run_ids).select_related("dataset", "chosen").defer("dataset__report")
    )
    runs = {run.pk: run for run in found}
    lineages = Lineage.of_all(list(runs.values()))
    entries: list[Entry] = []
    for run_id, name in asked.things:
        run = runs.get(run_id)
        if run is None or (name and name not in lineages[run_id].by_name):
            continue
        lineage = lineages[run_id]
        network = lineage.by_name[name] if name else lineage.leading or lineage.ancestor
        if network is not None and not network.is_measured:
            network = None
        number = len(entries)
        entries.append(Entry(LETTERS[number], number, run, name, lineage, network))
    return entries, len(asked.things) - len(entries)


def runs_of(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each run that is in the comparison, by itself or by its networks."""
    first: dict[int, Entry] = {}
    for entry in entries:
        first.setdefault(entry.run.pk, entry)
    return list(first.values())


def letters_of(entries: Iterable[Entry], one: Entry) -> str:
    """The letters of all entries of a run."""
    return ", ".join(entry.letter for entry in entries if entry.run.pk == one.run.pk)


@dataclass(frozen=True)
class Details:
    """What only the compared networks and their forebears are asked for, by network's key: a part of the record."""

    rows: dict[int, dict[str, Any]]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Details:
        """One query."""
        keys = {network.pk for entry in entries for network in entry.line}
        parts = ("history", "seconds", "metric", "metrics")
        inside = (key_of("record", part) for part in parts)
        rows = Network.objects.filter(pk__in=keys).values_list("pk", "answers", *inside)
        return cls({row[0]: dict(zip(("answers", *parts), row[1:], strict=True)) for row in rows})

    def get(self, network: Snapshot, part: str, default: Any) -> Any:
        value = self.rows.get(network.pk, {}).get(part)
        return value if isinstance(value, type(default)) else default
