"""The first line of a run's page: what came of it, in words and figures, and why it is this network."""

from __future__ import annotations

from typing import Any

from .addresses import RunUrls
from .choice import KINDS, PICKED, Rule, why
from .models import Run
from .snapshot import Lineage, Snapshot, best_label, spec_value
from .templatetags.figures import times
from .trial import Trial
from .view import View

LEVEL = 0.05  # points: less is no difference that a figure with one digit shows


def answer(run: Run, trial: Trial, urls: RunUrls, view: View) -> dict[str, Any] | None:
    """The chosen network, or the best so far, against the ancestor; None before the first offspring is measured. Where
    a rule is tried, the network that it lands on.

    `points` are the test's where the test images were opened for both, else the validation's.
    """
    lineage = trial.lineage
    network = lineage.leading
    if network is None or network.is_ancestor:
        return None
    validation, test = lineage.points(network), lineage.points(network, "test_accuracy")
    return {
        "network": network,
        "url": urls.network(network.name),
        "smaller": lineage.smaller(network),
        "speed": _speed(network),
        "points": validation if test is None else test,
        "loss": _loss(validation if test is None else test),
        "tested": test is not None,
        "validation_points": validation,
        "why": _why(run, lineage),
        "settled": run.has_ended,
        "testing": run.test_requested_at is not None and network.test_accuracy is None and not lineage.is_tried,
        "masked": spec_value(run, "encoding", "cluster") != "cluster",
        "opened": opened(lineage),
        **_rules(run, trial, urls, view),
    }


def _why(run: Run, lineage: Lineage) -> str:
    choice = lineage.choice
    if lineage.is_tried:
        return choice.rule.words(best_label(run), choice.met) if choice else ""
    return why(run, choice, best_label(run))


def opened(lineage: Lineage) -> list[str]:
    """The offspring whose test figures are known, where they are several: the best of several tests flatters."""
    names = [network.name for network in lineage.offspring if network.test_accuracy is not None]
    return names if len(names) > 1 else []


def _speed(network: Snapshot) -> dict[str, str] | None:
    """How many times faster, or slower, in words."""
    ratio = network.speed_up
    if not ratio:
        return None
    if times(ratio) == times(1):
        return {"times": "", "word": "as fast"}
    return {"times": times(ratio), "word": "faster"} if ratio > 1 else {"times": times(1 / ratio), "word": "slower"}


def _loss(points: float | None) -> dict[str, str] | None:
    """ "0.8 points less", "0.3 points more", "no less"."""
    if points is None:
        return None
    if abs(points) < LEVEL:
        return {"points": "", "word": "no less"}
    figure = f"{abs(points):.1f}"
    noun = "point" if figure == "1.0" else "points"
    return {"points": f"{figure} {noun}", "word": "less" if points < 0 else "more"}


def _rules(run: Run, trial: Trial, urls: RunUrls, view: View) -> dict[str, Any]:
    """What the form shows that tries or changes the rule. Without an address to `choose` by it only tries."""
    lineage, selected = trial.lineage, view.network
    kept = Rule.read(run.rule)
    shown = trial.rule or kept or lineage.rule
    before = run.rule.get("before") if kept else None
    other = lineage.by_name.get(selected)
    may_pick = other is not None and other in lineage.offspring and other is not lineage.leading
    return {
        "choose": urls.get("choose"),
        "kinds": [{"key": key, "label": kind.label, "on": shown.kind == key} for key, kind in KINDS.items()],
        "kept": kept,
        "value": None if shown.value is None else f"{shown.value:g}",
        "picked": selected or (lineage.leading.name if lineage.leading else ""),
        "other": selected if may_pick and not trial.rule else "",
        "picks": PICKED,
        "by": str(run.rule.get("by") or "") if kept else "",
        "before": before if isinstance(before, dict) else None,
        "tried": _tried(run, trial, view),
        "problem": trial.problem,
        "stays": view.query(by=""),
    }


def _tried(run: Run, trial: Trial, view: View) -> dict[str, Any] | None:
    """What the rule that is tried stands beside: the network of the one in force, and why that one; None for none."""
    if trial.rule is None or trial.own.leading is None:
        return None
    return {"rule": trial.rule, "instead_of": trial.own.leading, "why": _why(run, trial.own)}
