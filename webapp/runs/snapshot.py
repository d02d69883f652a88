"""What the database says of a run's networks at one moment, as plain values: pages read these, never live rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from django.db.models import TextField
from django.db.models.functions import Cast

from webapp.fields import key_of
from webapp.networks.models import Network
from webapp.runs.choice import WITHIN, Choice, Rule, own_rule, rule_of
from webapp.runs.models import Run

from .measures import MEASURES

ANCESTOR = "ancestor"

_PLAIN = (
    "pk",
    "name",
    "generation",
    "state",
    "phase",
    "progress",
    "images_per_second",
    "message",
    "validation_accuracy",
    "shock_accuracy",
    "test_accuracy",
    "parameters",
    "macs",
    "bytes",
    "peak_activation_bytes",
    "latency_ms",
    "ancestor_latency_ms",
)
_OPEN = frozenset({str(Network.State.WAITING), str(Network.State.LIVING)})
_MEASURED, _LIVING = str(Network.State.MEASURED), str(Network.State.LIVING)
# Read as text and taken apart only where asked for: few of thousands of networks are.
_LATER = ("clusters", "heartbeat_at", "created_at", "started_at", "measured_at")


class Snapshot(NamedTuple):
    """One network as it was when read. Accuracies are fractions, latencies milliseconds, None where not known."""

    pk: int
    name: str
    generation: int
    state: str
    phase: str
    progress: float
    images_per_second: float | None
    message: str
    validation_accuracy: float | None
    shock_accuracy: float | None
    test_accuracy: float | None
    parameters: int | None
    macs: int | None
    bytes: int | None
    peak_activation_bytes: int | None
    latency_ms: float | None
    ancestor_latency_ms: float | None
    clusters_text: str
    heartbeat_text: str | None
    created_text: str
    started_text: str | None
    measured_text: str | None
    parents: tuple[str, ...] = ()

    @property
    def clusters(self) -> dict[str, int]:
        return _counts(self.clusters_text)

    @property
    def heartbeat_at(self) -> datetime | None:
        return _moment(self.heartbeat_text)

    @property
    def created_at(self) -> datetime:
        return _moment(self.created_text) or datetime.min.replace(tzinfo=UTC)

    @property
    def started_at(self) -> datetime | None:
        return _moment(self.started_text)

    @property
    def measured_at(self) -> datetime | None:
        return _moment(self.measured_text)

    @property
    def is_ancestor(self) -> bool:
        return self.generation == 0

    @property
    def is_measured(self) -> bool:
        return self.state == _MEASURED

    @property
    def is_living(self) -> bool:
        return self.state == _LIVING

    @property
    def is_open(self) -> bool:
        """Not ended: waiting for a worker, or with one."""
        return self.state in _OPEN

    @property
    def speed_up(self) -> float | None:
        """How many times faster than its ancestor, measured alternately in the same run."""
        if not self.latency_ms or not self.ancestor_latency_ms:
            return None
        return self.ancestor_latency_ms / self.latency_ms

    def measure(self, key: str) -> float | None:
        """The value of one of MEASURES."""
        return getattr(self, MEASURES[key].field)


@lru_cache(maxsize=1024)
def _counts(text: str) -> dict[str, int]:
    return dict(json.loads(text))


def _moment(text: str | None) -> datetime | None:
    """Both databases keep UTC; PostgreSQL says so in the text, SQLite does not."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


