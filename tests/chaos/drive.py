"""Makes rows in a served installation's own database, from outside: a team, a data set of a zip, runs of a spec.

    python -m tests.chaos.drive begin ZIP SPEC.json     prints the run's number
    python -m tests.chaos.drive again RUN               prints the number of a run of the same spec and data
    python -m tests.chaos.drive cancel RUN      also: pause, resume
    python -m tests.chaos.drive extend RUN N    by so many generations

EUSTRESS_HOME names the installation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django.setup()

from django.core.files import File  # noqa: E402
from django.utils import timezone  # noqa: E402

from evolution_core.spec import RunSpec  # noqa: E402
from webapp.datasets.models import Dataset, DatasetFile  # noqa: E402
from webapp.dispatch import dispatch  # noqa: E402
from webapp.runs import changes  # noqa: E402
from webapp.runs.models import Run  # noqa: E402
from webapp.teams.models import User  # noqa: E402
from webapp.teams.owner import home_team  # noqa: E402


def begin(archive: str, spec: str) -> int:
    dataset = Dataset.objects.create(team=home_team(), name="Shapes")
    kept = DatasetFile(dataset=dataset, original_name=Path(archive).name, size=Path(archive).stat().st_size)
    with Path(archive).open("rb") as source:
        kept.file.save(Path(archive).name, File(source))
    dispatch("workers.inspect_dataset", dataset.pk)
    return start(dataset, RunSpec.from_json(Path(spec).read_text()))


def again(run: str) -> int:
    before = Run.objects.select_related("dataset").get(pk=run)
    return start(before.dataset, before.run_spec)


def start(dataset: Dataset, spec: RunSpec) -> int:
    run = Run.objects.create(team=dataset.team, dataset=dataset, name="Shapes, smaller", spec=spec.to_json())
    dispatch("workers.advance", run.pk)
    return run.pk


def cancel(run: str) -> int:
    Run.objects.filter(pk=run).update(cancel_requested_at=timezone.now())
    dispatch("workers.advance", int(run))
    return int(run)


def pause(run: str) -> int:
    return change(changes.pause, run)


def resume(run: str) -> int:
    return change(changes.resume, run)


def extend(run: str, more: str) -> int:
    return change(changes.extend_run, run, int(more))


def change(what: Callable[..., object], run: str, *more: int) -> int:
    """As a member does it on the run's page."""
    person, _ = User.objects.get_or_create(email="somebody@example.org")
    what(int(run), *more, person)
    return int(run)


if __name__ == "__main__":
    drives = {"begin": begin, "again": again, "cancel": cancel, "pause": pause, "resume": resume, "extend": extend}
    print(drives[sys.argv[1]](*sys.argv[2:]))
