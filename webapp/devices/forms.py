"""What a browser sends of a timing. Nothing of it is believed beyond being a bounded number or a short text."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from webapp.devices.models import MOST, DeviceTiming
from webapp.networks.models import Network
from webapp.runs.snapshot import ANCESTOR

UNKNOWN = "Unknown device"


class _Named(forms.ModelForm):  # type: ignore[type-arg]
    def clean_label(self) -> str:
        return " ".join(self.cleaned_data["label"].split())


class TimingForm(_Named):
    """A new row of `instance.network`."""

    class Meta:
        model = DeviceTiming
        fields = ("label", "browser", "ms", "ancestor_ms", "rounds")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].required = False

    def clean_label(self) -> str:
        return super().clean_label() or UNKNOWN

    def clean_ancestor_ms(self) -> float | None:
        return None if self.instance.network.name == ANCESTOR else self.cleaned_data["ancestor_ms"]

    def clean(self) -> dict[str, Any]:
        network = self.instance.network
        if network.state != Network.State.MEASURED:
            raise ValidationError("This network has not been measured yet.")
        if network.device_timings.count() >= MOST:
            raise ValidationError(f"A network keeps {MOST} timings at most: delete one first.")
        return self.cleaned_data

    def sentence(self) -> str:
        """What is wrong, field by field."""
        return " ".join(
            str(message) if name == "__all__" else f"{name}: {message}"
            for name, messages in self.errors.items()
            for message in messages
        )


class LabelForm(_Named):
    """Another name for the device of a row."""

    class Meta:
        model = DeviceTiming
        fields = ("label",)
