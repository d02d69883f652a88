"""Runs and their events: what was asked for, how far it is, and everything that happened."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models, transaction

from evolution_core.spec import RunSpec
from webapp.datasets.models import Dataset
from webapp.fields import OrderedJSONField
from webapp.teams.models import Team


class RunGroup(models.Model):
    """A sweep: runs that differ in a few settings. What each run's spec says in them tells the runs apart.

    `axes` names the fields of a spec that were varied, in the order in which they were typed.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="run_groups")
    name = models.CharField(max_length=100)
    axes = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    submission = models.CharField(max_length=64, null=True, unique=True, editable=False)  # see webapp/runs/starting.py

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One evolution. The orchestrator moves `state`; pages queue a run and write down what is asked of it
    (webapp/runs/changes.py).

    state: queued -> running -> finished | failed (expected: the data or the networks do not allow it)
    | errored (a bug or a lost machine, after retries) | cancelled; and paused, from queued or running and back.
    A finished run that is asked for more generations is queued again.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
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
    # by what rule `chosen` was chosen: Rule.to_json() and who changed it (webapp/runs/choice.py); {}: as the spec says
    rule = models.JSONField(default=dict, blank=True)
    # what the spec's own rule chose, kept so that one can go back to it
    proposed = models.ForeignKey("networks.Network", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    last_event = models.PositiveIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    pause_requested_at = models.DateTimeField(null=True, blank=True)  # taken back by resuming
    test_requested_at = models.DateTimeField(null=True, blank=True)  # of `chosen`, when it was chosen after the end
    demo = models.BooleanField(default=False)
    group = models.ForeignKey(RunGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    cloned_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="clones")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    submission = models.CharField(max_length=64, null=True, unique=True, editable=False)  # see webapp/runs/starting.py

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
        indexes = [models.Index(fields=["run", "kind"], name="events_by_kind")]


class SavedView(models.Model):
    """A view of a run's page that a member named: the whole of the page's address after the question mark."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.TextField(blank=True)  # as View.query writes it, so it can hold nothing else
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="one_view_a_name")]

    def __str__(self) -> str:
        return self.name


def base_file_path(instance: BaseFile, filename: str) -> str:
    """Storage names are ours: the content's hash, and an ending by kind. Nothing of a client's name is used."""
    ending = BaseFile.ENDINGS[BaseFile.Kind(instance.kind)]
    if instance.is_darknet:
        ending = BaseFile.DARKNET  # the engine tells the two formats of weights apart by it
    return f"bases/{instance.team_id}/{instance.sha256}{ending}"


class BaseFile(models.Model):
    """A network (ONNX) or trained weights (safetensors, or Darknet's own format) that a team brought, to start from.

    `spec.own` and `spec.weights` hold its sha256. A worker looks into it by `workers.inspect_base(base_file_id)`:
    state uploaded -> inspecting -> ready (`summary` filled) | refused (`message` names the operator or tensor)
    | errored (our fault, can be retried).
    """

    class Kind(models.TextChoices):
        ONNX = "onnx", "Own network (ONNX)"
        WEIGHTS = "safetensors", "Own weights (safetensors or Darknet)"

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Waiting for inspection"
        INSPECTING = "inspecting", "Being inspected"
        READY = "ready", "Ready"
        REFUSED = "refused", "Refused"
        ERRORED = "errored", "Inspection failed"

    DARKNET = ".weights"
    ENDINGS = {Kind.ONNX: ".onnx", Kind.WEIGHTS: ".safetensors"}
    SETTINGS = {Kind.ONNX: "own", Kind.WEIGHTS: "weights"}  # of a spec, which name a file by its sha256

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="base_files")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    original_name = models.CharField(max_length=255)  # for people only, never a path
    file = models.FileField(upload_to=base_file_path, max_length=255)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    message = models.TextField(blank=True)
    # onnx: {"inputs": [c, h, w], "outputs": n, "parameters": n, "layers": n}; weights: {"parameters": n, "tensors": n}
    summary = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["team", "kind", "sha256"], name="one_base_file_a_content")]

    def __str__(self) -> str:
        return self.original_name

    @property
    def is_darknet(self) -> bool:
        """Weights in Darknet's own format, which has no signature: the name that it was brought under says so."""
        return self.kind == self.Kind.WEIGHTS and self.original_name.lower().endswith(self.DARKNET)

    @property
    def is_settled(self) -> bool:
        """True once waiting for an inspection has an end: ready, refused or errored."""
        return self.state in (self.State.READY, self.State.REFUSED, self.State.ERRORED)


class RunTemplate(models.Model):
    """Settings that a team keeps under a name, to start runs from, as from a preset."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="run_templates")
    name = models.CharField(max_length=60)
    spec = models.JSONField()  # RunSpec.to_json()
    task = models.CharField(max_length=20, default="classification")  # of the data that it was made for
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="one_template_a_name")]

    def __str__(self) -> str:
        return self.name


class DryRun(models.Model):
    """A spec to be tried out on its data before it is started. A worker does it by `workers.dry_run(dry_run_id)`:
    state waiting -> trying -> ready (`result` filled) | refused (`message`, and `problems` by setting) | errored.

    Nothing depends on it: the sweeper removes it a day later.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for a worker"
        TRYING = "trying", "Being tried out"
        READY = "ready", "Tried out"
        REFUSED = "refused", "Cannot be run"
        ERRORED = "errored", "Could not be tried out"

    SETTLED = (State.READY, State.REFUSED, State.ERRORED)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="dry_runs")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+")
    spec = models.JSONField()  # RunSpec.to_json()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    message = models.TextField(blank=True)
    problems = models.JSONField(default=dict, blank=True)  # setting -> sentence
    result = OrderedJSONField(default=dict, blank=True)  # evolution_core.dry_run.DryRun.to_json(): layers in order
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-pk"]

    @property
    def run_spec(self) -> RunSpec:
        return RunSpec.from_json(self.spec)

    @property
    def is_settled(self) -> bool:
        return self.state in self.SETTLED
