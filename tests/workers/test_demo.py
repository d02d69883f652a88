"""The demo: made once, from the package's files, for the first team; never over what people made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from webapp.datasets.models import Dataset
from webapp.runs.models import Run
from webapp.server import demo
from webapp.teams.owner import home_team

pytestmark = pytest.mark.django_db(transaction=True)

Messages = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The npm package's four files, small."""
    folder = tmp_path / "package"
    folder.mkdir()
    for name in demo.FILES:
        (folder / name).write_bytes(name.encode())
    monkeypatch.setattr(demo, "package", lambda: folder)
    return folder


def test_the_first_start_makes_a_data_set_and_a_run(dispatched: Messages) -> None:
    run = demo.start_demo()
    assert run is not None
    assert (run.demo, run.state, run.team) == (True, Run.State.QUEUED, home_team())
    assert [file.original_name for file in run.dataset.files.all()] == list(demo.FILES)
    assert run.dataset.files.all()[0].file.read() == demo.FILES[0].encode()
    assert dispatched == [("workers.inspect_dataset", run.dataset.pk)]
    assert run.run_spec.architecture == "lenet5"


def test_later_starts_make_nothing(dispatched: Messages) -> None:
    assert demo.start_demo() is not None
    assert demo.start_demo() is None
    assert Run.objects.count() == Dataset.objects.count() == 1


def test_who_deletes_the_demo_does_not_get_it_back(dispatched: Messages) -> None:
    run = demo.start_demo()
    assert run is not None
    run.delete()
    run.dataset.delete_with_files()
    assert demo.start_demo() is None


def test_nothing_is_added_to_what_people_made(dispatched: Messages) -> None:
    Dataset.objects.create(team=home_team(), name="Ours")
    assert demo.start_demo() is None
    assert dispatched == []


def test_missing_files_are_no_reason_not_to_start(package: Path, dispatched: Messages) -> None:
    (package / demo.FILES[0]).unlink()
    assert demo.start_demo() is None
    assert Dataset.objects.count() == 0
