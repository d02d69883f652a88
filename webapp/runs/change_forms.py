"""The small forms of a run's page: by which rule its network is chosen, and how many generations more."""

from __future__ import annotations

from typing import Any

from django import forms

from .choice import KINDS, PICKED, Rule


class RuleForm(forms.Form):
    """`rule()` once valid: None for the rule that the run was asked for."""

    kind = forms.ChoiceField(choices=[("", "As asked for"), *((key, kind.label) for key, kind in KINDS.items())])
    kind.required = False
    value = forms.FloatField(required=False, min_value=0)
    network = forms.CharField(required=False, max_length=20)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        key = cleaned.get("kind")
        if not key or self.errors:
            return cleaned
        kind, value = KINDS[key], cleaned.get("value")
        if kind.unit and value is None:
            raise forms.ValidationError(f"Say how many {kind.unit}.")
        if kind.unit and value is not None and value > kind.most:
            raise forms.ValidationError(f"At most {kind.most:g} {kind.unit}.")
        if key == PICKED and not cleaned.get("network"):
            raise forms.ValidationError("Say which network, such as 2-1.")
        return cleaned

    def rule(self) -> Rule | None:
        key = self.cleaned_data["kind"]
        if not key:
            return None
        value = self.cleaned_data["value"] if KINDS[key].unit else None
        return Rule(key, value, self.cleaned_data["network"] if key == PICKED else "")

    def problem(self) -> str:
        """The first thing that is wrong, in a sentence; "" for nothing."""
        name, messages = next(iter(self.errors.items()), ("__all__", [""]))
        return str(messages[0]) if name == "__all__" else f"{name.capitalize()}: {messages[0]}"


class ExtendForm(forms.Form):
    generations = forms.IntegerField(min_value=1, max_value=50)
