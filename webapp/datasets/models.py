"""Data sets: what a team uploaded, and what a worker found in it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.teams.models import Team


class Dataset(models.Model):
    """Uploaded files are the truth; everything in `report` was found in them by a worker.

    state: uploaded -> inspecting -> ready | refused (problems listed) | errored (our fault, can be retried).
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Waiting for inspection"
        INSPECTING = "inspecting", "Being inspected"
        READY = "ready", "Ready"
        REFUSED = "refused", "Refused"
        ERRORED = "errored", "Inspection failed"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=100)
    task = models.CharField(max_length=20, default="classification")
    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    message = models.TextField(blank=True)  # why refused or errored, one sentence
    # {"classes": [{"name", "train", "test"}], "images", "channels",
    #  "sizes": {"minimum": [w, h], "maximum": [w, h], "shared": bool}, "problems": [{"file", "problem"}],
    #  "samples": [{"class", "file": storage name of a PNG}]}
    report = models.JSONField(default=dict, blank=True)
    demo = models.BooleanField(default=False)  # comes from a package, not from a person
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_by = models.CharField(max_length=64, blank=True)  # the inspecting worker's claim
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


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
