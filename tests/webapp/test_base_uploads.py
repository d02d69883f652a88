"""A team's own networks and weights come in pieces as data sets do: judged before they are sent, kept once they are
whole, and never found by anybody but who sends them, nor by another team; one in use stays."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from tests.webapp.factories import make_base, make_run
from tests.webapp.test_run_form import ONNX
from tests.webapp.test_uploads import TUS, begin, whole
from webapp.runs import bases
from webapp.runs.models import BaseFile, Run
from webapp.uploads.models import Upload

pytestmark = pytest.mark.django_db
JSON = {"accept": "application/json"}
ADD, CHECK, MINE = "/runs/bases/add/", "/runs/bases/check/", "/uploads/mine.json"


@pytest.fixture
def editor(client_of: Any, eve: Any) -> Any:
    return client_of(eve)


def add(client: Any, name: str, kind: str = "onnx", **fields: str) -> Any:
    return client.post(ADD, {"kind": kind, "received": name, **fields}, headers=JSON)


def test_a_whole_file_is_kept_and_nothing_of_its_upload_is_left(
    editor: Any, team: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = add(editor, whole(editor, ONNX, "../net\u202e.onnx"))
    base = BaseFile.objects.get()
    assert answer.json()["id"] == base.pk
    assert (base.original_name, base.size) == ("net.onnx", len(ONNX))
    assert base.file.name == f"bases/{team.pk}/{base.sha256}.onnx"
    assert base.file.read() == ONNX
    assert dispatched == [("workers.inspect_base", base.pk)]
    assert not Upload.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        again = add(editor, whole(editor, ONNX, "other.onnx"))  # the same content is kept once
    assert again.json()["id"] == base.pk
    assert not Upload.objects.exists()


def test_a_file_survives_that_its_row_cannot_be_kept(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for a moment: gigabytes are not sent again for it, and no file is left without a row."""
    name = whole(editor, ONNX, "net.onnx")
    with monkeypatch.context() as broken:
        broken.setattr(BaseFile, "save", _fail)
        with pytest.raises(OperationalError):
            add(editor, name)
    assert stored_files() == []
    assert Upload.objects.get().is_whole
    assert add(editor, name).status_code == 200
    assert BaseFile.objects.get().file.read() == ONNX


