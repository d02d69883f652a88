"""Asking for a dry run, and what it found as the page shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils import timezone

from evolution_core.spec import SETTINGS, RunSpec
from webapp.datasets.models import Dataset
from webapp.dispatch import dispatch
from webapp.keeping import Addresses, Table
from webapp.teams.models import Team

from .form_fields import sentence
from .models import DryRun
from .templatetags.figures import between

FRESH = timedelta(minutes=10)  # for so long the same question gets the same answer; the machine's pace may change


def ask(team: Team, dataset: Dataset, spec: RunSpec, user: Any) -> DryRun:
    """The dry run of that spec on those data: one that was asked for lately, or a new one that a worker will do."""
    asked = spec.to_json()
    with transaction.atomic():
        lately = DryRun.objects.filter(team=team, dataset=dataset, created_at__gt=timezone.now() - FRESH)
        for row in lately.exclude(state=DryRun.State.ERRORED):
            if row.spec == asked:
                return row
        row = DryRun.objects.create(team=team, dataset=dataset, spec=asked, created_by=user)
        dispatch("workers.dry_run", row.pk)
    return row


@dataclass(frozen=True)
class Compared:
    """A sketched network beside the ancestor."""

    name: str
    parameters: int
    smaller: float
    macs: int
    fewer: float
    latency_ms: float | None
    faster: float | None
    file_bytes: int


@dataclass(frozen=True)
class LayerRow:
    """Clusters of one layer: in the ancestor, in the first offspring, in the last."""

    name: str
    ancestor: int
    first: int
    last: int


@dataclass(frozen=True)
class Forecast:
    """Everything that the panel of a dry run shows."""

    row: DryRun
    networks: list[Compared] = field(default_factory=list)
    layers: list[LayerRow] = field(default_factory=list)
    time: str = ""
    parts: str = ""
    notes: list[str] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)  # (input's id or "", label, sentence)

    @property
    def tables(self) -> Addresses:
        return Addresses(lambda table, kind: reverse("runs:dry_run_table", args=[self.row.pk, table, kind]))

    def kept_table(self, name: str) -> Table:
        """`networks` of the leading line, or `layers`. Raises Http404 for another name."""
        kinds: dict[str, tuple[type, list[Any]]] = {
            "networks": (Compared, self.networks),
            "layers": (LayerRow, self.layers),
        }
        if name not in kinds:
            raise Http404("This page has no such table.")
        kind, rows = kinds[name]
        return Table.of([column.name for column in fields(kind)], [asdict(row) for row in rows])

    @property
    def last(self) -> Compared | None:
        return self.networks[-1] if len(self.networks) > 1 else None


def forecast(row: DryRun) -> Forecast:
    """What a row holds, in figures and words."""
    if row.state != DryRun.State.READY:
        return Forecast(row, problems=_problems(row))
    found = row.result
    networks = found["networks"]
    ancestor, first, last = networks[0], networks[min(1, len(networks) - 1)], networks[-1]
    return Forecast(
        row,
        [_compared(network, ancestor) for network in networks],
        [
            LayerRow(name, count, first["layers"].get(name, 0), last["layers"].get(name, 0))
            for name, count in ancestor["layers"].items()
        ],
        span(found["seconds"]),
        _parts(found),
        _notes(found),
    )


def _compared(network: dict[str, Any], ancestor: dict[str, Any]) -> Compared:
    both = network["latency_ms"] and ancestor["latency_ms"]
    return Compared(
        network["id"],
        network["parameters"],
        ancestor["parameters"] / max(1, network["parameters"]),
        network["macs"],
        ancestor["macs"] / max(1, network["macs"]),
        network["latency_ms"],
        ancestor["latency_ms"] / network["latency_ms"] if both else None,
        network["file_bytes"],
    )


def span(seconds: dict[str, float]) -> str:
    """ "4 to 7 minutes"; one of them where both read alike."""
    return between(seconds["low"], seconds["high"])


def _parts(found: dict[str, Any]) -> str:
    """Where the time goes."""
    births = found["birth_seconds"]
    text = f"The ancestor takes {span(found['ancestor_seconds'])}, an offspring {span(births[0])}"
    if len(births) > 1 and span(births[0]) != span(births[-1]):
        text += f" at first and {span(births[-1])} in the last generation"
    count = found["at_once"]
    return f"{text}; {'one network is' if count == 1 else f'{count} networks are'} trained at a time."


def _notes(found: dict[str, Any]) -> list[str]:
    notes = list(found["notes"])
    if found["drawn"] < found["generations"] and not any("could not be born" in note for note in notes):
        notes.append(
            f"{found['drawn']} of {found['generations']} generations were drawn here; later ones are no larger."
        )
    return [sentence(note) for note in notes]


def _problems(row: DryRun) -> list[tuple[str, str, str]]:
    return [
        (f"id_{name}" if name in SETTINGS else "", SETTINGS[name].label if name in SETTINGS else name, sentence(text))
        for name, text in row.problems.items()
    ]
