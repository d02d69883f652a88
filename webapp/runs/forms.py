"""The new-run form, generated from the spec's own description: a new setting appears here by itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from evolution_core.spec import SETTINGS, RunSpec, Setting, SpecError, catalogue
from webapp.datasets.models import Dataset
from webapp.teams.models import Team

from . import form_parts
from .form_fields import sentence, setting_field, typed
from .models import BaseFile
from .sweeps import Sweep, SweepError, read_sweep, sweep_fields

DEFAULTS = RunSpec()
OWN_TASK = "classification"  # what networks that a team brings can be evolved for
BASES = {setting: kind for kind, setting in BaseFile.SETTINGS.items()}  # settings whose value is a file's sha256


class DatasetSelect(forms.Select):
    """Marks each option with its task, so that the page can tell which base networks fit."""

    def create_option(self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, label, *args, **kwargs)
        instance = getattr(value, "instance", None)
        if instance is not None:
            option["attrs"]["data-task"] = instance.task
        return option


class RunForm(forms.Form):
    """Checks what was typed and makes the spec; `spec` holds it once the form is valid.

    Every problem that `RunSpec` names comes back beside its field, with what was typed still there.
    """

    name = forms.CharField(
        max_length=100,
        required=False,
        label="Name",
        help_text="What you will look for in a month.",
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    dataset = forms.ModelChoiceField(
        Dataset.objects.none(),
        label="Data set",
        empty_label=None,
        help_text="Its training images teach, its test images stay closed until the end.",
        widget=DatasetSelect(attrs={"class": "form-select"}),
        error_messages={
            "required": "Choose a data set.",
            "invalid_choice": "Choose one of your team's data sets that are ready.",
        },
    )
    own_file = forms.FileField(
        required=False,
        label="Add a network",
        widget=forms.ClearableFileInput(attrs={"class": "form-control", "accept": ".onnx"}),
    )
    weights_file = forms.FileField(
        required=False,
        label="Add weights",
        widget=forms.ClearableFileInput(attrs={"class": "form-control", "accept": ".safetensors,.weights"}),
    )

    # New with every page: a button that was pressed twice starts nothing twice (webapp/runs/starting.py).
    key = forms.CharField(
        max_length=40,
        required=False,
        initial=lambda: secrets.token_urlsafe(16),
        widget=forms.HiddenInput(attrs={"autocomplete": "off"}),
    )

    keep_as = forms.CharField(
        max_length=60,
        required=False,
        label="Keep these settings for the team as",
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )

    spec: RunSpec
    sweep: Sweep = Sweep()  # what is varied around `spec`; empty for a single run

    def __init__(self, *args: Any, team: Team, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.team = team
        datasets = Dataset.objects.filter(team=team, state=Dataset.State.READY).defer("report")
        self.fields["dataset"].queryset = datasets  # type: ignore[attr-defined]
        for name, setting in SETTINGS.items():
            self.fields[name] = setting_field(setting, getattr(DEFAULTS, name))
        self.fields |= form_parts.part_fields() | sweep_fields()
        self.bases = list(BaseFile.objects.filter(team=team, state=BaseFile.State.READY))
        for name, kind in BASES.items():
            chosen = [(base.sha256, base.original_name) for base in self.bases if base.kind == kind]
            blank = SETTINGS[name].blank.capitalize()
            self.fields[name].widget = forms.Select(choices=[("", blank), *chosen], attrs={"class": "form-select"})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        values = {name: _entered(setting, self.cleaned_data.get(name)) for name, setting in SETTINGS.items()}
        if values["architecture"] != catalogue.OWN:
            values["own"] = None  # a network chosen before another architecture was: not a contradiction
        values["stress"] = form_parts.read_stress(self.cleaned_data)
        values["environment"] = form_parts.read_environment(self.cleaned_data)
        try:
            self.spec = RunSpec.from_json(values)
        except SpecError as error:
            for name, text in error.problems.items():
                self.place(name, text)
        else:
            self._check_bases()
            self._check_dataset(data.get("dataset"))
            self._read_sweep(data.get("dataset"))
        return data

    def _read_sweep(self, dataset: Dataset | None) -> None:
        """What is varied; every combination must be a run that these data allow."""
        try:
            self.sweep = read_sweep(self.cleaned_data, self.spec)
        except SweepError as error:
            for name, text in error.problems.items():
                self.add_error(name, text)
            return
        for spec in self.sweep.specs:
            for _, problem in misfits(spec, dataset) if dataset is not None else ():
                self.add_error("sweep-1-values", problem)
                return

    def place(self, name: str, text: str) -> None:
        """Puts a problem of the spec beside the input it speaks of."""
        if name == "stress":
            name, text = form_parts.stress_problem(text, self.cleaned_data)
        elif name == "environment":
            name, text = form_parts.environment_problem(text, self.cleaned_data)
        elif name == "own":
            text = "choose one of your networks, or add one"
        self.add_error(name if name in self.fields else None, sentence(text))

    def _check_bases(self) -> None:
        """A file's hash must be one of the team's own files that were looked into and found good."""
        known = {(base.kind, base.sha256) for base in self.bases}
        for name, kind in BASES.items():
            digest = getattr(self.spec, name)
            if digest is not None and (kind, digest) not in known:
                self.add_error(name, "Choose one of your team's files that are ready.")

    def _check_dataset(self, dataset: Dataset | None) -> None:
        if dataset is not None:
            for name, problem in misfits(self.spec, dataset):
                self.add_error(name, problem)

    def uploads(self) -> list[tuple[str, str, UploadedFile]]:
        """(setting, kind, file) of what was added in this submission."""
        files = ((name, kind, self.files.get(f"{name}_file")) for name, kind in BASES.items())
        return [(name, kind, file) for name, kind, file in files if file]

    def run_name(self) -> str:
        """What was typed, or a name made of the data set and the network."""
        card = catalogue.ARCHITECTURES.get(self.spec.architecture)
        network = card.label if card else "own network"
        return self.cleaned_data["name"].strip() or f"{self.cleaned_data['dataset']} on {network}"[:100]


def misfits(spec: RunSpec, dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(setting, problem), as far as can be known before any training: the task fits, and images survive the network's
    strides."""
    card = catalogue.ARCHITECTURES.get(spec.architecture)
    if card is None:
        if dataset.task != OWN_TASK:
            yield "architecture", f"Own networks are for {OWN_TASK}; these data are for {dataset.task}."
        return
    if card.task != dataset.task:
        yield "architecture", f"{card.label} is for {card.task}; these data are for {dataset.task}."
    size = spec.input_size
    if size is None:
        return  # the engine takes a size that fits
    if size < card.minimum_size:
        yield "input_size", f"{card.label} needs images of at least {card.minimum_size} pixels, not {size}."
    elif size % card.size_multiple:
        yield "input_size", f"{card.label} needs a multiple of {card.size_multiple} pixels, not {size}."


def _entered(setting: Setting, value: Any) -> Any:
    """An empty list is a list with nothing in it, not a value that is missing."""
    empty: Any = {"names": [], "shares": {}}.get(setting.kind)
    return empty if empty is not None and value in ("", None) else value


def typed_spec(spec: RunSpec) -> dict[str, Any]:
    """A spec as initial values of the form; reading them back gives the same spec."""
    values = {name: typed(getattr(spec, name)) for name in SETTINGS}
    for name, setting in SETTINGS.items():
        if setting.kind == "names" and setting.choices is None:
            values[name] = ", ".join(getattr(spec, name))
    return values | form_parts.typed_stress(spec.stress) | form_parts.typed_environment(spec.environment)
