"""From a source to data ready for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from evolution_core.spec import DataError, RunSpec
from evolution_core.spec.base_networks import ARCHITECTURES

from . import detection
from .files import Files, Limits, Source, open_source
from .images import fit
from .inspection import inspect, open_reader
from .model import Data, Inspection, Split, statistics
from .readers import Progress, Reader
from .splits import split
from .store import Store, gathered, new_store, open_store, place


def load(
    source: Source,
    *,
    spec: RunSpec,
    cache: Path | None = None,
    inspection: Inspection | None = None,
    shape: tuple[int, int, int] | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Data:
    """The data as `spec` wants them: size, limit, validation share and seed are the spec's.

    Images are squashed to the input size as a whole (bicubic, antialiased). `shape` (C, H, W) overrides
    channels and size, for an own network that takes no other. `inspection` spares a pass over the source
    and is believed. Under `cache` the decoded images stay for the next time, memory-mapped; safe for
    several processes at once. Raises DataError with every problem of the source.
    """
    limits = limits or Limits()
    if inspection is None:
        inspection = inspect(source, progress=progress, limits=limits)
    if inspection.fatal:
        raise DataError(inspection.problems)
    shape = shape or input_shape(spec, inspection)
    if inspection.task == "detection":
        return detection.load_boxes(
            open_source(source, limits),
            spec=spec,
            inspection=inspection,
            shape=shape,
            cache=cache,
            progress=progress,
            limits=limits,
        )
    folder = place(cache, inspection.fingerprint, shape) if cache else None
    store = open_store(folder) if folder else None
    if store is None:
        store = _decode(open_source(source, limits), folder, shape, limits, progress)
    return _assemble(store, spec, shape, inspection)


def input_shape(spec: RunSpec, inspection: Inspection) -> tuple[int, int, int]:
    """Channels, height, width: the spec's size, else the data's own, or more where the base network needs it."""
    card = ARCHITECTURES.get(spec.architecture)
    size = spec.input_size
    if size is None:
        size = inspection.default_input
        if card is not None:
            size = card.default_size(size)
    return inspection.channels, size, size


def _decode(
    files: Files, folder: Path | None, shape: tuple[int, int, int], limits: Limits, progress: Progress | None
) -> Store:
    reader = open_reader(files, limits)
    if reader.findings.problems:
        raise DataError(reader.findings.listed())

    def fill(images: np.ndarray) -> None:
        _fill(reader, images, progress)

    return new_store(folder, (len(reader.labels), *shape), reader.labels, reader.parts, reader.classes, fill)


def _fill(reader: Reader, images: np.ndarray, progress: Progress | None) -> None:
    total, channels, height, width = images.shape
    for index, image in enumerate(reader.images(near=max(height, width))):
        if isinstance(image, DataError):
            raise image
        images[index] = fit(image, (height, width), channels)
        if progress and index % 100 == 0:
            progress(index, total)
    if progress:
        progress(total, total)


def _assemble(store: Store, spec: RunSpec, shape: tuple[int, int, int], inspection: Inspection) -> Data:
    rows = split(store.labels, store.parts, seed=spec.seed, validation_share=spec.validation_share, limit=spec.limit)
    train, validation, test = (
        Split(torch.from_numpy(gathered(store, part)), torch.from_numpy(store.labels[part])) for part in rows
    )
    mean, std = statistics(train.images)
    return Data(
        inspection.task,
        tuple(store.classes),
        shape,
        train,
        validation,
        test,
        mean,
        std,
        inspection.fingerprint,
    )
