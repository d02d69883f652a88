"""Uploads in pieces: the tus protocol, its limits, and what becomes of the whole."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.utils import timezone

from tests.webapp.test_datasets import a_zip
from webapp.body_limit import SMALL
from webapp.datasets.models import Dataset, DatasetFile
from webapp.teams.models import Membership
from webapp.uploads.models import LIFETIME, Upload
from webapp.uploads.received import received_files
from workers.sweeper import sweep

pytestmark = pytest.mark.django_db
CONTENT = a_zip().read()
TUS = {"tus-resumable": "1.0.0", "accept": "application/json"}


@pytest.fixture
def editor(client_of: Any, eve: Any) -> Any:
    return client_of(eve)


def begin(
    client: Any,
    size: int = len(CONTENT),
    name: str = "signs.zip",
    purpose: str | None = None,
    team: Any = "",
    **headers: str,
) -> Any:
    about = {"filename": name, "modified": "1700"} | ({"purpose": purpose} if purpose else {})
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in about.items())
    told = {"upload-length": str(size), "upload-metadata": metadata}
    address = f"/uploads/?team={team}" if team else "/uploads/"
    return client.post(address, headers={**TUS, **told, **headers}, content_type="application/octet-stream")


def send(client: Any, address: str, piece: bytes, at: int, **headers: str) -> Any:
    kind = headers.pop("kind", "application/offset+octet-stream")
    return client.patch(address, piece, content_type=kind, headers={**TUS, "upload-offset": str(at), **headers})


def offset(client: Any, address: str) -> int:
    answer = client.head(address, headers=TUS)
    assert answer.status_code == 200
    assert answer["Cache-Control"].find("no-store") >= 0
    return int(answer["Upload-Offset"])


def whole(client: Any, content: bytes = CONTENT, name: str = "signs.zip") -> str:
    address = begin(client, len(content), name)["Location"]
    assert send(client, address, content, 0).status_code == 204
    return str(address).split("/")[-2]


def finish(client: Any, *ids: str, **fields: str) -> Any:
    return client.post("/datasets/new/", {"received": list(ids), **fields}, headers={"accept": "application/json"})


def test_what_is_offered(editor: Any, settings: Any) -> None:
    answer = editor.options("/uploads/")
    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Extension"] == "creation,termination,expiration"
    assert answer["Tus-Max-Size"] == str(settings.EUSTRESS_MAX_UPLOAD)


def test_a_file_comes_in_pieces_and_becomes_a_data_set(
    editor: Any, eve: Any, team: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    begun = begin(editor, name="hand_signs.zip")
    assert begun.status_code == 201
    address = begun["Location"]
    assert offset(editor, address) == 0
    answer = send(editor, address, CONTENT[:100], 0)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "100")
    assert answer["Upload-Expires"].endswith("GMT")
    assert offset(editor, address) == 100
    assert send(editor, address, CONTENT[100:], 100).status_code == 204
    upload = Upload.objects.get()
    assert (upload.team, upload.created_by, upload.modified, upload.is_whole) == (team, eve, 1700, True)
    path = upload.path
    with django_capture_on_commit_callbacks(execute=True):
        finished = finish(editor, str(upload.pk))
    dataset = Dataset.objects.get()
    assert (finished.status_code, finished.json()) == (201, {"url": f"/datasets/{dataset.pk}/"})
    assert (dataset.name, dataset.team, dataset.created_by) == ("hand signs", team, eve)
    assert dispatched == [("workers.inspect_dataset", dataset.pk)]
    stored = dataset.files.get()
    assert stored.file.read() == CONTENT
    assert (stored.size, stored.original_name) == (len(CONTENT), "hand_signs.zip")
    assert os.stat(default_storage.path(stored.file.name)).st_mode & 0o777 == 0o600
    assert not path.exists()
    assert not Upload.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_upload_survives_that_a_data_set_cannot_be_stored(
    editor: Any, monkeypatch: pytest.MonkeyPatch, dispatched: Any
) -> None:
    pk = whole(editor)

    def fail(row: DatasetFile, *args: Any, **more: Any) -> None:
        DatasetFile._meta.get_field("file").pre_save(row, add=True)  # the insertion stores the file first
        assert Path(row.file.path).exists()
        raise OperationalError("the database is away")

    with monkeypatch.context() as broken:
        broken.setattr(DatasetFile, "_do_insert", fail)
        with pytest.raises(OperationalError):
            finish(editor, pk)
    assert not Dataset.objects.exists()
    assert [path for path in Path(default_storage.path("datasets")).rglob("*") if path.is_file()] == []
    assert Upload.objects.get().is_whole
    assert finish(editor, pk).status_code == 201
    assert Dataset.objects.get().files.get().file.read() == CONTENT


@pytest.mark.django_db(transaction=True)
def test_two_who_finish_one_upload_at_once_make_one_data_set(
    client_of: Any, eve: Any, monkeypatch: pytest.MonkeyPatch, dispatched: Any
) -> None:
    clients = [client_of(eve), client_of(eve)]
    pk = whole(clients[0])
    both_see_it, found = threading.Barrier(2), received_files

    def slow(*args: Any) -> Any:
        files = found(*args)
        both_see_it.wait(30)
        return files

    monkeypatch.setattr("webapp.datasets.views.received_files", slow)

    def press(client: Any) -> Any:
        try:
            return finish(client, pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(press, clients), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [201, 422]
    dataset = Dataset.objects.get()
    assert answers[0].json() == {"url": f"/datasets/{dataset.pk}/"}
    assert "finished or forgotten by another request" in answers[1].json()["errors"]["files"][0]
    assert dispatched == [("workers.inspect_dataset", dataset.pk)]
    assert dataset.files.get().file.read() == CONTENT
    kept = [path for path in Path(default_storage.path("datasets")).rglob("*") if path.is_file()]
    assert kept == [Path(dataset.files.get().file.path)]
    assert not Upload.objects.exists()


def test_a_piece_goes_only_where_the_last_one_ended(editor: Any) -> None:
    address = begin(editor)["Location"]
    send(editor, address, CONTENT[:50], 0)
    for place in (0, 49, 51):
        answer = send(editor, address, CONTENT[50:60], place)
        assert answer.status_code == 409
        assert "50 bytes have been received" in answer.content.decode()
    assert offset(editor, address) == 50


def test_nothing_goes_beyond_what_was_announced(editor: Any) -> None:
    address = begin(editor, 10)["Location"]
    assert send(editor, address, b"x" * 11, 0).status_code == 413
    assert offset(editor, address) == 0
    assert send(editor, address, b"x" * 10, 0).status_code == 204
    assert send(editor, address, b"x", 10).status_code == 413


def test_two_pieces_at_once_do_not_mix(editor: Any) -> None:
    address = begin(editor)["Location"]
    with open(Upload.objects.get().path, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert send(editor, address, CONTENT[:10], 0).status_code == 423
    assert send(editor, address, CONTENT[:10], 0).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"upload-length": "0"}, 400),
        ({"upload-length": "-1"}, 400),
        ({"upload-length": "9" * 30}, 400),
        ({"upload-length": "many"}, 400),
        ({"upload-metadata": "filename ###"}, 400),
        ({"upload-metadata": "purpose eA=="}, 400),
        ({"tus-resumable": "0.2.2"}, 412),
    ],
)
def test_what_cannot_begin(editor: Any, headers: dict[str, str], status: int) -> None:
    answer = begin(editor, **headers)
    assert answer.status_code == status
    assert answer["Tus-Resumable"] == "1.0.0"
    assert not Upload.objects.exists()


def test_what_is_no_piece(editor: Any) -> None:
    address = begin(editor)["Location"]
    assert send(editor, address, b"x", 0, kind="text/plain").status_code == 415
    assert send(editor, address, b"x", 0, **{"upload-offset": "here"}).status_code == 400
    assert send(editor, address, b"x", 0, **{"tus-resumable": "0.1"}).status_code == 412
    assert editor.put(address, headers=TUS).status_code == 405
    assert offset(editor, address) == 0


def test_limits(editor: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EUSTRESS_MAX_UPLOAD = 1000
    answer = begin(editor, 1001)
    assert answer.status_code == 413
    assert "signs.zip is 1.00 kB; at most 1.00 kB are allowed" in answer.content.decode()
    assert begin(editor, 600).status_code == 201
    answer = begin(editor, 600)  # two together are too much
    assert answer.status_code == 413
    assert "Finish or forget some of that first" in answer.content.decode()
    monkeypatch.setattr("webapp.uploads.models.MOST", 1)
    assert begin(editor, 1).status_code == 413
    assert Upload.objects.count() == 1


def test_what_others_have_announced_counts_against_the_disk(
    editor: Any, client_of: Any, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import collections

    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr("webapp.uploads.models.shutil.disk_usage", lambda path: usage(100, 0, 1000))
    first = begin(client_of(ada), 700)
    assert first.status_code == 201
    assert begin(editor, 400).status_code == 507
    send(client_of(ada), first["Location"], b"x" * 500, 0)  # of which the disk knows
    assert begin(editor, 400).status_code == 201


def test_an_upload_is_found_by_nobody_else(
    editor: Any, client: Any, client_of: Any, ada: Any, olga: Any, eve: Any, team: Any
) -> None:
    address = begin(editor)["Location"]
    send(editor, address, CONTENT[:10], 0)
    pk = address.split("/")[-2]
    for person in (ada, olga):  # a colleague, even an owner; and a stranger
        other = client_of(person)
        assert other.head(address, headers=TUS).status_code == 404
        assert send(other, address, CONTENT[10:], 10).status_code == 404
        assert other.delete(address, headers=TUS).status_code == 404
        assert other.post(f"{address}forget/").status_code == 404
        answer = finish(other, pk)
        assert (answer.status_code, "not there" in answer.content.decode()) == (422, True)
        assert "data-under-way" not in other.get("/datasets/new/").content.decode()
    assert client.head(address, headers=TUS).status_code == 401
    assert send(client, address, b"x", 10).status_code == 401
    Membership.objects.filter(user=eve).update(role="viewer")
    assert send(editor, address, CONTENT[10:], 10).status_code == 403
    Membership.objects.filter(user=eve).delete()
    assert Upload.objects.get().offset == 10


def test_a_form_without_its_token_sends_nothing(eve: Any) -> None:
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(eve)
    assert begin(strict).status_code == 403
    upload = Upload.begin(team=eve.teams.get(), user=eve, name="a.zip", size=10)
    assert send(strict, f"/uploads/{upload.pk}/", b"x", 0).status_code == 403
    assert strict.delete(f"/uploads/{upload.pk}/", headers=TUS).status_code == 403
    assert Upload.objects.get().offset == 0


def test_pieces_leave_a_person_in_the_team_she_has_turned_to(editor: Any, eve: Any, team: Any, other_team: Any) -> None:
    address = begin(editor)["Location"]
    Membership.objects.create(team=other_team, user=eve, role="editor")
    editor.post("/team/switch/", {"team": other_team.pk})
    send(editor, address, CONTENT, 0)
    assert editor.session["team"] == other_team.pk
    answer = finish(editor, address.split("/")[-2])  # and what was sent for one team does not land in another
    assert answer.status_code == 422
    assert not Dataset.objects.exists()


def test_only_what_is_whole_becomes_a_data_set(editor: Any) -> None:
    address = begin(editor)["Location"]
    send(editor, address, CONTENT[:10], 0)
    answer = finish(editor, address.split("/")[-2])
    assert answer.json() == {"errors": {"files": ["signs.zip has not come whole. Press Upload to go on."]}}
    for made_up in ("nonsense", "../../etc/passwd", "00000000-0000-0000-0000-000000000000"):
        assert finish(editor, made_up).status_code == 422
    assert Upload.objects.get().offset == 10


def test_what_is_no_data_set_is_forgotten_and_a_bad_name_is_not(
    editor: Any, django_capture_on_commit_callbacks: Any
) -> None:
    pk = whole(editor)
    assert finish(editor, pk, name="x" * 101).status_code == 422
    assert Upload.objects.exists()
    path = Path(Upload.objects.get().path)
    Upload.objects.all().delete()
    path.unlink()
    pk = whole(editor, b"\xff\xd8\xff a picture", "cat.jpg")
    with django_capture_on_commit_callbacks(execute=True):
        answer = finish(editor, pk)
    assert "cat.jpg is a single picture" in answer.json()["errors"]["files"][0]
    assert not Upload.objects.exists()


def test_files_are_judged_before_they_are_sent(editor: Any) -> None:
    def check(*files: tuple[str, bytes], **fields: str) -> Any:
        told = [{"name": n, "size": 5, "head": base64.b64encode(head).decode()} for n, head in files]
        return editor.post("/datasets/check/", {"announced": json.dumps(told), **fields})

    assert check(("a.zip", b"PK\x03\x04")).status_code == 200
    assert "single picture" in check(("cat.jpg", b"\xff\xd8\xff")).json()["errors"]["files"][0]
    assert "one .zip" in check(("a.zip", b"PK\x03\x04"), ("b.zip", b"PK\x03\x04")).json()["errors"]["files"][0]
    assert "name" in check(("a.zip", b"PK\x03\x04"), name="x" * 101).json()["errors"]
    for nonsense in ("", "{", "{}", "[1]", '[{"name": "a"}]', '[{"name": "a", "size": 1, "head": "###"}]'):
        assert editor.post("/datasets/check/", {"announced": nonsense}).status_code == 422
    assert not Dataset.objects.exists()


def test_it_can_be_forgotten(editor: Any, django_capture_on_commit_callbacks: Any) -> None:
    address = begin(editor)["Location"]
    path = Upload.objects.get().path
    page = editor.get("/datasets/new/").content.decode()
    assert f'action="{address}forget/"' in page
    assert 'data-name="signs.zip"' in page
    with django_capture_on_commit_callbacks(execute=True):
        assert editor.post(f"{address}forget/").status_code == 302
    assert not path.exists()
    address = begin(editor)["Location"]
    assert editor.delete(address, headers=TUS).status_code == 204
    assert editor.head(address, headers=TUS).status_code == 404


def test_names_are_shown_and_never_paths(editor: Any) -> None:
    begin(editor, name="../../<b>etc</b>/pass\nwd.zip")
    assert Upload.objects.get().name == "passwd.zip"
    begin(editor, name="<img src=x>.zip")
    page = editor.get("/datasets/new/").content.decode()
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;.zip" in page


def test_the_sweeper_forgets_what_nobody_goes_on_with(
    editor: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    old, fresh = begin(editor)["Location"], begin(editor)["Location"]
    Upload.objects.update(created_at=timezone.now() - 2 * LIFETIME)
    paths = {pk: Upload.objects.get(pk=pk).path for pk in (old.split("/")[-2], fresh.split("/")[-2])}
    stale = time.time() - (LIFETIME + timedelta(minutes=1)).total_seconds()
    orphan = next(iter(paths.values())).with_name("00000000-0000-0000-0000-000000000000.part")
    lent = orphan.with_suffix(".lent")
    orphan.touch()
    lent.touch()
    for path in (paths[old.split("/")[-2]], orphan, lent):
        os.utime(path, (stale, stale))
    with django_capture_on_commit_callbacks(execute=True):
        sweep(lambda queue: False)
    assert [str(upload.pk) for upload in Upload.objects.all()] == [fresh.split("/")[-2]]
    assert [path.exists() for path in paths.values()] == [False, True]
    assert not orphan.exists()
    assert not lent.exists()


def test_our_pieces_are_smaller_than_what_anybody_may_send() -> None:
    script = (Path(__file__).parents[2] / "webapp" / "static" / "js" / "pieces.js").read_text()
    piece = int(script.partition("PIECE = ")[2].partition(";")[0].replace("_", ""))
    assert piece < SMALL


def test_the_worker_hashes_what_came_in_pieces(
    editor: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    from tests.workers.pictures import picture_zip
    from workers.inspections import inspect_dataset

    content = picture_zip(each=10)
    with django_capture_on_commit_callbacks(execute=True):
        finish(editor, whole(editor, content))
    dataset = Dataset.objects.get()
    assert dataset.files.get().sha256 == ""
    inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == Dataset.State.READY
    assert dataset.files.get().sha256 == hashlib.sha256(content).hexdigest()
