"""Classes on a classifier's page: who paid for the size, what is taken for what, and the images on which a network and
its ancestor disagree. Everything follows from the answers that workers keep (see inside_files)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from webapp.networks.inside_files import Answers, Questions
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls

EACH = 24  # images on a page
MATRIX = 20  # classes up to which the whole matrix is shown
MIXED = 12  # pairs of classes in the list of what is taken for what
CLASSES = 200  # rows of classes
SHADES = 10
KINDS = ("lost", "won", "other")


@dataclass(frozen=True)
class Choice:
    """What of the images' state lives in the page's address. Unknown values fall back to the defaults."""

    page: int = 1
    only: str = ""  # one of KINDS, or all

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Choice:
        page, only = query.get("images", ""), query.get("only", "")
        number = int(page[:6]) if page.isascii() and page.isdigit() else 1
        return cls(max(1, number), only if only in KINDS else "")

    def query(self, page: int = 1, only: str | None = None) -> str:
        chosen = self.only if only is None else only
        kept = {"images": str(page) if page > 1 else "", "only": chosen}
        return "?" + urlencode({name: value for name, value in kept.items() if value}) + "#disagreements"


def classes_context(
    network: Network, ancestor: Network | None, urls: RunUrls, query: Mapping[str, str]
) -> dict[str, Any] | None:
    """Context of `networks/_classes.html`; None where the network's answers are not kept (yet)."""
    questions = Questions.of(network.run_id)
    own = Answers.of(network, questions) if questions is not None else None
    if questions is None or own is None:
        return None
    before = None
    if ancestor is not None and ancestor.pk != network.pk:
        before = Answers.of(ancestor, questions)
    return {
        "asked": len(questions.labels),
        "images": questions.images,
        "has_ancestor": before is not None,
        "rows": change_rows(questions, own, before),
        "matrix": matrix(questions, own) if len(questions.classes) <= MATRIX else None,
        "mixed": mixed(questions, own, before),
        "disagreements": disagreements(questions, own, before, urls, Choice.read(query)) if urls.shows_images else None,
    }


def recalls(questions: Questions, answers: Answers) -> list[tuple[int, int]]:
    """For each class (images recognised, images)."""
    seen = Counter(questions.labels)
    right = Counter(label for label, said in zip(questions.labels, answers.classes, strict=True) if label == said)
    return [(right[number], seen[number]) for number in range(len(questions.classes))]


def change_rows(
    questions: Questions, own: Answers, before: Answers | None, most: int | None = CLASSES
) -> list[dict[str, Any]]:
    """One row a class that was asked about: the share recognised, beside the ancestor's; who paid most comes first."""
    ours = recalls(questions, own)
    theirs = recalls(questions, before) if before is not None else None
    rows: list[dict[str, Any]] = []
    for number, (right, seen) in enumerate(ours):
        if not seen:
            continue
        was = theirs[number][0] / seen if theirs is not None else None
        points = 100 * (right / seen - was) if was is not None else None
        rows.append(
            {"name": questions.classes[number], "images": seen, "own": right / seen, "ancestor": was, "points": points}
        )
    return who_paid_first(rows, most)


def who_paid_first(rows: list[dict[str, Any]], most: int | None = CLASSES) -> list[dict[str, Any]]:
    """Rows of {"own", "points"} in order of change, each with its "bar"; the first `most`, or all."""
    rows = sorted(rows, key=lambda row: (row["points"] if row["points"] is not None else 0, row["own"]))
    widest = max((abs(row["points"]) for row in rows if row["points"] is not None), default=0.0)
    return [row | {"bar": diverging(row["points"], widest)} for row in rows[:most]]


def diverging(points: float | None, widest: float) -> dict[str, float] | None:
    """A bar that starts in the middle of 100 and goes left for what was lost, right for what was won."""
    if not points or not widest:
        return None
    length = round(50 * abs(points) / widest, 2)
    return {"x": round(50 - length, 2) if points < 0 else 50.0, "width": length, "lost": points < 0}


