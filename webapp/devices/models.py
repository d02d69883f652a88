"""Timings of networks on the devices that they were made for, as those devices' browsers measured them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from webapp.networks.models import Network
from webapp.teams.models import Membership

MOST = 200  # of one network
BOUNDS = (MinValueValidator(1e-4), MaxValueValidator(3_600_000.0))  # milliseconds: more or less is no measurement


class DeviceTiming(models.Model):
    """One network and its ancestor, run in turns on one device: medians of one image's milliseconds.

    A browser sends them, so they are what somebody says: bounded, shown as hers, and used for nothing else.
    """

    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="device_timings")
    label = models.CharField("name", max_length=60)  # the device: guessed, then as its owner calls it
    browser = models.CharField(max_length=60, blank=True)
    ms = models.FloatField(validators=BOUNDS)
    # of the ancestor, in the same turns; None for the ancestor itself, and where it could not be run beside this one
    ancestor_ms = models.FloatField(null=True, blank=True, validators=BOUNDS)
    rounds = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(100_000)])
    timed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.network} on {self.label}"

    @property
    def ratio(self) -> float | None:
        """How many times faster than the ancestor; None where that was not run beside it."""
        return self.ancestor_ms / self.ms if self.ancestor_ms is not None else None

    def may_be_changed_by(self, membership: Membership) -> bool:
        """Whoever has timed it, and those who run the team. The caller has checked that she may edit at all."""
        return membership.can_manage or self.timed_by_id == membership.user_id
