"""The rule by which a run's network is chosen: read from a form, kept on the run, applied to what was measured.

A rule looks at validation figures only. The test images are opened for a network once it has been chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evolution_core.spec import catalogue, netscore

if TYPE_CHECKING:
    from .models import Run
    from .snapshot import Lineage, Snapshot


@dataclass(frozen=True)
class Kind:
    """One kind of rule. `unit` says what its value counts ("" for one that takes none)."""

    label: str
    unit: str = ""
    most: float = 0.0  # the largest value that makes sense


WITHIN, ACCURATE, NETSCORE, PICKED = "within", "accurate", "netscore", "picked"
# kind -> (the cost that is bounded, what one unit of the value is, how little of it is called)
CEILINGS: dict[str, tuple[str, float, str]] = {
    "latency": ("latency_ms", 1.0, "the fastest"),
    "size": ("bytes", 1e3, "the smallest file"),
    "macs": ("macs", 1e6, "the fewest multiply-adds"),
}
KINDS: dict[str, Kind] = {
    WITHIN: Kind("Smallest within … points", "points", 100),
    ACCURATE: Kind("Most accurate"),
    "latency": Kind("Best under … ms", "ms", 1e6),
    "size": Kind("Best under … kB", "kB", 1e9),
    "macs": Kind("Best under … million multiply-adds", "million multiply-adds", 1e9),
    NETSCORE: Kind("Best NetScore"),
    PICKED: Kind("A network picked by hand"),
}
LANDING = (WITHIN, "latency", "size")  # the buttons above the charts, each of which selects a network


@dataclass(frozen=True)
class Rule:
    """`value` in the kind's unit; `network` names the one that was picked."""

    kind: str
    value: float | None = None
    network: str = ""

    @classmethod
    def read(cls, value: object) -> Rule | None:
        """A rule from JSON; None for {} and for what does not read."""
        if not isinstance(value, Mapping) or value.get("kind") not in KINDS:
            return None
        number = value.get("value")
        given = float(number) if isinstance(number, (int, float)) else None
        if KINDS[value["kind"]].unit and given is None:
            return None
        return cls(value["kind"], given, str(value.get("network") or ""))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "value": self.value, "network": self.network}

    @property
    def text(self) -> str:
        """As it stands in an address: "latency:0.5", "picked:2-1", "accurate"."""
        if self.kind == PICKED:
            return f"{self.kind}:{self.network}"
        return f"{self.kind}:{self.value:g}" if KINDS[self.kind].unit and self.value is not None else self.kind

    def choose(self, lineage: Lineage) -> Choice | None:
        """The network that the rule lands on among the measured offspring; None when it lands on none."""
        pool = [network for network in lineage.offspring if network.parameters]
        if self.kind == PICKED:
            picked = next((network for network in lineage.offspring if network.name == self.network), None)
            return Choice(picked, self, True) if picked else None
        if not pool:
            return None
        if self.kind == WITHIN:
            return self._smallest(lineage, pool)
        if self.kind == NETSCORE:
            return Choice(max(pool, key=_score), self, True)
        if self.kind == ACCURATE:
            return Choice(max(pool, key=_accuracy), self, True)
        return self._under(pool)

    def _smallest(self, lineage: Lineage, pool: list[Snapshot]) -> Choice:
        threshold = lineage.threshold(self.value or 0.0)
        good = [n for n in pool if threshold is not None and (n.validation_accuracy or 0) >= threshold]
        if not good:
            return Choice(max(pool, key=_accuracy), self, False)
        return Choice(min(good, key=lambda n: (n.parameters or 0, -(n.validation_accuracy or 0))), self, True)

    def _under(self, pool: list[Snapshot]) -> Choice | None:
        cost, unit, _ = CEILINGS[self.kind]
        known = [(value, n) for n in pool if (value := getattr(n, cost)) is not None]
        if not known:
            return None
        good = [n for value, n in known if value <= (self.value or 0.0) * unit]
        if good:
            return Choice(max(good, key=_accuracy), self, True)
        return Choice(min(known, key=lambda one: one[0])[1], self, False)

    def words(self, best: str = "the most accurate offspring", met: bool = True) -> str:
        """Why this network and no other. `best` is how the task calls its most accurate offspring."""
        if self.kind == WITHIN:
            within = f"within {points_words(self.value or 0.0)}"
            return f"the smallest {within}" if met else f"{best}; none is {within}"
        if self.kind in CEILINGS:
            under = f"under {self.value:g} {KINDS[self.kind].unit}"
            return f"{best} {under}" if met else f"{CEILINGS[self.kind][2]}; none is {under}"
        plain = {ACCURATE: best, NETSCORE: "the best NetScore", PICKED: "picked by hand"}
        return plain[self.kind]


@dataclass(frozen=True)
class Choice:
    """What a rule landed on. `met`: the network keeps the rule's bound; False for the next best where none does."""

    network: Snapshot
    rule: Rule
    met: bool


def _accuracy(network: Snapshot) -> tuple[float, int]:
    """Of equals, the smaller."""
    return network.validation_accuracy or 0.0, -(network.parameters or 0)


def _score(network: Snapshot) -> tuple[float, float]:
    accuracy = network.validation_accuracy or 0.0
    return netscore(accuracy, max(network.parameters or 0, 1), max(network.macs or 0, 1)), accuracy


def points_words(points: float) -> str:
    return f"{points:g} point" + ("" if points == 1 else "s")


def own_rule(spec: Mapping[str, Any]) -> Rule:
    """The rule that the spec asks for; where only the engine can apply it (the Pareto front's), the nearest to it."""
    if spec.get("selection") == "netscore":
        return Rule(NETSCORE)
    return Rule(WITHIN, float(spec.get("max_drop", 1.0)))


def rule_of(run: Run) -> Rule:
    """The rule in force."""
    return Rule.read(run.rule) or own_rule(run.spec)


def why(run: Run, choice: Choice | None, best: str) -> str:
    """Why the run's network leads, in words."""
    selection = run.spec.get("selection", "smallest")
    if not Rule.read(run.rule) and run.chosen_id and selection != "smallest" and selection in catalogue.SELECTIONS:
        return f"chosen by {catalogue.SELECTIONS[selection].label}"
    return choice.rule.words(best, choice.met) if choice else ""
