"""Several runs from one form: a few settings with a list of values each, and every combination of them.

Inputs are `sweep-N-setting` (a field of the spec) and `sweep-N-values` (as typed, with commas; with semicolons where a
value itself holds commas).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction

from evolution_core.spec import SETTINGS, Environment, RunSpec, SpecError
from evolution_core.spec.composites import read_stresses
from webapp.datasets.models import Dataset
from webapp.dispatch import dispatch
from webapp.teams.models import Team

from .form_fields import sentence
from .models import Run, RunGroup
from .words import COMPOSITES, differing, label_of, value_in_words

ROWS = 3
MOST_RUNS = 64
_LONGEST = 1000  # characters of a row's values
# What cannot be varied: files that a team brings are chosen one by one.
_FIXED = {"own", "weights"}


def sweepable() -> list[tuple[str, str]]:
    """(setting, label), the ones that people vary most first."""
    names = [*COMPOSITES, *(name for name in SETTINGS if name not in _FIXED)]
    first = ["seed", "environment", "stress", "epochs", "architecture", "generations"]
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    return [(name, label_of(name)) for name in names]


def sweep_fields() -> dict[str, forms.Field]:
    """The inputs of every row."""
    fields: dict[str, forms.Field] = {}
    for row in range(1, ROWS + 1):
        fields[f"sweep-{row}-setting"] = forms.ChoiceField(
            required=False,
            initial="",
            label="Setting",
            choices=[("", "Choose a setting"), *sweepable()],
            widget=forms.Select(attrs={"class": "form-select"}),
        )
        fields[f"sweep-{row}-values"] = forms.CharField(
            required=False,
            initial="",
            max_length=_LONGEST,
            label="Values",
            widget=forms.TextInput(attrs={"class": "form-control", "placeholder": "1, 2, 3", "autocomplete": "off"}),
        )
    return fields


@dataclass(frozen=True)
class Sweep:
    """What was asked for: the settings, and the spec of every combination in the order of the values."""

    settings: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    specs: tuple[RunSpec, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.settings)

    @property
    def sentence(self) -> str:
        """ "9 runs: environment 3 × seed 3"."""
        parts = " × ".join(
            f"{label_of(name).lower()} {count}" for name, count in zip(self.settings, self.counts, strict=True)
        )
        return f"{len(self.specs)} runs: {parts}"


class SweepError(ValueError):
    """`problems` maps an input to a sentence."""

    def __init__(self, problems: Mapping[str, str]):
        super().__init__("; ".join(problems.values()))
        self.problems = dict(problems)


def read_sweep(data: Mapping[str, Any], spec: RunSpec) -> Sweep:
    """The sweep around `spec` that was typed. Raises SweepError."""
    axes: list[tuple[int, str, list[Any]]] = []
    problems: dict[str, str] = {}
    for row in range(1, ROWS + 1):
        name, text = data.get(f"sweep-{row}-setting") or "", (data.get(f"sweep-{row}-values") or "").strip()
        if not name and not text:
            continue
        field, problem = _row_problem(row, name, text, [known for _, known, _ in axes])
        if problem:
            problems[field] = problem
            continue
        values, problem = _read_values(name, text)
        if problem:
            problems[f"sweep-{row}-values"] = problem
        axes.append((row, name, values))
    if problems:
        raise SweepError(problems)
    return _combined(axes, spec) if axes else Sweep()


def _row_problem(row: int, name: str, text: str, earlier: list[str]) -> tuple[str, str]:
    if not name:
        return f"sweep-{row}-setting", "Choose the setting that takes these values."
    if name in earlier:
        return f"sweep-{row}-setting", "This setting is varied already."
    if not text:
        return f"sweep-{row}-values", "Type the values, with commas between them."
    return "", ""


def _value(name: str, text: str) -> Any:
    """One value in its proper type, right in itself; what does not go together with others is found later."""
    if name == "environment":
        return Environment.read(text)
    return read_stresses(text.split("+")) if name == "stress" else SETTINGS[name].check(text)


def _read_values(name: str, text: str) -> tuple[list[Any], str]:
    """The values of one setting in their proper type, or what is wrong with one of them."""
    typed = [part.strip() for part in text.split(";" if ";" in text else ",") if part.strip()]
    values: list[Any] = []
    for part in typed:
        try:
            value = _value(name, part)
        except ValueError as error:
            return [], sentence(f"{part[:40]}: {error}")
        if value in values:
            return [], f"{part[:40]} stands there twice."
        values.append(value)
    if len(values) < 2:
        return values, "Give two values or more; a single one belongs in its field above."
    return values, ""


def _combined(axes: list[tuple[int, str, list[Any]]], spec: RunSpec) -> Sweep:
    count = 1
    for _, _, values in axes:
        count *= len(values)
    last = f"sweep-{axes[-1][0]}-values"
    if count > MOST_RUNS:
        raise SweepError({last: f"These are {count:,} runs; a sweep has up to {MOST_RUNS}. Take fewer values."})
    specs = []
    for combination in itertools.product(*(values for _, _, values in axes)):
        changes = {name: value for (_, name, _), value in zip(axes, combination, strict=True)}
        try:
            specs.append(spec.replace(**changes))
        except SpecError as error:
            which = ", ".join(f"{label_of(name).lower()} {value_in_words(name, v)}" for name, v in changes.items())
            problem = next(iter(error.problems.values()))
            raise SweepError({last: sentence(f"With {which}: {problem}")}) from None
    return Sweep(tuple(name for _, name, _ in axes), tuple(len(values) for _, _, values in axes), tuple(specs))


def start_sweep(
    sweep: Sweep,
    *,
    team: Team,
    dataset: Dataset,
    name: str,
    user: Any,
    origin: Run | None = None,
    submission: str | None = None,
) -> RunGroup:
    """Every run of the sweep, named by what it has for itself, and their group. The caller's transaction holds all."""
    with transaction.atomic():
        group = RunGroup.objects.create(
            team=team, name=name, axes=list(sweep.settings), created_by=user, submission=submission
        )
        for spec in sweep.specs:
            own = ", ".join(differing(spec, sweep.settings))
            run = Run.objects.create(
                team=team,
                dataset=dataset,
                name=f"{name[: max(20, 97 - len(own))]}: {own}"[:100],
                spec=spec.to_json(),
                cloned_from=origin,
                group=group,
                created_by=user,
            )
            run.record("queued")
            dispatch("workers.advance", run.pk)
    return group
