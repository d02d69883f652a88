"""What the data themselves suggest for the run form: a start that suits a few hundred photographs as well as MNIST.

A preset says how long to train in epochs, but what a network learns from is steps: two epochs over 60,000 digits are
plenty, over 400 photographs next to nothing.
"""

from __future__ import annotations

import math

from evolution_core.spec import RunSpec
from webapp.datasets.models import Dataset

from .estimate import training_images
from .presets import TASK_DEFAULTS

ENOUGH = 20_000  # images that a network should see in its life, each time it sees one counted
MOST = 30  # epochs are multiplied by at most this


def suited(spec: RunSpec, dataset: Dataset | None) -> RunSpec:
    """`spec` with more epochs where images are few, and with what suits photographs: for colour ones in classes a base
    network and an augmentation, for few ones with boxes the augmentation that many epochs need. Only what the spec
    leaves at its task's defaults is replaced."""
    if dataset is None or not training_images(spec, dataset):
        return spec
    more = epochs_factor(spec, dataset)
    changes: dict[str, object] = {"epochs": spec.epochs * more}
    if spec.last_epochs is not None:
        changes["last_epochs"] = spec.last_epochs * more
    if dataset.task == "detection":
        if more > 1 and spec.augmentation == TASK_DEFAULTS["detection"]["augmentation"]:
            changes["augmentation"] = "photo"
        return spec.replace(**changes)
    if dataset.summary.get("channels") == 3:
        default = RunSpec()
        if spec.architecture == default.architecture:
            changes["architecture"] = "alexnet-small"
        if spec.augmentation == default.augmentation:
            changes["augmentation"] = "flip-shift"
    return spec.replace(**changes)


def epochs_factor(spec: RunSpec, dataset: Dataset) -> int:
    """How many times the spec's epochs make `ENOUGH`, a whole number from 1 to `MOST`. A detector's presets are
    multiplied alike, as the usual one needs it: the quick one stays quick."""
    usual = TASK_DEFAULTS.get(dataset.task, {}).get("epochs", spec.epochs)
    seen = usual * training_images(spec, dataset)
    return max(1, min(MOST, math.ceil(ENOUGH / seen)))