def matrix(questions: Questions, own: Answers) -> list[dict[str, Any]]:
    """Rows of true classes by what they were taken for; shades are of the row's images for what is right, and of the
    worst mistake for what is wrong."""
    pairs = Counter(zip(questions.labels, own.classes, strict=True))
    worst = max((count for (true, said), count in pairs.items() if true != said), default=1)
    seen = Counter(questions.labels)
    names = questions.classes
    rows = []
    for true, name in enumerate(names):
        cells = []
        for said in range(len(names)):
            count = pairs[true, said]
            whole = seen[true] if true == said else worst
            shade = max(1, round(SHADES * count / whole)) if count and whole else 0
            cells.append({"count": count, "right": true == said, "shade": shade, "said": names[said]})
        rows.append({"name": name, "cells": cells})
    return rows


def mixed(questions: Questions, own: Answers, before: Answers | None, most: int | None = MIXED) -> list[dict[str, Any]]:
    """Which class is most often taken for which, beside how often the ancestor did so."""
    pairs = Counter(zip(questions.labels, own.classes, strict=True))
    theirs = Counter(zip(questions.labels, before.classes, strict=True)) if before is not None else Counter()
    wrong = sorted(((count, pair) for pair, count in pairs.items() if pair[0] != pair[1]), key=lambda x: (-x[0], x[1]))
    names = questions.classes
    return [
        {
            "true": names[true],
            "said": class_name(names, said),
            "count": count,
            "ancestor": theirs[true, said] if before is not None else None,
        }
        for count, (true, said) in wrong[:most]
    ]


def disagreements(
    questions: Questions, own: Answers, before: Answers | None, urls: RunUrls, choice: Choice
) -> dict[str, Any]:
    """The images on which network and ancestor disagree, worst first; of the ancestor itself, its own mistakes."""
    found = ranked(questions, own, before)
    counts = Counter(kind for kind, *_ in found)
    if choice.only:
        found = [row for row in found if row[0] == choice.only]
    pages = max(1, -(-len(found) // EACH))
    page = min(choice.page, pages)
    shown = found[(page - 1) * EACH : page * EACH]
    labels = {
        "": "all",
        "lost": "only the ancestor was right",
        "won": "only this one is right",
        "other": "both are wrong",
    }
    total = sum(counts.values())
    return {
        "only": choice.only,
        "count": len(found),
        "total": total,
        "switch": [
            {
                "label": labels[kind],
                "count": counts[kind] if kind else total,
                "on": choice.only == kind,
                "query": choice.query(only=kind),
            }
            for kind in ("", *KINDS)
        ],
        "page": page,
        "pages": pages,
        "previous": choice.query(page - 1) if page > 1 else "",
        "next": choice.query(page + 1) if page < pages else "",
        "tiny": max(questions.width, questions.height) <= 48,
        "pictures": [_picture(number, kind, questions, own, before, urls) for kind, _, number in shown],
    }


def ranked(questions: Questions, own: Answers, before: Answers | None) -> list[tuple[str, int, int]]:
    """(kind, minus how sure, number), worst first: what was lost, surest mistakes first; then where both are wrong in
    different ways; then what was won."""
    found = []
    for number, (label, said) in enumerate(zip(questions.labels, own.classes, strict=True)):
        other = before.classes[number] if before is not None else label
        if said == other or (before is None and said == label):
            continue
        kind = "won" if said == label else "lost" if other == label else "other"
        found.append((kind, -own.sure[number], number))
    order = {"lost": 0, "other": 1, "won": 2}
    return sorted(found, key=lambda row: (order[row[0]], row[1], row[2]))


def _picture(
    number: int, kind: str, questions: Questions, own: Answers, before: Answers | None, urls: RunUrls
) -> dict[str, Any]:
    def said(answers: Answers) -> dict[str, Any]:
        return {
            "name": answers.network,
            "said": class_name(questions.classes, answers.classes[number]),
            "sure": answers.sure[number] / 1000,
            "right": answers.classes[number] == questions.labels[number],
        }

    return {
        "url": urls.get("question", str(number)),
        "number": number,
        "kind": kind,
        "label": questions.classes[questions.labels[number]],
        "answers": [said(answers) for answers in (own, before) if answers is not None],
    }


def class_name(names: list[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
