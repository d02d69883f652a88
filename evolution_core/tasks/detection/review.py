"""What a detector finds in single images, and how well: for people who want to see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..base import Data
from .decoding import Detections
from .metrics import SURE, precision_and_recall
from .task import detections

FAINTEST = 0.05  # confidence from which a detection is kept to be shown


@dataclass(frozen=True)
class Reviewed:
    """One image's detections, and how many of them that are surer than .25 (`sure`) hit one of its `truths`."""

    found: Detections
    hits: int
    sure: int
    truths: int

    @property
    def loss(self) -> float:
        """1 - F1 at an overlap of .5: what is missed and what is invented weigh alike (our formalisation)."""
        both = self.sure + self.truths
        return 1.0 - 2.0 * self.hits / both if both else 0.0


def review(model: nn.Module, data: Data, rows: Sequence[int]) -> list[Reviewed]:
    """What `model` finds in the validation images `rows`; `data` has the pixel statistics that it is fed with."""
    split = data.validation
    chosen = torch.tensor(rows, dtype=torch.long)
    found = detections(model, split.images, data, rows=chosen, threshold=FAINTEST)
    reviewed = []
    for row, part in zip(rows, found, strict=True):
        truth = split.targets[row]
        sure = len(part.above(SURE))
        recall = precision_and_recall([part], [truth])["recall"]
        reviewed.append(Reviewed(part, round(recall * len(truth)), sure, len(truth)))
    return reviewed
