"""From pictures with boxes to data ready for training."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evolution_core.spec import DataError, RunSpec

from ..files import Files, Limits
from ..images import fit
from ..model import Data, Inspection, Split, statistics
from ..readers import Progress
from ..splits import split
from ..store import gathered, new_store, open_store, place
from .annotations import Boxes
from .reading import images_of, read_boxes


def load_boxes(
    files: Files,
    *,
    spec: RunSpec,
    inspection: Inspection,
    shape: tuple[int, int, int],
    cache: Path | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Data:
    """The data as `spec` wants them. Pictures are squashed whole to `shape` (C, H, W); boxes are fractions and stay.

    Decoded pictures are kept under `cache`; annotations are read each time. Raises DataError.
    """
    limits = limits or Limits()
    boxes = read_boxes(files, limits)
    if boxes.findings.problems:
        raise DataError(boxes.findings.listed())
    strata = boxes.strata
    folder = place(cache, inspection.fingerprint, shape, _digest(boxes, strata)) if cache else None
    store = open_store(folder) if folder else None

    def fill(images: np.ndarray) -> None:
        total = len(images)
        for index, image in enumerate(images_of(files, boxes, limits, near=max(shape[1:]))):
            if isinstance(image, DataError):
                raise image
            images[index] = fit(image, shape[1:], shape[0])
            if progress and index % 100 == 0:
                progress(index, total)
        if progress:
            progress(total, total)

    if store is None:
        store = new_store(folder, (len(boxes.pictures), *shape), strata, boxes.parts, boxes.classes, fill)
    rows = split(strata, boxes.parts, seed=spec.seed, validation_share=spec.validation_share, limit=spec.limit)
    targets: list[Tensor] = [torch.from_numpy(listed) for listed in boxes.boxes]
    train, validation, test = (
        Split(torch.from_numpy(gathered(store, part)), [targets[index] for index in part.tolist()]) for part in rows
    )
    mean, std = statistics(train.images)
    return Data(
        "detection",
        tuple(boxes.classes),
        shape,
        train,
        validation,
        test,
        mean,
        std,
        inspection.fingerprint,
    )


def _digest(boxes: Boxes, strata: np.ndarray) -> str:
    """Of what a store of these images depends on besides their pixels: their names in order, strata and parts.

    Annotations are read each time, by code that may have learnt to read them better; a store of another order would
    lay new boxes on old pictures.
    """
    listed = "\0".join(boxes.pictures).encode(errors="surrogateescape")
    return hashlib.sha256(listed + b"\0\0" + strata.tobytes() + boxes.parts.tobytes()).hexdigest()
