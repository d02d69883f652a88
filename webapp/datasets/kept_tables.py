"""The tables of data sets, to keep as files: whole, where a page shows the first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.http import Http404

from webapp.datasets.models import Dataset
from webapp.keeping import Table


def datasets(found: Iterable[Dataset]) -> Table:
    """Data sets with the `bytes` of their files (see views.datasets_of)."""
    rows = []
    for one in found:
        images, classes = one.summary.get("images"), one.summary.get("classes") or None
        size = getattr(one, "bytes", None)
        rows.append((one.pk, one.name, one.state, one.task, images, classes, size, one.created_at))
    return Table(("data_set", "name", "state", "task", "images", "classes", "bytes", "created_at"), rows)


def classes(report: dict[str, Any]) -> Table:
    """Each class with its images in every part; of boxes, boxes, and their usual side as a share of the image's."""
    boxes = (report.get("boxes") or {}).get("classes") or {}
    rows = []
    for row in report.get("classes", []):
        of = boxes.get(row["name"], {})
        parts = (row.get(part, 0) for part in ("train", "validation", "test"))
        rows.append((row["name"], *parts, of.get("boxes"), of.get("median_side")))
    return Table(("class", "train", "validation", "test", "boxes", "median_side"), rows)


def problems(report: dict[str, Any]) -> Table:
    return Table.of(("file", "problem"), report.get("problems", []))


def notes(report: dict[str, Any]) -> Table:
    return Table.of(("file", "note"), report.get("notes", []))


TABLES: dict[str, Callable[[dict[str, Any]], Table]] = {table.__name__: table for table in (classes, problems, notes)}


def of_dataset(dataset: Dataset, name: str) -> Table:
    """One of TABLES. Raises Http404 for another name."""
    if name not in TABLES:
        raise Http404("This page has no such table.")
    return TABLES[name](dataset.report)
