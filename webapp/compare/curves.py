"""Training curves of what is compared, laid on one axis: epochs or seconds since the ancestor began to learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webapp.compare.entries import Details, Entry


def curve(entry: Entry, details: Details, align: str) -> list[dict[str, Any]]:
    """[{"x", "y", "network", "phase"}] down the entry's line of descent; x in epochs, or in seconds of training.

    The metric is measured on validation images at the end of each epoch (or part of one). Epochs of a phase that was
    timed as a whole are spread evenly over its time.
    """
    points: list[dict[str, Any]] = []
    base = 0.0
    for network in entry.line:
        metric = details.get(network, "metric", "accuracy")
        seconds = details.get(network, "seconds", {})
        history = [row for row in details.get(network, "history", []) if _is_point(row, metric)]
        for phase in dict.fromkeys(row["phase"] for row in history):
            rows = [row for row in history if row["phase"] == phase]
            last = max(row["epoch"] for row in rows) or 1.0
            whole = seconds.get(phase) if align == "time" else last
            if not isinstance(whole, (int, float)):
                continue
            for row in rows:
                x = base + whole * row["epoch"] / last
                points.append({"x": round(x, 3), "y": row[metric], "network": network.name, "phase": phase})
            base += whole
    return points


def _is_point(row: Any, metric: str) -> bool:
    return (
        isinstance(row, dict)
        and "phase" in row
        and all(isinstance(row.get(k), (int, float)) for k in ("epoch", metric))
    )


def mean_curve(curves: Sequence[list[dict[str, Any]]]) -> dict[str, Any] | None:
    """Mean, lowest and highest of curves that were measured at as many moments; None where they were not."""
    lengths = {len(points) for points in curves}
    if len(curves) < 2 or len(lengths) != 1 or lengths == {0}:
        return None
    rows = list(zip(*curves, strict=True))
    xs = [sum(point["x"] for point in row) / len(row) for row in rows]
    ys = [[point["y"] for point in row] for row in rows]
    return {
        "mean": [{"x": round(x, 3), "y": sum(y) / len(y)} for x, y in zip(xs, ys, strict=True)],
        "low": [{"x": round(x, 3), "y": min(y)} for x, y in zip(xs, ys, strict=True)],
        "high": [{"x": round(x, 3), "y": max(y)} for x, y in zip(xs, ys, strict=True)],
    }
