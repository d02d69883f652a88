"""Networks: the ancestor and every offspring of a run, with what was measured of each."""

from __future__ import annotations

from django.db import models

from webapp.fields import OrderedJSONField
from webapp.runs.models import Run


class Network(models.Model):
    """A network is made by one worker at a time, which holds its claim and beats its heart.

    state: waiting -> living (claimed; `phase` says what it is doing) -> measured | refused (its surgery could
    not be proven; the run goes on) | errored | cancelled. A lost worker's network goes back to waiting.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for a worker"
        LIVING = "living", "In training"
        MEASURED = "measured", "Measured"
        REFUSED = "refused", "Refused"
        ERRORED = "errored", "Stopped by an error"
        CANCELLED = "cancelled", "Cancelled"

    class Made(models.TextChoices):
        """How far something is that is made of a measured network: its ONNX form, the look inside it."""

        NONE = "", "Not made yet"
        REQUESTED = "requested", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Could not be made"

    OnnxState = Made

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="networks")
    name = models.CharField(max_length=20)  # the engine's id: "ancestor", "2-1"
    generation = models.PositiveSmallIntegerField()
    parents = models.ManyToManyField("self", symmetrical=False, related_name="children", blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    phase = models.CharField(max_length=12, blank=True)  # drawing, gestation, cut, growth, measuring
    progress = models.FloatField(default=0.0)  # 0 to 1 of this network's work
    message = models.TextField(blank=True)

    # the engine's record once measured (fractions, counts, bytes, milliseconds)
    validation_accuracy = models.FloatField(null=True, blank=True)
    shock_accuracy = models.FloatField(null=True, blank=True)
    test_accuracy = models.FloatField(null=True, blank=True)
    parameters = models.BigIntegerField(null=True, blank=True)
    macs = models.BigIntegerField(null=True, blank=True)
    bytes = models.BigIntegerField(null=True, blank=True)
    peak_activation_bytes = models.BigIntegerField(null=True, blank=True)  # most alive at once, for one image
    latency_ms = models.FloatField(null=True, blank=True)
    ancestor_latency_ms = models.FloatField(null=True, blank=True)  # in the same run as latency_ms
    clusters = OrderedJSONField(default=dict, blank=True)  # layer -> count
    record = OrderedJSONField(default=dict, blank=True)  # NetworkRecord.to_json(): the whole, layers included
    file = models.FileField(max_length=255, blank=True)  # safetensors with the genome in its metadata
    sha256 = models.CharField(max_length=64, blank=True)

    # its ONNX form: made when the network is measured, or on demand by workers.export_onnx(network_id)
    onnx_state = models.CharField(max_length=10, choices=Made.choices, default=Made.NONE, blank=True)
    onnx = models.FileField(max_length=255, blank=True)
    onnx_sha256 = models.CharField(max_length=64, blank=True)
    # a detector's form with decoding and suppression inside, made together with the other
    onnx_nms = models.FileField(max_length=255, blank=True)
    onnx_nms_sha256 = models.CharField(max_length=64, blank=True)
    predictions = models.FileField(max_length=255, blank=True)  # a detector's: JSON, see webapp/networks/predictions.py
    onnx_message = models.TextField(blank=True)  # why it could not be made, one sentence
    onnx_attempts = models.PositiveSmallIntegerField(default=0)  # starts that ended their worker, as in the next two

    # how good that form is (webapp/networks/exported.py): measured once it is ready, and again once it is tested, or on
    # demand by workers.measure_onnx(network_id)
    onnx_figures_state = models.CharField(max_length=10, choices=Made.choices, default=Made.NONE, blank=True)
    onnx_figures = OrderedJSONField(default=dict, blank=True)
    onnx_figures_message = models.TextField(blank=True)  # why it could not be measured, one sentence
    onnx_figures_attempts = models.PositiveSmallIntegerField(default=0)

    # that form in 8-bit integers and how good it is (webapp/networks/quantized.py): made on demand by
    # workers.quantize(network_id)
    int8_state = models.CharField(max_length=10, choices=Made.choices, default=Made.NONE, blank=True)
    int8 = models.FileField(max_length=255, blank=True)
    int8_sha256 = models.CharField(max_length=64, blank=True)
    int8_figures = OrderedJSONField(default=dict, blank=True)
    int8_message = models.TextField(blank=True)  # why it could not be made, one sentence
    int8_attempts = models.PositiveSmallIntegerField(default=0)

    # what it is like inside and what it answers (webapp/networks/inside_files.py): made when the network is measured,
    # or on demand by workers.look_inside(network_id)
    inside_state = models.CharField(max_length=10, choices=Made.choices, default=Made.NONE, blank=True)
    inside = models.FileField(max_length=255, blank=True)  # JSON: its wiring, and which first filters live
    answers = models.FileField(max_length=255, blank=True)  # a classifier's: JSON, its answers on validation images
    inside_message = models.TextField(blank=True)  # why it could not be made, one sentence
    inside_attempts = models.PositiveSmallIntegerField(default=0)

    images_per_second = models.FloatField(null=True, blank=True)  # while living: the training's speed just now
    started_at = models.DateTimeField(null=True, blank=True)  # first claim; with measured_at it gives the pace
    claimed_by = models.CharField(max_length=64, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # of a claim: a life or a final test
    created_at = models.DateTimeField(auto_now_add=True)
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["generation", "pk"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="one_network_a_name")]

    def __str__(self) -> str:
        return self.name