def test_a_process_that_dies_before_the_row_is_kept_loses_nothing(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = whole(editor, ONNX, "net.onnx")
    with monkeypatch.context() as dead:
        dead.setattr(BaseFile, "save", _fail)
        dead.setattr("django.core.files.storage.FileSystemStorage.delete", lambda self, name: None)
        with pytest.raises(OperationalError):
            add(editor, name)
    stray = stored_files()
    assert len(stray) == 1
    assert add(editor, name).status_code == 200
    assert BaseFile.objects.get().file.read() == ONNX
    assert not Upload.objects.exists()
    bases.forget_strays()
    assert set(stray) < set(stored_files())  # it may be on its way yet
    for path in stored_files():
        os.utime(path, (1, 1))
    bases.forget_strays()
    assert [str(path) for path in stored_files()] == [BaseFile.objects.get().file.path]


def test_who_brings_the_same_at_the_same_time_gets_the_others_row(
    editor: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    first = add(editor, whole(editor, ONNX, "net.onnx")).json()["id"]
    looks = iter([None])  # neither has seen the other's row when both looked
    known = bases._known
    monkeypatch.setattr(bases, "_known", lambda *which: next(looks, known(*which)))
    with django_capture_on_commit_callbacks(execute=True):
        answer = add(editor, whole(editor, ONNX, "same.onnx"))
    assert (answer.status_code, answer.json()["id"]) == (200, first)
    assert len(stored_files()) == 1
    assert BaseFile.objects.get().file.read() == ONNX


def stored_files() -> list[Path]:
    return [path for path in Path(default_storage.path("bases")).rglob("*") if path.is_file()]


def _fail(*args: Any, **more: Any) -> None:
    raise OperationalError("the database is away")


def test_what_is_no_network_is_refused_and_forgotten(editor: Any) -> None:
    answer = add(editor, whole(editor, b"MZ no network", "net.onnx"))
    assert (answer.status_code, answer.json()["error"]) == (422, "This is not an ONNX file.")
    assert not Upload.objects.exists()
    assert not BaseFile.objects.exists()


def test_what_has_not_come_whole_stays_on_its_way(editor: Any) -> None:
    name = str(begin(editor, 99, "net.onnx")["Location"]).split("/")[-2]
    answer = add(editor, name)
    assert answer.status_code == 422
    assert "has not come whole" in answer.json()["error"]
    assert add(editor, name, "exe").status_code == 422
    assert Upload.objects.count() == 1


def test_nobody_takes_what_another_has_sent(editor: Any, client_of: Any, ada: Any, olga: Any) -> None:
    name = whole(editor, ONNX, "net.onnx")
    for person in (ada, olga):
        answer = add(client_of(person), name)
        assert (answer.status_code, "not there any more" in answer.json()["error"]) == (422, True)
        assert client_of(person).get(MINE).json() == {"uploads": []}
    assert Upload.objects.count() == 1
    assert not BaseFile.objects.exists()


def test_a_script_learns_what_is_on_its_way(editor: Any, client_of: Any, vic: Any, client: Any) -> None:
    address = begin(editor, 99, "net.onnx")["Location"]
    assert editor.get(MINE).json() == {"uploads": [{"url": address, "name": "net.onnx", "size": 99, "modified": 1700}]}
    assert client_of(vic).get(MINE).status_code == 403
    assert client.get(MINE, headers=JSON).status_code == 401


@pytest.mark.parametrize(
    ("kind", "name", "head", "problem"),
    [
        ("onnx", "net.onnx", ONNX, ""),
        ("onnx", "net.onnx", b"PK\x03\x04", "This is not an ONNX file."),
        ("safetensors", "net.safetensors", b"\x10\0\0\0\0\0\0\0{", ""),
        ("safetensors", "net.pt", b"\x80\x02}q\x00(X pickled", "Pickled weights"),
        ("exe", "net.exe", b"MZ", "Choose a file."),
    ],
)
def test_a_file_is_judged_before_it_is_sent(editor: Any, kind: str, name: str, head: bytes, problem: str) -> None:
    told = [{"name": name, "size": 10**6, "head": base64.b64encode(head[:64]).decode()}]
    answer = editor.post(CHECK, {"kind": kind, "announced": json.dumps(told)})
    assert answer.status_code == (422 if problem else 200)
    assert problem in answer.json().get("error", "")


def test_nonsense_is_no_announcement(editor: Any, client_of: Any, vic: Any) -> None:
    sizes = ("-1", "true", "1.5", '"9"')
    told = [f'[{{"name": "a.onnx", "size": {size}, "head": "CAE="}}]' for size in sizes]
    deep = "[" * 100_000
    for nonsense in ("", "{}", "[1]", "[]", '[{"name": "a", "size": 1, "head": "%"}]', *told, deep):
        assert editor.post(CHECK, {"kind": "onnx", "announced": nonsense}).status_code == 422
    assert client_of(vic).post(CHECK, {"kind": "onnx", "announced": "[]"}).status_code == 403


def test_each_page_shows_what_was_broken_off_for_it(editor: Any) -> None:
    """By what it was begun for: a name says little."""
    address = begin(editor, 99, "net.bin", purpose="base")["Location"]
    begin(editor, 99, "signs.onnx")
    own, data = (editor.get(path).content.decode() for path in ("/runs/bases/", "/datasets/new/"))
    assert 'data-name="net.bin"' in own
    assert 'data-name="signs.onnx"' not in own
    assert 'data-name="signs.onnx"' in data
    assert 'data-name="net.bin"' not in data
    assert editor.post(f"{address}forget/").url == "/runs/bases/"
    assert editor.head(address, headers=TUS).status_code == 404


def test_files_of_another_team_are_invisible(client_of: Any, ada: Any, vic: Any, team: Any, other_team: Any) -> None:
    foreign = make_base(other_team, original_name="secret.onnx")
    mine = make_base(team)
    client = client_of(ada)
    assert "secret" not in client.get(reverse("runs:bases")).content.decode()
    assert client.get(reverse("runs:base_state", args=[foreign.pk])).status_code == 404
    assert client.post(reverse("runs:base_delete", args=[foreign.pk])).status_code == 404
    assert client_of(vic).get(reverse("runs:base_state", args=[mine.pk])).json()["state"] == "ready"
    assert client_of(vic).post(reverse("runs:base_delete", args=[mine.pk])).status_code == 403
    assert client_of(vic).post(reverse("runs:base_add")).status_code == 403
    assert BaseFile.objects.count() == 2


def test_a_file_in_use_is_not_deleted(client_of: Any, ada: Any, team: Any, run: Any) -> None:
    base = make_base(team)
    Run.objects.filter(pk=run.pk).update(spec={**run.spec, "architecture": "own", "own": base.sha256})
    client, address = client_of(ada), reverse("runs:base_delete", args=[base.pk])
    client.post(address)
    assert BaseFile.objects.exists()
    Run.objects.update(state=Run.State.FINISHED, test_requested_at=timezone.now())  # another network was chosen
    client.post(address)
    assert BaseFile.objects.exists()
    Run.objects.update(test_requested_at=None)
    client.post(address)
    assert not BaseFile.objects.exists()


def test_the_question_before_deleting_says_how_many_runs_began_with_it(
    client_of: Any, ada: Any, team: Any, run: Any, other_run: Any
) -> None:
    own, weights, unused = make_base(team), make_base(team, "safetensors"), make_base(team, original_name="unused.onnx")
    Run.objects.filter(pk=run.pk).update(spec={**run.spec, "architecture": "own", "own": own.sha256})
    make_run(team, run.dataset, spec={**run.spec, "weights": weights.sha256, "own": own.sha256})
    Run.objects.filter(pk=other_run.pk).update(spec={**run.spec, "own": own.sha256})  # of another team
    page = client_of(ada).get("/runs/bases/").content.decode()
    assert f"Delete {own.original_name}? 2 runs of your team began with it" in page
    assert f"Delete {weights.original_name}? 1 run of your team began with it" in page
    assert f'"Delete {unused.original_name}?"' in page
