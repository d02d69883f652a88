"""Runs and their events: what was asked for, how far it is, and everything that happened."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models, transaction

from evolution_core.spec import RunSpec
from webapp.datasets.models import Dataset
from webapp.teams.models import Team


class Run(models.Model):
    """One evolution. The orchestrator moves `state`; pages only read it and set `cancel_requested_at`.

    state: queued -> running -> finished | failed (expected: the data or the networks do not allow it)
    | errored (a bug or a lost machine, after retries) | cancelled.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Running"
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Failed"
        ERRORED = "errored", "Stopped by an error"
        CANCELLED = "cancelled", "Cancelled"

    ENDED = (State.FINISHED, State.FAILED, State.ERRORED, State.CANCELLED)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="runs")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="runs")
    name = models.CharField(max_length=100)
    spec = models.JSONField()  # RunSpec.to_json()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    message = models.TextField(blank=True)  # why it failed, one sentence
    generation = models.PositiveSmallIntegerField(default=0)  # the one being born
    chosen = models.ForeignKey("networks.Network", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    last_event = models.PositiveIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def has_ended(self) -> bool:
        return self.state in self.ENDED

    @property
    def run_spec(self) -> RunSpec:
        return RunSpec.from_json(self.spec)

    def record(self, kind: str, *, network: Any = None, **data: Any) -> RunEvent:
        """Append one event. Numbers are given out under the run's row lock, so they commit in order."""
        with transaction.atomic():
            locked = Run.objects.select_for_update().only("last_event").get(pk=self.pk)
            number = locked.last_event + 1
            Run.objects.filter(pk=self.pk).update(last_event=number)
            event = RunEvent.objects.create(run=self, number=number, kind=kind, network=network, data=data)
        self.last_event = number
        return event


class RunEvent(models.Model):
    """Something that happened, numbered within its run; pages replay from a number and follow on."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    network = models.ForeignKey(
        "networks.Network", null=True, blank=True, on_delete=models.CASCADE, related_name="events"
    )
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_event_a_number")]
