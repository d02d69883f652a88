"""A data set's report, prepared for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from webapp.datasets.models import Dataset
from webapp.keeping import Addresses

SHOWN_CLASSES = 200
SHOWN_PROBLEMS = 200
SHOWN_NOTES = 100
LONG_WAIT = timedelta(seconds=45)  # a free worker takes a message within a second
SILENCE = timedelta(seconds=90)  # a living worker beats its heart more often than that


@dataclass(frozen=True)
class ClassBar:
    """One line of the class balance. Shares are in percent of the largest class, for the bar."""

    name: str
    train: int
    validation: int
    test: int
    train_width: float
    rest_width: float

    @property
    def images(self) -> int:
        return self.train + self.validation + self.test


def balance(dataset: Dataset) -> list[ClassBar]:
    """The classes in the data's own order."""
    classes = dataset.report.get("classes", [])
    totals = [row["train"] + row.get("validation", 0) + row["test"] for row in classes]
    largest = max(totals, default=0) or 1
    return [
        ClassBar(
            row["name"],
            row["train"],
            row.get("validation", 0),
            row["test"],
            round(100 * row["train"] / largest, 2),
            round(100 * (total - row["train"]) / largest, 2),
        )
        for row, total in zip(classes, totals, strict=True)
    ]


def imbalance(bars: list[ClassBar], things: str = "images") -> str:
    """One sentence when classes differ so much that one figure alone would deceive; else nothing."""
    if len(bars) < 2:
        return ""
    largest, smallest = max(bars, key=lambda bar: bar.images), min(bars, key=lambda bar: bar.images)
    if smallest.images * 10 > largest.images:
        return ""
    return (
        f"{largest.name} has {largest.images:,} {things} and {smallest.name} only {smallest.images}: "
        + (
            "a network can look accurate while it never finds"
            if things == "images"
            else "look apart at how well it finds"
        )
        + " the rare class."
    )


@dataclass(frozen=True)
class Step:
    """One bar of the histogram of box sizes; `width` in percent of the longest."""

    label: str
    boxes: int
    width: float


def box_sizes(report: dict[str, Any]) -> list[Step]:
    """Boxes by size: ten steps of the side of a square of the same area, in percent of the image's side."""
    counts = (report.get("boxes") or {}).get("sides") or []
    largest = max(counts, default=0) or 1
    steps = len(counts)
    return [
        Step(f"{100 * i // steps} to {100 * (i + 1) // steps} %", number, round(100 * number / largest, 2))
        for i, number in enumerate(counts)
    ]


def box_classes(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each class's boxes and their usual side, in percent of the image's."""
    classes = (report.get("boxes") or {}).get("classes") or {}
    return [
        {"name": name, "boxes": row["boxes"], "side": None if row["median_side"] is None else 100 * row["median_side"]}
        for name, row in classes.items()
    ][:SHOWN_CLASSES]


def waiting(dataset: Dataset) -> dict[str, Any]:
    """What is true of a data set that is not settled yet, in words."""
    now = timezone.now()
    state = dataset.State
    if dataset.state == state.RECEIVING:
        if now - dataset.created_at > timedelta(hours=1):
            return {"title": "The upload broke off", "sentence": "Delete it and upload the files again.", "lost": True}
        return {"title": "The files are being stored", "sentence": "Inspection begins right after."}
    if dataset.state == state.INSPECTING:
        if dataset.heartbeat_at and now - dataset.heartbeat_at > SILENCE:
            sentence = "Its worker has gone silent. The work will be given to another one."
            return {"title": "Inspection is interrupted", "sentence": sentence, "lost": True}
        return {"title": "A worker reads every image", "sentence": "Large sets take a few minutes."}
    if now - dataset.created_at > LONG_WAIT and dataset.attempts == 0:
        sentence = "No worker has taken it yet: they are busy, or none is running."
        return {"title": "Waiting for a worker", "sentence": sentence}
    return {"title": "Waiting for a worker", "sentence": "It is taken up as soon as one is free."}


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def context(dataset: Dataset) -> dict[str, Any]:
    """Everything that the page's changing part shows."""
    report = dataset.report
    bars = balance(dataset)
    problems = report.get("problems", [])
    samples = report.get("samples", [])
    return {
        "dataset": dataset,
        "tables": Addresses(lambda table, kind: reverse("datasets:table", args=[dataset.pk, table, kind])),
        "waiting": None if dataset.is_settled else waiting(dataset),
        "report": report,
        "bars": bars[:SHOWN_CLASSES],
        "more_classes": max(0, len(bars) - SHOWN_CLASSES),
        "has_validation": any(bar.validation for bar in bars),
        "imbalance": imbalance(bars, "boxes" if report.get("boxes") else "images"),
        "boxes": report.get("boxes"),
        "box_sizes": box_sizes(report),
        "box_classes": box_classes(report),
        "notes": report.get("notes", [])[:SHOWN_NOTES],
        "more_notes": max(0, len(report.get("notes", [])) - SHOWN_NOTES),
        "train": sum(bar.train for bar in bars),
        "test": sum(bar.test for bar in bars),
        "validation": sum(bar.validation for bar in bars),
        "problems": problems[:SHOWN_PROBLEMS],
        "more_problems": max(0, len(problems) - SHOWN_PROBLEMS),
        "samples": [
            (number, sample | {"name": _last(sample.get("name", ""))}) for number, sample in enumerate(samples)
        ],
        "files": list(dataset.files.all()),
        "runs": list(dataset.runs.all()[:20]),
    }
