"""What a reader offers, whatever the format: the labelled examples of a source, one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from PIL import Image

from evolution_core.spec import DataError

from .model import TRAIN

Progress = Callable[[int, int], None]  # done, total

MAXIMUM_CLASSES = 10_000
MAXIMUM_PROBLEMS = 200
MAXIMUM_NOTES_IN_ALL = 1_000


@dataclass
class Findings:
    """What is wrong (`problems`) or was left out (`notes`): (file, sentence); long lists are cut with a count."""

    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    unlisted: int = 0  # problems beyond those
    unlisted_notes: int = 0

    def problem(self, file: str, sentence: str) -> None:
        if len(self.problems) < MAXIMUM_PROBLEMS:
            self.problems.append((file, sentence))
        else:
            self.unlisted += 1

    def note(self, file: str, sentence: str) -> None:
        if len(self.notes) < MAXIMUM_NOTES_IN_ALL:
            self.notes.append((file, sentence))
        else:
            self.unlisted_notes += 1

    def listed_notes(self) -> list[tuple[str, str]]:
        more = [("", f"{self.unlisted_notes:,} more notes are not listed")] if self.unlisted_notes else []
        return self.notes + more

    def listed(self) -> list[tuple[str, str]]:
        more = [("", f"{self.unlisted:,} more problems of these kinds are not listed")] if self.unlisted else []
        return self.problems + more


class Reader(Protocol):
    """The examples of a source. `labels` int64 [N] index `classes`; `parts` uint8 [N] as in model.PARTS."""

    classes: list[str]
    labels: np.ndarray
    parts: np.ndarray
    findings: Findings

    def name(self, index: int) -> str:
        """What to call an example when there is something to say about it."""
        ...

    def images(self, near: int | None = None) -> Iterator[Image.Image | DataError]:
        """Every example in order as mode L or RGB, or why it cannot be read. `near` as in images.decode."""
        ...


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: 'class2' before 'class10', 'a' beside 'A'."""
    chunks = re.split(r"([0-9]+)", name.casefold())
    key = [(0, int(chunk), "") if chunk.isdecimal() else (1, 0, chunk) for chunk in chunks if chunk]
    return key, name


def printable(text: str) -> str:
    """Text from a stranger's file as it may be stored and shown: no control characters, at most 300 characters."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:300])


def check_classes(names: list[str], findings: Findings, where: str) -> None:
    """Note the problems of the class list itself: none, one, or more than the networks can tell apart."""
    if len(names) == 0:
        findings.problem(where, "holds no images in class folders")
    elif len(names) == 1:
        findings.problem(where, f"holds one class only ({names[0]!r}); at least two are needed")
    elif len(names) > MAXIMUM_CLASSES:
        findings.problem(where, f"holds {len(names):,} classes; at most {MAXIMUM_CLASSES:,} are possible")


def number_classes(
    labels: np.ndarray, parts: np.ndarray, file: Callable[[int], str], findings: Findings
) -> tuple[np.ndarray, list[str]]:
    """Numbered labels counted from 0 (int64), and the classes' names, which are the numbers as they stood.

    The training part numbers the classes from 0 or from 1 without gaps, and every other part
    stays in that range; `file(index)` names where an example's label stands. What is wrong
    goes into `findings`, and then the numbers returned mean nothing.
    """
    if labels.dtype.kind == "f":
        broken = np.flatnonzero(labels != np.rint(labels))
        if broken.size:
            first = int(broken[0])
            findings.problem(file(first), f"holds the label {labels[first]}, which is no whole number")
            return np.zeros(len(labels), np.int64), []
    labels = labels.astype(np.int64)
    train = labels[parts == TRAIN]
    low = 1 if train.size and train.min() == 1 else 0
    present = np.unique(train)
    known = present[(present >= low) & (present < low + MAXIMUM_CLASSES)]
    # The classes end where their numbers first break off.
    count = int(np.flatnonzero(np.append(known != np.arange(low, low + len(known)), True))[0])
    outside = np.flatnonzero((labels < low) | (labels >= low + count))[:10_000]
    reach = f"the training part numbers {low} to {low + count - 1}" if count else "classes are numbered from 0 or 1"
    for value, where in dict.fromkeys((int(labels[index]), file(int(index))) for index in outside):
        findings.problem(where, f"holds the label {value}, which is out of range: {reach}")
    return labels - low, [str(number) for number in range(low, low + count)]
