"""Data sets: uploading, what the page shows in each state, and who may do what."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from webapp.datasets.models import Dataset, DatasetFile, shown_name
from webapp.datasets.presentation import balance, imbalance
from webapp.datasets.views import LIST_PAGE

PNG = bytes.fromhex("89504e470d0a1a0a") + b"not really, but begins like one"
IDX = b"\x00\x00\x08\x01\x00\x00\x00\x01\x07"


def a_zip(name: str = "signs.zip") -> SimpleUploadedFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("open/1.png", PNG)
        archive.writestr("closed/1.png", PNG)
    return SimpleUploadedFile(name, content.getvalue(), content_type="application/zip")


def upload(client, *files, json=False, **fields):
    headers = {"accept": "application/json"} if json else {}
    return client.post("/datasets/new/", {"files": list(files), **fields}, headers=headers)


@pytest.fixture
def editor(client_of, eve):
    return client_of(eve)


def test_an_upload_is_stored_hashed_and_sent_to_a_worker(
    editor, eve, team, dispatched, django_capture_on_commit_callbacks
):
    import hashlib

    file = a_zip("hand_signs.zip")
    content = file.read()
    file.seek(0)
    with django_capture_on_commit_callbacks(execute=True):
        response = upload(editor, file)
    dataset = Dataset.objects.get()
    assert response.url == f"/datasets/{dataset.pk}/"
    assert (dataset.name, dataset.team, dataset.created_by, dataset.state) == ("hand signs", team, eve, "uploaded")
    stored = dataset.files.get()
    assert stored.file.name == f"datasets/{dataset.pk}/upload/0.zip"
    assert stored.original_name == "hand_signs.zip"
    assert stored.file.read() == content
    assert stored.size == len(content)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert dispatched == [("workers.inspect_dataset", dataset.pk)]


def test_nothing_is_sent_before_the_row_is_committed(editor, dispatched, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=False):
        upload(editor, a_zip())
        assert dispatched == []


def test_a_dead_broker_does_not_lose_the_upload(editor, settings, monkeypatch, django_capture_on_commit_callbacks):
    from webapp import dispatch

    dispatch._producer.cache_clear()
    settings.CELERY_BROKER_URL = "redis+socket:///nowhere/redis.sock"
    with django_capture_on_commit_callbacks(execute=True):
        assert upload(editor, a_zip()).status_code == 302
    dispatch._producer.cache_clear()
    assert Dataset.objects.get().state == Dataset.State.UPLOADED  # the sweeper finds it


def test_idx_files_come_together_and_keep_their_names_for_telling_them_apart(editor, dispatched):
    names = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"]
    files = [SimpleUploadedFile(names[0], IDX), SimpleUploadedFile(names[1], gzip.compress(IDX))]
    assert upload(editor, *files, name="Digits").status_code == 302
    dataset = Dataset.objects.get()
    assert [file.original_name for file in dataset.files.all()] == names
    assert [Path(file.file.name).name for file in dataset.files.all()] == ["0", "1.gz"]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (SimpleUploadedFile("cat.jpg", b"\xff\xd8\xff"), "cat.jpg is a single picture"),
        (SimpleUploadedFile("signs.tar.gz", gzip.compress(b"x")), "signs.tar.gz is an archive of another kind"),
        (SimpleUploadedFile("signs.zip", b"hello, I am not a zip"), "signs.zip is not a whole .zip file"),
        (SimpleUploadedFile("empty.zip", b""), "empty"),
        (SimpleUploadedFile("model.pkl", b"\x80\x04cposix"), "model.pkl is not of a kind that is read"),
    ],
)
def test_a_file_that_cannot_be_a_data_set_is_refused_by_name_and_what_was_typed_is_kept(editor, file, words):
    file.seek(0)
    response = upload(editor, file, name="My own name")
    assert response.status_code == 422
    page = response.content.decode()
    assert words in page
    assert 'value="My own name"' in page
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("count", [0, 2])
def test_a_data_set_is_one_zip(editor, count):
    response = upload(editor, *[a_zip(f"{i}.zip") for i in range(count)])
    assert response.status_code == 422
    assert not Dataset.objects.exists()


def test_too_much_is_refused_with_the_limit_in_words(editor, settings):
    settings.EUSTRESS_MAX_UPLOAD = 100
    response = upload(editor, a_zip())
    assert response.status_code == 422
    assert "at most 100 B are allowed" in response.content.decode()


def test_a_script_gets_json(editor, dispatched):
    refused = upload(editor, SimpleUploadedFile("cat.jpg", b"\xff\xd8\xff"), json=True)
    assert refused.status_code == 422
    assert "single picture" in refused.json()["errors"]["files"][0]
    made = upload(editor, a_zip(), json=True)
    assert made.status_code == 201
    assert made.json()["url"] == f"/datasets/{Dataset.objects.get().pk}/"


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd.zip", "..\\..\\windows\\system.zip", "a\x00b\n.zip", "x" * 300 + ".zip", "名前.zip"]
)
def test_tricks_in_file_names_reach_no_path(editor, settings, name, dispatched):
    upload(editor, a_zip(name))
    file = DatasetFile.objects.get()
    assert file.file.name == f"datasets/{file.dataset_id}/upload/0.zip"
    assert "/" not in file.original_name
    assert "\\" not in file.original_name
    assert file.original_name.isprintable()
    assert len(file.original_name) <= 255
    media = Path(settings.MEDIA_ROOT).resolve()
    assert Path(file.file.path).resolve().is_relative_to(media)
    assert [path.name for path in media.rglob("*") if path.is_file()] == ["0.zip"]


@pytest.mark.parametrize(("name", "shown"), [("", "unnamed"), ("a/b/c.zip", "c.zip"), ("\x07bell.zip", "bell.zip")])
def test_shown_names(name, shown):
    assert shown_name(name) == shown


def test_a_storage_that_fails_leaves_nothing_behind(transactional_db, editor, monkeypatch, dispatched):
    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage.save", full)
    editor.raise_request_exception = False
    assert upload(editor, a_zip()).status_code == 500
    assert not Dataset.objects.exists()
    assert dispatched == []


def test_viewers_look_and_do_not_touch(client_of, vic, dataset):
    client = client_of(vic)
    page = client.get(f"/datasets/{dataset.pk}/").content.decode()
    assert "Hand signs" in page
    for word in ("New run with this data", "Rename", "Delete the data set"):
        assert word not in page
    assert "Upload a data set" not in client.get("/datasets/").content.decode()
    assert client.get("/datasets/new/").status_code == 403
    assert upload(client, a_zip()).status_code == 403
    for what in ("rename", "inspect", "delete"):
        assert client.post(f"/datasets/{dataset.pk}/{what}/", {"name": "x"}).status_code == 403
    assert Dataset.objects.get().name == "Hand signs"


def test_the_page_of_a_ready_data_set(editor, dataset):
    page = editor.get(f"/datasets/{dataset.pk}/").content.decode()
    assert ">75<" in page
    assert "32 × 32" in page
    assert "colour" in page
    assert "open" in page
    assert "closed" in page
    assert f'href="/runs/new/?dataset={dataset.pk}"' in page
    assert "data-refresh" not in page  # settled: nothing is polled


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "uploaded"}, "as soon as one is free"),
        ({"state": "uploaded", "created_at": timedelta(minutes=-5)}, "or none is running"),
        ({"state": "inspecting", "heartbeat_at": timedelta(seconds=-5)}, "A worker reads every image"),
        ({"state": "inspecting", "heartbeat_at": timedelta(minutes=-5)}, "has gone silent"),
        ({"state": "receiving"}, "being stored"),
        ({"state": "receiving", "created_at": timedelta(hours=-3)}, "broke off"),
    ],
)
def test_an_unsettled_data_set_is_polled_and_says_what_is_true(editor, dataset, changes, words):
    values = {key: timezone.now() + value if isinstance(value, timedelta) else value for key, value in changes.items()}
    Dataset.objects.filter(pk=dataset.pk).update(report={}, **values)
    for address in (f"/datasets/{dataset.pk}/", f"/datasets/{dataset.pk}/state/"):
        page = editor.get(address).content.decode()
        assert words in page
        assert f'data-refresh="/datasets/{dataset.pk}/state/"' in page


def test_a_refused_data_set_lists_every_problem_by_file_and_can_be_inspected_again(
    editor, dataset, dispatched, django_capture_on_commit_callbacks
):
    problems = [{"file": "open/3.jpg", "problem": "is cut short"}, {"file": "", "problem": "one class is empty"}]
    dataset.report["problems"] = problems
    dataset.state, dataset.message, dataset.attempts = "refused", "open/3.jpg is cut short", 3
    dataset.save()
    page = editor.get(f"/datasets/{dataset.pk}/").content.decode()
    for words in ("open/3.jpg", "is cut short", "one class is empty", "Refused", "upload it again"):
        assert words in page
    assert "New run with this data" not in page
    with django_capture_on_commit_callbacks(execute=True):
        editor.post(f"/datasets/{dataset.pk}/inspect/")
    dataset.refresh_from_db()
    assert (dataset.state, dataset.message, dataset.attempts) == ("uploaded", "", 0)
    assert dispatched == [("workers.inspect_dataset", dataset.pk)]


@pytest.mark.parametrize("state", ["ready", "uploaded", "inspecting", "receiving"])
def test_only_refused_and_errored_ones_are_inspected_again(editor, dataset, dispatched, state):
    Dataset.objects.filter(pk=dataset.pk).update(state=state)
    editor.post(f"/datasets/{dataset.pk}/inspect/")
    dataset.refresh_from_db()
    assert dataset.state == state
    assert dispatched == []


def test_hostile_words_in_a_report_are_only_words(editor, dataset):
    evil = "<img src=x onerror=alert(1)>"
    dataset.report["classes"][0]["name"] = evil
    dataset.report["problems"] = [{"file": evil, "problem": evil}]
    dataset.report["notes"] = [{"file": evil, "note": evil}]
    dataset.name, dataset.message, dataset.state = evil, evil, "refused"
    dataset.save()
    page = editor.get(f"/datasets/{dataset.pk}/").content.decode()
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 5


def test_sample_images_are_served_to_the_team_as_png_only(editor, client_of, olga, dataset):
    name = default_storage.save(f"datasets/{dataset.pk}/samples/0.png", ContentFile(PNG))
    dataset.report["samples"] = [{"class": "open", "file": name}]
    dataset.save()
    response = editor.get(f"/datasets/{dataset.pk}/samples/0.png")
    assert response.content == PNG
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "private" in response["Cache-Control"]
    assert editor.get(f"/datasets/{dataset.pk}/samples/1.png").status_code == 404
    assert client_of(olga).get(f"/datasets/{dataset.pk}/samples/0.png").status_code == 404


@pytest.mark.parametrize("name", ["secret-key", "datasets/999/samples/0.png", "datasets/{pk}/../../other", ""])
def test_a_report_cannot_name_a_file_outside_its_data_set(editor, dataset, name):
    default_storage.save("datasets/999/samples/0.png", ContentFile(PNG))
    dataset.report["samples"] = [{"class": "open", "file": name.format(pk=dataset.pk)}]
    dataset.save()
    assert editor.get(f"/datasets/{dataset.pk}/samples/0.png").status_code == 404


def test_uploads_are_reachable_by_no_address(editor, dispatched):
    upload(editor, a_zip())
    name = DatasetFile.objects.get().file.name
    for address in (f"/media/{name}", f"/{name}", f"/static/{name}", f"/no-media-is-served-from-here/{name}"):
        assert editor.get(address).status_code == 404


def test_renaming_changes_the_name_and_nothing_that_a_worker_may_be_writing(editor, dataset):
    page = editor.post(f"/datasets/{dataset.pk}/rename/", {"name": ""})
    assert page.status_code == 422
    assert "<h1>Hand signs" in page.content.decode()
    assert editor.post(f"/datasets/{dataset.pk}/rename/", {"name": "Signs"}).status_code == 302
    dataset.refresh_from_db()
    assert dataset.name == "Signs"
    assert dataset.report["images"] == 75


def test_deleting_takes_the_files_along(editor, settings, dispatched, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        upload(editor, a_zip())
        dataset = Dataset.objects.get()
        name = default_storage.save(f"datasets/{dataset.pk}/samples/0.png", ContentFile(PNG))
        dataset.report = {"samples": [{"class": "open", "file": name}]}
        dataset.save()
        assert editor.post(f"/datasets/{dataset.pk}/delete/").url == "/datasets/"
    assert not Dataset.objects.exists()
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    assert not (Path(settings.MEDIA_ROOT) / "datasets" / str(dataset.pk)).exists()


def test_a_data_set_in_use_is_not_deleted_and_the_page_says_why(editor, run, dataset):
    response = editor.post(f"/datasets/{dataset.pk}/delete/", follow=True)
    assert "while runs use it" in response.content.decode()
    assert Dataset.objects.filter(pk=dataset.pk).exists()
    assert "Hand signs, smaller" in response.content.decode()


def test_the_list_costs_the_same_however_long_it_is(editor, team, django_assert_max_num_queries):
    for i in range(30):
        dataset = Dataset.objects.create(team=team, name=f"set {i}", state="ready")
        DatasetFile.objects.create(dataset=dataset, original_name="a.zip", file="a", size=10**6)
    with django_assert_max_num_queries(8):
        page = editor.get("/datasets/").content.decode()
    assert page.count("1.00 MB") == LIST_PAGE


def test_the_empty_list_says_what_to_bring(editor):
    assert "one folder of pictures per class" in editor.get("/datasets/").content.decode()


def test_class_balance_is_drawn_against_the_largest_class(dataset):
    bars = balance(dataset)
    assert [(bar.name, bar.images) for bar in bars] == [("open", 50), ("closed", 25)]
    assert (bars[0].train_width, bars[0].rest_width) == (80.0, 20.0)
    assert (bars[1].train_width, bars[1].rest_width) == (40.0, 10.0)
    assert imbalance(bars) == ""
    dataset.report["classes"][1] = {"name": "closed", "train": 2, "test": 0}
    assert "closed only 2" in imbalance(balance(dataset))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"minimum": [32, 32], "maximum": [32, 32], "shared": True}, False),
        ({"minimum": [50, 40], "maximum": [50, 40], "shared": True}, True),
        ({"minimum": [10, 10], "maximum": [640, 480], "shared": False}, True),
    ],
)
def test_the_page_says_when_images_will_be_resized(editor, dataset, sizes, said):
    dataset.report |= {"sizes": sizes, "default_input": 32}
    dataset.save()
    page = editor.get(f"/datasets/{dataset.pk}/").content.decode()
    assert ("trained at 32&nbsp;×&nbsp;32" in page) == said


def test_ten_thousand_classes_do_not_make_an_endless_page(editor, dataset):
    dataset.report["classes"] = [{"name": f"class {i}", "train": 5, "test": 1} for i in range(10_000)]
    dataset.save()
    page = editor.get(f"/datasets/{dataset.pk}/").content.decode()
    assert "and 9,800 more classes" in page
    assert len(page) < 200_000
