"""A data set's report, prepared for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from webapp.datasets.models import Dataset

SHOWN_CLASSES = 200
SHOWN_PROBLEMS = 200
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


def imbalance(bars: list[ClassBar]) -> str:
    """One sentence when classes differ so much that accuracy alone would deceive; else nothing."""
    if len(bars) < 2:
        return ""
    largest, smallest = max(bars, key=lambda bar: bar.images), min(bars, key=lambda bar: bar.images)
    if smallest.images * 10 > largest.images:
        return ""
    return (
        f"{largest.name} has {largest.images} images and {smallest.name} only {smallest.images}: "
        "a network can look accurate while it never finds the rare class."
    )


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


def context(dataset: Dataset) -> dict[str, Any]:
    """Everything that the page's changing part shows."""
    report = dataset.report
    bars = balance(dataset)
    problems = report.get("problems", [])
    samples = report.get("samples", [])
    return {
        "dataset": dataset,
        "waiting": None if dataset.is_settled else waiting(dataset),
        "report": report,
        "bars": bars[:SHOWN_CLASSES],
        "more_classes": max(0, len(bars) - SHOWN_CLASSES),
        "has_validation": any(bar.validation for bar in bars),
        "imbalance": imbalance(bars),
        "train": sum(bar.train for bar in bars),
        "test": sum(bar.test for bar in bars),
        "validation": sum(bar.validation for bar in bars),
        "problems": problems[:SHOWN_PROBLEMS],
        "more_problems": max(0, len(problems) - SHOWN_PROBLEMS),
        "samples": list(enumerate(samples)),
        "files": list(dataset.files.all()),
        "runs": list(dataset.runs.all()[:20]),
    }
