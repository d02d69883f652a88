"""The tables of a comparison: figures with their mean and spread over seeds, settings, layers, classes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

from webapp.compare.entries import Details, Entry
from webapp.networks.classes import recalls
from webapp.networks.inside_files import Answers, Questions
from webapp.runs.words import settings_in_words

FIGURES = (
    # key, heading, filter of templatetags.figures
    ("accuracy", "Validation", "percent"),
    ("points", "Points", "points"),
    ("test", "Unseen", "percent"),
    ("smaller", "Smaller", "times"),
    ("parameters", "Parameters", "count"),
    ("macs", "Multiply-adds", "count"),
    ("latency", "Latency", "milliseconds"),
    ("faster", "Faster", "times"),
)
LAYERS = 200
CLASSES = 200
_CLASS = "map50/"


# --- figures and seeds ----------------------------------------------------------------------


def figures(entry: Entry) -> dict[str, float | None]:
    """An entry's figures by the keys of FIGURES; None where not known."""
    network, lineage = entry.network, entry.lineage
    if network is None:
        return {key: None for key, _, _ in FIGURES}
    return {
        "accuracy": network.validation_accuracy,
        "points": lineage.points(network),
        "test": network.test_accuracy,
        "smaller": lineage.smaller(network),
        "parameters": network.parameters,
        "macs": network.macs,
        "latency": network.latency_ms,
        "faster": network.speed_up,
    }


def groups_of_seeds(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Runs on the same data whose specs differ in nothing but the seed; groups of at least two."""
    groups: dict[tuple[int, str], list[Entry]] = {}
    for entry in entries:
        if not entry.name and isinstance(entry.run.spec, dict):
            rest = json.dumps({k: v for k, v in entry.run.spec.items() if k != "seed"}, sort_keys=True)
            groups.setdefault((entry.run.dataset_id, rest), []).append(entry)
    return [group for group in groups.values() if len(group) > 1]


def spread(group: Sequence[Entry]) -> dict[str, Any]:
    """Mean and sample standard deviation of each figure that is known of two members or more."""
    cells = []
    for key, heading, kind in FIGURES:
        known = [value for entry in group if (value := figures(entry)[key]) is not None]
        enough = len(known) > 1
        cells.append(
            {
                "heading": heading,
                "kind": kind,
                "mean": statistics.fmean(known) if enough else None,
                "deviation": statistics.stdev(known) if enough else None,
                "known": len(known),
            }
        )
    return {
        "letters": "".join(entry.letter for entry in group),
        "size": len(group),
        "seeds": [entry.run.spec.get("seed") for entry in group],
        "cells": cells,
    }


# --- settings -------------------------------------------------------------------------------


def settings(entries: Sequence[Entry], every: bool) -> dict[str, Any]:
    """Settings as rows, one value a run; only those that differ unless `every` is asked for."""
    words = [{"Data set": (entry.run.dataset.name, True)} | settings_in_words(entry.run) for entry in entries]
    labels = list(dict.fromkeys(label for found in words for label in found))
    rows = []
    for label in labels:
        values = [found[label][0] if label in found else "" for found in words]
        rows.append({"label": label, "values": values, "differs": len(set(values)) > 1})
    differing = [row for row in rows if row["differs"]]
    return {
        "rows": rows if every else differing,
        "differing": len(differing),
        "same": len(rows) - len(differing),
    }


# --- layers ---------------------------------------------------------------------------------


def layers(entries: Sequence[Entry], most: int | None = LAYERS) -> list[dict[str, Any]]:
    """Clusters of each layer, one cell an entry: {"left", "of"}, or None where it has no such layer."""
    found = []
    for entry in entries:
        ancestor = entry.lineage.ancestor
        left = entry.network.clusters if entry.network else {}
        before = ancestor.clusters if ancestor is not None and ancestor.is_measured else {}
        found.append({layer: {"left": count, "of": before.get(layer, count)} for layer, count in left.items()})
    names = list(dict.fromkeys(layer for cells in found for layer in cells))
    return [{"layer": name, "cells": [cells.get(name) for cells in found]} for name in names[:most]]


# --- classes --------------------------------------------------------------------------------


def classes(entries: Sequence[Entry], details: Details, most: int | None = CLASSES) -> list[dict[str, Any]]:
    """The share recognised of each class (of detectors: mAP@.5), one cell an entry, the most different first.

    Only where at least two entries know the same classes; [] otherwise.
    """
    questions: dict[int, Questions | None] = {}
    found = [_shares(entry, details, questions) for entry in entries]
    known = [set(shares) for shares in found if shares]
    if len(known) < 2:
        return []
    names = [
        name for name in dict.fromkeys(name for shares in found for name in shares) if all(name in k for k in known)
    ]
    rows: list[dict[str, Any]] = []
    for name in names:
        values = [shares.get(name) for shares in found]
        present = [value for value in values if value is not None]
        rows.append({"name": name, "values": values, "range": max(present) - min(present), "best": max(present)})
    return sorted(rows, key=lambda row: -row["range"])[:most]


def _shares(entry: Entry, details: Details, questions: dict[int, Questions | None]) -> dict[str, float]:
    network = entry.network
    if network is None:
        return {}
    if entry.run.dataset.task == "detection":
        metrics = details.get(network, "metrics", {})
        return {
            key.removeprefix(_CLASS): value
            for key, value in metrics.items()
            if key.startswith(_CLASS) and isinstance(value, (int, float))
        }
    if entry.run.pk not in questions:
        questions[entry.run.pk] = Questions.of(entry.run.pk)
    asked = questions[entry.run.pk]
    answers = Answers.read(details.get(network, "answers", ""), network.name, asked) if asked is not None else None
    if asked is None or answers is None:
        return {}
    counted = zip(asked.classes, recalls(asked, answers), strict=True)
    return {name: right / seen for name, (right, seen) in counted if seen}
