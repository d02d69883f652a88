"""Learning curves of the networks in training and of the selected one: loss and the metric by epoch, the cut between.

Drawn on the server as plain SVG, so that they show without scripts, in both themes, and on paper. Shares of the
drawing's width and height are percentages from its upper left corner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from webapp.networks.models import Network

from .addresses import RunUrls
from .models import Run, RunEvent
from .snapshot import Lineage, Snapshot, spec_value
from .status import PHASES

SHOWN = 6  # networks in training drawn at once; the others are counted
_AIR = 0.06  # of a scale, above and below


@dataclass(frozen=True)
class Point:
    """`epoch` counts from the network's birth; `accuracy` is the task's metric on validation images, a fraction."""

    phase: str
    epoch: float
    loss: float | None
    accuracy: float | None

    @property
    def at(self) -> str:
        return f"{self.epoch:.3g}"


@dataclass
class Curve:
    """One network's points in order, and where its parents stood, fell to, and how long its life is (epochs)."""

    network: Snapshot
    url: str
    whole: float
    cut_at: float | None = None
    parent: float | None = None
    points: list[Point] = field(default_factory=list)

    @property
    def shock(self) -> float | None:
        return self.network.shock_accuracy


def curves_context(run: Run, lineage: Lineage, urls: RunUrls, selected: str = "") -> dict[str, Any]:
    """{"curves": drawings, "more_curves": how many networks in training are not drawn, "curve_keys": what a legend
    has to name of them}. One query.

    While nothing is in training, the selected (or the leading) network comes with the line that led to it; where there
    is no offspring yet, the ancestor alone.
    """
    living = [network for network in lineage.open if network.is_living]
    shown = living[:SHOWN]
    chosen = lineage.by_name.get(selected) or (None if living else lineage.leading or lineage.ancestor)
    if chosen is not None and not living:
        shown = _line(lineage, chosen)[-SHOWN:]
    elif chosen is not None and chosen not in shown:
        shown = [*shown, chosen]
    curves = [_curve(run, lineage, urls, network) for network in shown]
    _read(curves)
    drawn = [curve for curve in curves if curve.points or curve.network.is_living]
    keys = {"shock": any(c.shock is not None for c in drawn), "parent": any(c.parent is not None for c in drawn)}
    return {"curves": _drawings(drawn), "more_curves": max(0, len(living) - SHOWN), "curve_keys": keys}


def _line(lineage: Lineage, network: Snapshot) -> list[Snapshot]:
    """From the ancestor to the network, by the leading parent of each."""
    line = [network]
    while line[0].parents and (parent := lineage.by_name.get(line[0].parents[0])) is not None:
        line.insert(0, parent)
    return line


def _curve(run: Run, lineage: Lineage, urls: RunUrls, network: Snapshot) -> Curve:
    epochs = float(spec_value(run, "epochs", 1) or 1)
    parents = [lineage.by_name[name] for name in network.parents if name in lineage.by_name]
    known = [n.validation_accuracy for n in parents if n.validation_accuracy is not None]
    if network.is_ancestor:
        whole, cut_at = float(spec_value(run, "ancestor_epochs", epochs) or epochs), None
    else:
        is_last = network.generation == int(spec_value(run, "generations", 0))
        whole = float(spec_value(run, "last_epochs", epochs) or epochs) if is_last else epochs
        cut_at = whole * float(spec_value(run, "gestation", 0.0))
    return Curve(network, urls.network(network.name), whole, cut_at, max(known) if known else None)


def _read(curves: Iterable[Curve]) -> None:
    """Each curve's points, from the events of its epochs; an epoch that two attempts told counts once."""
    by_key = {curve.network.pk: curve for curve in curves}
    if not by_key:
        return
    events = RunEvent.objects.filter(network__in=list(by_key), kind="epoch").order_by("number")
    seen = set()
    for network, data in events.values_list("network_id", "data"):
        curve, phase, epoch = by_key[network], str(data.get("phase") or ""), data.get("epoch")
        if not isinstance(epoch, (int, float)) or (network, phase, epoch) in seen:
            continue
        seen.add((network, phase, epoch))
        start = curve.cut_at or 0.0 if phase == "growth" else 0.0
        metric = next((data[name] for name in ("accuracy", "map50") if name in data), None)
        curve.points.append(Point(phase, round(start + epoch, 3), _number(data.get("loss")), _number(metric)))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


# --- drawing --------------------------------------------------------------------------------------------------


def _drawings(curves: list[Curve]) -> list[dict[str, Any]]:
    """Every curve on the same scales, so that they compare; in percent of the drawing."""
    marks = [c.shock for c in curves] + [c.parent for c in curves] + [p.accuracy for c in curves for p in c.points]
    low, high = _scale([value for value in marks if value is not None])
    most = max((p.loss for c in curves for p in c.points if p.loss is not None), default=0.0)
    return [_drawing(curve, low, high, most) for curve in curves]


def _scale(values: list[float]) -> tuple[float, float]:
    """The accuracies' axis: some air around the data, never beyond what there can be."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = max((high - low) * _AIR, 0.005)
    return max(0.0, low - air), min(1.0, high + air)


def _drawing(curve: Curve, low: float, high: float, most: float) -> dict[str, Any]:
    whole = max([curve.whole, *(p.epoch for p in curve.points)]) or 1.0

    def x(epoch: float) -> str:
        return f"{100 * epoch / whole:.2f}"

    def y(value: float) -> str:
        return f"{100 * (high - value) / (high - low):.2f}"

    def y_loss(value: float) -> str:
        return f"{100 * (1 - value / most):.2f}" if most else "100"

    last = curve.points[-1] if curve.points else None
    network = curve.network
    return {
        "network": network,
        "url": curve.url,
        "doing": PHASES.get(network.phase, network.phase) if network.state == Network.State.LIVING else "",
        "accuracy": _lines(curve, lambda p: None if p.accuracy is None else f"{x(p.epoch)},{y(p.accuracy)}"),
        "loss": _lines(curve, lambda p: None if p.loss is None else f"{x(p.epoch)},{y_loss(p.loss)}"),
        "end": {"x": x(last.epoch), "y": y(last.accuracy)} if last and last.accuracy is not None else None,
        "shock": {"x": x(curve.cut_at or 0), "y": y(curve.shock)} if curve.shock is not None else None,
        "cut": x(curve.cut_at) if curve.cut_at else None,
        "parent": {"y": y(curve.parent), "accuracy": curve.parent} if curve.parent is not None else None,
        "last": last,
        "whole": f"{whole:.3g}",
        "low": low,
        "high": high,
        "most": most,
        "points": curve.points,
    }


def _lines(curve: Curve, place: Any) -> list[str]:
    """A line for each phase: the cut parts them."""
    phases: dict[str, list[str]] = {}
    for point in curve.points:
        if (at := place(point)) is not None:
            phases.setdefault(point.phase, []).append(at)
    return [" ".join(line) for line in phases.values() if len(line) > 1]
