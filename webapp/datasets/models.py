"""Data sets: what a team uploaded, and what a worker found in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models, transaction
from django.utils import timezone

from webapp.dispatch import dispatch
from webapp.fields import OrderedJSONField
from webapp.teams.models import Team
from webapp.uploads.handlers import shown_name
from webapp.uploads.models import ENDED, UploadError
from webapp.uploads.received import forget

PARTS = ("train", "validation", "test")


def summary_of(report: dict[str, Any]) -> dict[str, Any]:
    """What lists and estimates need of a report; `classes` is how many, a part's name how many of its images (boxes,
    where boxes are counted)."""
    classes = report.get("classes") or []
    parts = {part: sum(int(row.get(part) or 0) for row in classes) for part in PARTS}
    return {"images": report.get("images"), "channels": report.get("channels"), "classes": len(classes), **parts}


class Dataset(models.Model):
    """Uploaded files are the truth; everything in `report` was found in them by a worker.

    state: receiving (its files are being stored) -> uploaded -> inspecting -> ready | asking | refused (problems
    listed) | errored (our fault). Refused and errored ones can be inspected again. Asking: some boxes cannot be used,
    the rest can; a member's yes makes it ready, and no run begins before.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving", "Being received"
        UPLOADED = "uploaded", "Waiting for inspection"
        INSPECTING = "inspecting", "Being inspected"
        READY = "ready", "Ready"
        ASKING = "asking", "Needs your yes"
        REFUSED = "refused", "Refused"
        ERRORED = "errored", "Inspection failed"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=100)
    task = models.CharField(max_length=20, default="classification")
    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    message = models.TextField(blank=True)  # why refused or errored, one sentence
    # evolution_core's Inspection.to_json() and the samples:
    # {"classes": [{"name", "train", "validation", "test"}], "images", "channels", "default_input", "fingerprint",
    #  "sizes": {"minimum": [w, h], "maximum": [w, h], "shared": bool} | None,
    #  "problems": [{"file", "problem"}], "notes": [{"file", "note"}],
    #  "samples": [{"class", "file": storage name of a PNG}],
    #  "boxes": {"format", "count", "left_out", "images_without", "most_in_an_image", "median_side", "median_aspect",
    #            "sides": ten counts over the image's side, "classes": {name: {"boxes", "median_side"}}} | None}
    report = OrderedJSONField(default=dict, blank=True)
    # summary_of(report). Ten thousand classes are a megabyte of report: whatever shows more than one data set, or
    # something else of one, defers that and reads this.
    summary = models.JSONField(default=dict, blank=True, editable=False)
    demo = models.BooleanField(default=False)  # comes from a package, not from a person
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True, blank=True)  # when somebody agreed to what is left out
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    claimed_by = models.CharField(max_length=64, blank=True)  # the inspecting worker's claim
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-pk"]

    SETTLED = (State.READY, State.ASKING, State.REFUSED, State.ERRORED)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if "report" not in self.get_deferred_fields() and (update_fields is None or "report" in update_fields):
            self.summary = summary_of(self.report)
            update_fields = None if update_fields is None else {*update_fields, "summary"}
        super().save(*args, update_fields=update_fields, **kwargs)

    @property
    def is_settled(self) -> bool:
        """Nothing more happens to it by itself."""
        return self.state in self.SETTLED

    @property
    def size(self) -> int:
        """Bytes of all uploaded files."""
        return sum(file.size for file in self.files.all())

    @classmethod
    def receive(cls, *, team: Team, user: Any, name: str, files: list[UploadedFile]) -> Dataset:
        """Stores the files of one upload and asks for their inspection. Leaves nothing behind when storing fails.

        Files are stored outside any transaction: a large one may take long, and nobody else should wait for it.
        Uploads that came in pieces end with the transaction that makes the data set: UploadError when another request
        has ended one of them meanwhile, and made its own data set of it.
        """
        dataset = cls.objects.create(team=team, name=name, created_by=user, state=cls.State.RECEIVING)
        try:
            for ordinal, file in enumerate(files):
                DatasetFile.objects.create(
                    dataset=dataset,
                    ordinal=ordinal,
                    original_name=shown_name(file.name or ""),
                    size=file.size or 0,
                    sha256=getattr(file, "sha256", ""),  # else the worker's to find: it reads the file anyway
                    file=file,
                )
            with transaction.atomic():
                if not forget(files):
                    raise UploadError(409, f"{name} {ENDED}")
                cls.objects.filter(pk=dataset.pk).update(state=cls.State.UPLOADED)
                dispatch("workers.inspect_dataset", dataset.pk)
        except BaseException:
            if cls.objects.filter(pk=dataset.pk, state=cls.State.RECEIVING).exists():  # a commit may succeed unheard
                dataset.delete_with_files()
            raise
        dataset.refresh_from_db()
        return dataset

    def inspect_again(self) -> bool:
        """Puts a refused or errored data set back in the queue; False when it is neither (any more)."""
        again = Dataset.objects.filter(pk=self.pk, state__in=(self.State.REFUSED, self.State.ERRORED))
        with transaction.atomic():
            moved = again.update(state=self.State.UPLOADED, message="", attempts=0, claimed_by="", heartbeat_at=None)
            if moved:
                dispatch("workers.inspect_dataset", self.pk)
        return bool(moved)

    def accept(self, user: Any) -> bool:
        """Agree to go on without what cannot be used; runs that wait for the data are told. False when nobody asks."""
        asking = Dataset.objects.filter(pk=self.pk, state=self.State.ASKING)
        with transaction.atomic():
            moved = asking.update(state=self.State.READY, accepted_at=timezone.now(), accepted_by=user)
            if moved:
                for run in self.runs.filter(state="queued").values_list("pk", flat=True):
                    dispatch("workers.advance", run)
        return bool(moved)

    def delete_with_files(self) -> None:
        """Deletes the rows, then the files. Raises ProtectedError, touching nothing, while runs use it."""
        samples = [sample["file"] for sample in self.report.get("samples", [])]
        names = [file.file.name for file in self.files.all()] + [name for name in samples if self.owns(name)]
        with transaction.atomic():
            self_pk = self.pk
            self.delete()
            transaction.on_commit(lambda: delete_files(self_pk, names))

    def owns(self, name: str) -> bool:
        """Whether a storage name lies in this data set's own folder."""
        return name.startswith(f"datasets/{self.pk}/") and ".." not in name


