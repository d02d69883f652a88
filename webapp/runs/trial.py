"""A rule that somebody tries: it stands in the page's address, and nothing is stored. Whoever sees the run may."""

from __future__ import annotations

from dataclasses import dataclass

from .change_forms import RuleForm
from .choice import KINDS, PICKED, Rule
from .models import Run
from .snapshot import Lineage, Snapshot, best_label, metric_label
from .templatetags.figures import milliseconds, percent, size, times
from .view import View

NOWHERE = "No measured offspring fits that rule."


@dataclass(frozen=True)
class Trial:
    """`lineage` is the run's as the page shows it: by the `rule` that is tried, or by the one in force where none is,
    or where `problem` says in a sentence why it cannot be. `own` is as it is in force."""

    own: Lineage
    lineage: Lineage
    rule: Rule | None = None
    problem: str = ""


def trial_of(run: Run, view: View) -> Trial:
    """Two queries, as for the lineage alone."""
    own = Lineage.of(run)
    if not view.by:
        return Trial(own, own)
    kind, _, given = view.by.partition(":")
    picked = kind == PICKED
    form = RuleForm({"kind": kind, "value": "" if picked else given, "network": given if picked else ""})
    if not form.is_valid():
        return Trial(own, own, problem=form.problem())
    rule = form.rule()
    assert rule is not None
    assert rule.kind in KINDS
    tried = own.trying(rule)
    return Trial(own, tried, rule) if tried.choice else Trial(own, own, problem=NOWHERE)


def landing(run: Run, lineage: Lineage, rule: Rule) -> tuple[Snapshot | None, str]:
    """The network to select by a rule and why it is that one; None and a sentence where nothing is measured by it."""
    choice = rule.choose(lineage)
    if choice is None:
        return None, NOWHERE
    network = choice.network
    figures = (
        f"{times(lineage.smaller(network))} smaller" if lineage.smaller(network) else "",
        f"{percent(network.validation_accuracy)} {metric_label(run)} on validation",
        milliseconds(network.latency_ms) if rule.kind == "latency" else "",
        size(network.bytes) if rule.kind == "size" else "",
    )
    why = rule.words(best_label(run), choice.met)
    return network, f"{network.name} is {why}: {', '.join(filter(None, figures))}."
