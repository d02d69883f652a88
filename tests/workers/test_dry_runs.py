"""Dry runs by the real engine, through rows: what is found, what is refused and where, what is lost and tidied up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from evolution_core.spec import RunSpec
from tests.evolution_core import boxes
from tests.workers.pictures import picture_zip
from webapp.datasets.models import Dataset, DatasetFile
from webapp.runs.models import BaseFile, DryRun
from webapp.server import presence
from workers import dry_runs, inspections, once, pace
from workers.stopping import stopping
from workers.sweeper import DRY_RUNS_KEPT, sweep

pytestmark = pytest.mark.django_db(transaction=True)

Messages = list[tuple[Any, ...]]
State = DryRun.State
SMALL = {
    "width": 0.25,
    "input_size": 16,
    "generations": 2,
    "batch_size": 16,
    "width_multiple": 1,
    "epochs": 1,
    "repair_images": 16,
    "minimum_clusters": 1,
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from evolution_core.dry_run import rehearsing
    from evolution_core.measurement import latency_ms

    monkeypatch.setattr(rehearsing.dry_run, "__kwdefaults__", {**rehearsing.dry_run.__kwdefaults__, **QUICK})
    monkeypatch.setattr(rehearsing, "latency_ms", lambda files, **_: latency_ms(files, rounds=5, seconds=0.01))
    monkeypatch.setattr(dry_runs, "trainers", lambda: 2)


QUICK = {"probe_seconds": 0.01}


def uploaded(team: Any, content: bytes) -> Dataset:
    dataset = Dataset.objects.create(team=team, name="Shapes")
    file = DatasetFile(dataset=dataset, original_name="shapes.zip", size=len(content))
    file.file.save("shapes.zip", ContentFile(content))
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == Dataset.State.READY, dataset.message
    return dataset


def asked(dataset: Dataset, **changes: Any) -> DryRun:
    spec = RunSpec.from_json({**SMALL, **changes})
    return DryRun.objects.create(team=dataset.team, dataset=dataset, spec=spec.to_json())


def tried(row: DryRun) -> DryRun:
    dry_runs.dry_run(row.pk)
    row.refresh_from_db()
    assert (row.claimed_by, row.heartbeat_at) == ("", None)
    return row


@pytest.fixture
def shapes(team: Any, dispatched: Messages) -> Dataset:
    return uploaded(team, picture_zip(each=12, size=20))


def test_a_spec_is_tried_on_its_data(shapes: Dataset) -> None:
    row = tried(asked(shapes))
    assert (row.state, row.message, row.problems, row.attempts) == (State.READY, "", {}, 0)
    found = row.result
    ancestor, first, last = found["networks"]
    assert ancestor["layers"]["conv1"] > first["layers"]["conv1"] > last["layers"]["conv1"]
    assert ancestor["parameters"] > first["parameters"] > last["parameters"]
    assert found["seconds"]["high"] > found["seconds"]["low"] > 0
    assert found["at_once"] == 2
    assert found["classes"] == 3
    assert [path.name for path in settings.WORK_ROOT.iterdir() if path.name.startswith("dry-run")] == []


def test_a_detector_is_tried_on_boxes(team: Any, dispatched: Messages, tmp_path: Path) -> None:
    content = boxes.zipped(tmp_path / "set.zip", boxes.voc(boxes.scenes(24))).read_bytes()
    row = tried(asked(uploaded(team, content), architecture="tiny-yolov2", width=0.05, input_size=64, generations=1))
    assert row.state == State.READY, row.message
    assert len(row.result["networks"]) == 2


def test_what_is_wrong_with_the_spec_is_kept_by_setting(shapes: Dataset) -> None:
    row = tried(asked(shapes, protect=["conv9"]))
    assert row.state == State.REFUSED
    assert "conv9" in row.problems["protect"]


def test_a_file_that_is_gone_is_refused(shapes: Dataset) -> None:
    row = tried(asked(shapes, architecture="own", own="a" * 64))
    assert row.state == State.REFUSED
    assert "was deleted" in row.message
    assert row.problems == {}


def test_weights_that_are_none_are_refused(shapes: Dataset) -> None:
    base = BaseFile(team=shapes.team, kind=BaseFile.Kind.WEIGHTS, sha256="b" * 64, state=BaseFile.State.READY)
    base.file.save("w", ContentFile(b"no weights at all"))
    row = tried(asked(shapes, weights="b" * 64))
    assert row.state == State.REFUSED
    assert row.message


def test_a_bug_is_said_to_be_one(shapes: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dry_runs.materials, "data_for", broken)
    row = tried(asked(shapes))
    assert (row.state, row.message) == (State.ERRORED, once.BUG)


def test_a_process_that_stops_hands_it_back(shapes: Dataset) -> None:
    row = asked(shapes)
    stopping.set()
    try:
        tried(row)
    finally:
        stopping.clear()
    assert (row.state, row.attempts) == (State.WAITING, 0)


def test_a_settled_one_is_not_tried_again(shapes: Dataset) -> None:
    row = asked(shapes)
    DryRun.objects.update(state=State.READY, result={"kept": 1})
    assert tried(row).result == {"kept": 1}


def test_lost_ones_are_put_back_and_sent_again_and_given_up_in_the_end(shapes: Dataset, dispatched: Messages) -> None:
    row = asked(shapes)
    silent = timezone.now() - timedelta(seconds=pace.STALE + 1)
    lost = {"state": State.TRYING, "claimed_by": "host:1:abc", "heartbeat_at": silent}
    DryRun.objects.update(**lost, attempts=1)
    sweep(lambda _queue: True)
    row.refresh_from_db()
    assert (row.state, row.claimed_by) == (State.WAITING, "")
    assert ("workers.dry_run", row.pk) in dispatched
    DryRun.objects.update(**lost, attempts=pace.ATTEMPTS)
    sweep(lambda _queue: True)
    row.refresh_from_db()
    assert row.state == State.ERRORED
    assert "want of memory" in row.message


def test_old_ones_are_tidied_up(shapes: Dataset) -> None:
    old, new = asked(shapes), asked(shapes)
    DryRun.objects.filter(pk=old.pk).update(created_at=timezone.now() - DRY_RUNS_KEPT - timedelta(minutes=1))
    sweep(lambda _queue: False)
    assert list(DryRun.objects.all()) == [new]


def test_workers_that_train_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = {presence.TRAINER: ["a", "b", "c"]}
    monkeypatch.setattr(presence, "living", lambda _url: found)
    assert dry_runs.trainers() == 3
    found[presence.TRAINER] = []
    assert dry_runs.trainers() == 1

    def away(_url: str) -> None:
        raise redis.RedisError

    monkeypatch.setattr(presence, "living", away)
    assert dry_runs.trainers() == 1