def delete_files(pk: int, names: list[str]) -> None:
    """Deletes stored files, also those whose row was never written, and the folders they leave empty where the storage
    has folders."""
    uploaded = f"datasets/{pk}/upload"
    with contextlib.suppress(FileNotFoundError, NotImplementedError):
        names = [*names, *(f"{uploaded}/{name}" for name in default_storage.listdir(uploaded)[1])]
    for name in dict.fromkeys(names):
        default_storage.delete(name)
    for folder in (f"datasets/{pk}/upload", f"datasets/{pk}/samples", f"datasets/{pk}"):
        with contextlib.suppress(OSError, NotImplementedError):
            default_storage.delete(folder)


def upload_path(instance: DatasetFile, filename: str) -> str:
    """Storage names are ours; nothing of a client's file name is used but its known endings."""
    return f"datasets/{instance.dataset_id}/upload/{instance.ordinal}{safe_suffix(filename)}"


def safe_suffix(filename: str) -> str:
    lowered = filename.lower()
    return next((end for end in (".zip", ".npz", ".gz") if lowered.endswith(end)), "")


class DatasetFile(models.Model):
    """One uploaded file. `original_name` is for people and for telling idx files apart, never a path."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="files")
    ordinal = models.PositiveSmallIntegerField(default=0)
    original_name = models.CharField(max_length=255)
    file = models.FileField(upload_to=upload_path, max_length=255)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["ordinal"]

    def __str__(self) -> str:
        return self.original_name