class Lineage:
    """A run's networks, in order of generation, and what follows from them alone. `max_drop`: percentage points that
    may be lost, by the rule in force or else by the spec."""

    max_drop: float = 1.0
    own: Lineage | None = None  # the run's, where the rule is only looked at

    def __init__(self, networks: Iterable[Snapshot], rule: Rule | None = None, chosen: str | None = None):
        self.networks = list(networks)
        self.rule = rule or own_rule({})
        self._chosen = chosen

    @classmethod
    def of(cls, run: Run) -> Lineage:
        """Two queries, however many networks."""
        return cls.of_all([run])[run.pk]

    @classmethod
    def of_all(cls, runs: Sequence[Run]) -> dict[int, Lineage]:
        """Each run's lineage by its key: two queries, however many runs."""
        rows = list(
            Network.objects.filter(run__in=runs)
            .order_by("generation", "pk")
            .values_list(*_PLAIN, *(Cast(name, TextField()) for name in _LATER), "run_id")
        )
        names = {row[0]: row[1] for row in rows}
        links = Network.parents.through._default_manager.filter(from_network__run__in=runs).order_by("pk")
        parents: dict[int, tuple[str, ...]] = {}
        for child, parent in links.values_list("from_network_id", "to_network_id"):
            if parent in names:
                parents[child] = (*parents.get(child, ()), names[parent])
        networks: dict[int, list[Snapshot]] = {run.pk: [] for run in runs}
        for row in rows:
            networks[row[-1]].append(Snapshot._make((*row[:-1], parents.get(row[0], ()))))
        return {run.pk: cls._ruled(run, networks[run.pk], names.get(run.chosen_id or 0)) for run in runs}

    @classmethod
    def _ruled(cls, run: Run, networks: list[Snapshot], chosen: str | None) -> Lineage:
        lineage = cls(networks, rule_of(run), chosen)
        lineage.max_drop = lineage._allowed(float(run.spec.get("max_drop", 1.0)))
        return lineage

    def _allowed(self, otherwise: float) -> float:
        """Points that the rule allows to be lost, where it speaks of them."""
        given = self.rule.value if self.rule.kind == WITHIN else None
        return otherwise if given is None else given

    @property
    def is_tried(self) -> bool:
        return self.own is not None

    def trying(self, rule: Rule) -> Lineage:
        """The same networks as if `rule` were in force, for somebody who only looks: it leads, nothing is chosen."""
        tried = Lineage(self.networks, rule)
        tried.own, tried.max_drop = self, tried._allowed(self.max_drop)
        return tried

    @cached_property
    def by_name(self) -> dict[str, Snapshot]:
        return {network.name: network for network in self.networks}

    @cached_property
    def generations(self) -> dict[int, list[Snapshot]]:
        """The networks of each generation that has any."""
        born: dict[int, list[Snapshot]] = {}
        for network in self.networks:
            born.setdefault(network.generation, []).append(network)
        return born

    @cached_property
    def parents(self) -> set[str]:
        """Names of the networks that have offspring: the survivors."""
        return {name for network in self.networks for name in network.parents}

    @cached_property
    def ancestor(self) -> Snapshot | None:
        return next((network for network in self.networks if network.is_ancestor), None)

    @cached_property
    def chance(self) -> float | None:
        """What guessing reaches on the images that the run takes, as the engine found it when it measured the
        ancestor; None until then. One query, where it is asked for."""
        if self.own is not None:
            return self.own.chance
        if self.ancestor is None:
            return None
        return Network.objects.filter(pk=self.ancestor.pk).values_list(key_of("record", "chance"), flat=True).first()

    @cached_property
    def open(self) -> list[Snapshot]:
        """Those that have not ended: few of thousands."""
        return [network for network in self.networks if network.state in _OPEN]

    @cached_property
    def measured(self) -> list[Snapshot]:
        return [n for n in self.networks if n.state == _MEASURED and n.validation_accuracy is not None]

    @cached_property
    def offspring(self) -> list[Snapshot]:
        return [network for network in self.measured if network.generation]

    @cached_property
    def chosen(self) -> Snapshot | None:
        """The engine's choice once there is one."""
        return self.by_name.get(self._chosen or "")

    @cached_property
    def choice(self) -> Choice | None:
        """Where the rule in force lands just now."""
        return self.rule.choose(self)

    @cached_property
    def leading(self) -> Snapshot | None:
        """The choice, or until then where the rule lands."""
        return self.chosen or (self.choice.network if self.choice else None)

    def smallest_within(self, drop: float) -> Snapshot | None:
        """The smallest offspring at most `drop` points below the ancestor; if none, the most accurate offspring."""
        choice = Rule(WITHIN, drop).choose(self)
        return choice.network if choice else None

    def threshold(self, drop: float) -> float | None:
        """The least accuracy (a fraction) that is within `drop` points of the ancestor's."""
        if self.ancestor is None or self.ancestor.validation_accuracy is None:
            return None
        # A hair's breadth of tolerance: 0.98 - 0.01 must admit 0.97.
        return self.ancestor.validation_accuracy - drop / 100 - 1e-9

    def path(self, name: str | None) -> set[str]:
        """The network and all that it descends from, through every parent."""
        found: set[str] = set()
        waiting = [name] if name in self.by_name else []
        while waiting:
            current = waiting.pop()
            if current is None or current in found:
                continue
            found.add(current)
            waiting.extend(self.by_name[current].parents)
        return found

    def line(self, name: str | None) -> list[Snapshot]:
        """From the ancestor down to the network, at each birth by the leading parent."""
        found: list[Snapshot] = []
        current = self.by_name.get(name or "")
        while current is not None and current not in found:
            found.append(current)
            current = self.by_name.get(current.parents[0]) if current.parents else None
        return found[::-1]

    def smaller(self, network: Snapshot | None) -> float | None:
        """How many times fewer parameters than the ancestor."""
        if network is None or self.ancestor is None or not network.parameters or not self.ancestor.parameters:
            return None
        return self.ancestor.parameters / network.parameters

    def points(self, network: Snapshot | None, which: str = "validation_accuracy") -> float | None:
        """Percentage points above (or, negative, below) the ancestor."""
        if network is None or self.ancestor is None:
            return None
        own, ancestors = getattr(network, which), getattr(self.ancestor, which)
        return None if own is None or ancestors is None else (own - ancestors) * 100


def metric_label(run: Run) -> str:
    """What accuracy is called for this run's task."""
    return "mAP@.5" if run.dataset.task == "detection" else "accuracy"


def best_label(run: Run) -> str:
    """What the task calls its most accurate offspring."""
    return "the offspring of the highest mAP@.5" if run.dataset.task == "detection" else "the most accurate offspring"


def metric_title(run: Run) -> str:
    """The same at the beginning of a line; the name of an abbreviation keeps its small letters."""
    return "mAP@.5" if run.dataset.task == "detection" else "Accuracy"


def spec_value(run: Run, name: str, default: Any) -> Any:
    """A field of the stored spec. Tolerant: a page must open even if an old spec no longer reads."""
    value = run.spec.get(name) if isinstance(run.spec, dict) else None
    return default if value is None else value
