"""Which image goes where: stratified, by seed, never an empty part, validation never out of the test set."""

from __future__ import annotations

import numpy as np
import torch

from evolution_core.seeds import generator
from evolution_core.spec import DataError

from .model import TEST, TRAIN, VALIDATION, Split

TEST_SHARE = 0.15  # carved off where the data have no test part of their own


def split(
    labels: np.ndarray,
    parts: np.ndarray,
    *,
    seed: int,
    validation_share: float,
    limit: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (int64, ascending) of the training, validation and test images.

    A test part, if there is none, comes off first: 15 % of each class. `limit` then caps training
    and validation images together, in equal shares of each class as far as they go. Validation is
    the data's own where it has one, else `validation_share` of each class; every class with two
    images or more is in it. All choices depend on `seed` and on nothing else but labels and parts.
    Raises DataError when a part would stay empty.
    """
    train, validation, test = (np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION, TEST))
    if test.size == 0:
        train, test = _carve(train, labels, TEST_SHARE, seed, "test", keep=1 if validation.size else 2)
    if validation.size == 0:
        train = _limited(train, labels, limit, seed, "train")
        train, validation = _carve(train, labels, validation_share, seed, "validation", keep=1)
    elif limit is not None:
        share = validation.size / (validation.size + train.size)
        held_back = min(limit - 1, max(1, round(limit * share)))
        validation = _limited(validation, labels, held_back, seed, "validation")
        train = _limited(train, labels, limit - held_back, seed, "train")
    for rows, name in ((train, "training"), (validation, "validation"), (test, "test")):
        if rows.size == 0:
            raise DataError(f"there are too few images for a {name} part; give more images of each class")
    return np.sort(train), np.sort(validation), np.sort(test)


def _shuffled(rows: np.ndarray, seed: int, purpose: str, label: int) -> np.ndarray:
    order = torch.randperm(rows.size, generator=generator(seed, "split", purpose, label))
    return rows[order.numpy()]


def _by_class(rows: np.ndarray, labels: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(label, its rows in ascending order) for every label among `rows`."""
    order = np.argsort(labels[rows], kind="stable")
    values, starts = np.unique(labels[rows][order], return_index=True)
    return [(int(v), part) for v, part in zip(values, np.split(rows[order], starts[1:]), strict=True)]


def _carve(
    rows: np.ndarray, labels: np.ndarray, share: float, seed: int, purpose: str, *, keep: int
) -> tuple[np.ndarray, np.ndarray]:
    """(rest, carved): `share` of each class, at least one of it, at least `keep` left of it."""
    rest, carved = [rows[:0]], [rows[:0]]
    for label, members in _by_class(rows, labels):
        count = max(0, min(members.size - keep, max(1, round(share * members.size))))
        members = _shuffled(members, seed, purpose, label)
        carved.append(members[:count])
        rest.append(members[count:])
    return np.concatenate(rest), np.concatenate(carved)


def _limited(rows: np.ndarray, labels: np.ndarray, limit: int | None, seed: int, purpose: str) -> np.ndarray:
    """At most `limit` rows in equal shares of each class; what a small class leaves over goes to the others."""
    if limit is None or rows.size <= limit:
        return rows
    classes = _by_class(rows, labels)
    quota = equal_shares([members.size for _, members in classes], limit)
    return np.concatenate(
        [
            _shuffled(members, seed, f"limit-{purpose}", label)[:count]
            for (label, members), count in zip(classes, quota, strict=True)
        ]
    )


def equal_shares(sizes: list[int], total: int) -> list[int]:
    """How many to take of each so that they sum to min(total, sum(sizes)) and are as equal as sizes allow.

    What cannot be shared evenly goes to the first ones.
    """
    taken = [0] * len(sizes)
    left = min(total, sum(sizes))
    while left:
        open_ = [i for i, size in enumerate(sizes) if taken[i] < size]
        each = max(1, min(left // len(open_), min(sizes[i] - taken[i] for i in open_)))
        for i in open_[:left]:
            taken[i] += each
            left -= each
    return taken


def spread_rows(count: int, most: int) -> list[int]:
    """All of `count` rows, or `most` of them spread evenly, in order: of images in class folders, which are sorted by
    class, the first ones would be of a few classes only."""
    return list(range(count)) if count <= most else [place * count // most for place in range(most)]


def spread_over(part: Split, most: int) -> Split:
    """The whole part, or `most` of its images spread evenly over it, in order."""
    if len(part) <= most:
        return part
    rows = spread_rows(len(part), most)
    targets = part.targets
    chosen = targets[torch.tensor(rows)] if isinstance(targets, torch.Tensor) else [targets[row] for row in rows]
    return Split(part.images[torch.tensor(rows)], chosen)
