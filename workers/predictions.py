"""What a detector finds in validation pictures, kept for its page: JSON for each network, the pictures once a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from webapp.networks.models import Network
from webapp.networks.predictions import index_name, picture_name, predictions_name
from webapp.runs.models import Run
from workers import materials

if TYPE_CHECKING:
    from evolution_core.genome import LoadedNetwork


def keep(network: Network, loaded: LoadedNetwork, check: Callable[[], None] = lambda: None) -> str:
    """Store what the network finds, and the pictures if the run has none yet; returns the storage name.

    Doing it twice leaves the same files. Raises DataError when the data cannot be read any more.
    """
    from evolution_core.data.detection.showing import shown_rows  # PyTorch: only where it is needed
    from evolution_core.life.images import seen_as
    from evolution_core.tasks.detection.review import review

    run = network.run
    keep_pictures(run)
    data = seen_as(materials.data_for(run, None, check), loaded.genome.mean, loaded.genome.std)
    reviewed = review(loaded.model, data, shown_rows(len(data.validation)))
    images = [
        {
            "found": [
                [int(label), *_rounded(corners), round(score, 4)]
                for label, corners, score in zip(
                    one.found.classes.tolist(), one.found.corners.tolist(), one.found.scores.tolist(), strict=True
                )
            ],
            "hits": one.hits,
            "sure": one.sure,
            "loss": round(one.loss, 4),
        }
        for one in reviewed
    ]
    return _store(predictions_name(run.pk, network.name), {"network": network.name, "images": images})


def keep_pictures(run: Run) -> None:
    """Store the run's validation pictures with their true boxes, once; the index comes last: then all is there."""
    from evolution_core.data.detection.showing import validation_pictures

    if default_storage.exists(index_name(run.pk)):
        return
    pictures = []
    for number, shown in enumerate(validation_pictures(materials.source(run.dataset), run.run_spec)):
        _save(picture_name(run.pk, number), shown.jpeg)
        truths = [[int(box[0]), *_rounded(_corners(box[1:]))] for box in shown.boxes]
        pictures.append({"file": shown.file, "width": shown.width, "height": shown.height, "truths": truths})
    classes = [found["name"] for found in run.dataset.report["classes"]]
    _store(index_name(run.pk), {"classes": classes, "pictures": pictures})


def _corners(box: np.ndarray) -> list[float]:
    x, y, width, height = (float(value) for value in box)
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


def _store(name: str, value: Any) -> str:
    return _save(name, json.dumps(value, separators=(",", ":")).encode())


def _save(name: str, content: bytes) -> str:
    default_storage.delete(name)
    return default_storage.save(name, ContentFile(content))
