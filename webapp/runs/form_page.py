"""What the run form's page shows around its fields: where to start from, and what follows from what is typed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from evolution_core.spec import HEADLINES, RunSpec, SpecError
from webapp.datasets.models import Dataset

from . import dry_runs, form_layout
from .estimate import estimate_all, what_is_left
from .forms import RunForm, typed_spec
from .models import DryRun, Run, RunTemplate
from .not_ready import NotReady, not_ready
from .presets import PRESETS, TASK_DEFAULTS
from .run_templates import templates_of
from .suggestions import suited
from .words import differences

# What a starting point leaves as it is; a preset leaves the base network alone, too.
_LEFT_ALONE = {"own", "weights", "seed"}


@dataclass(frozen=True)
class Start:
    """What the form is filled with at first: a preset or headline (by name) or a template (by key), for a data set."""

    spec: RunSpec
    dataset: Dataset | None = None
    preset: str = ""
    template: int | None = None
    headline: str = ""
    not_ready: NotReady | None = None


def start_of(request: HttpRequest) -> Start:
    """What the address asks for; unknown names fall back to the defaults."""
    dataset, not_ready = _first_dataset(request)
    key = _number(request.GET.get("template", ""))
    for template, spec in templates_of(request.team) if key else ():  # type: ignore[attr-defined]
        if template.pk == key:
            return Start(spec, dataset, template=key, not_ready=not_ready)
    headline = HEADLINES.get(request.GET.get("headline", ""))
    if headline is not None and headline.seeds and (dataset is None or dataset.task == headline.task):
        return Start(headline.spec, dataset, headline=headline.name, not_ready=not_ready)
    preset = PRESETS.get(request.GET.get("preset", "")) or PRESETS["balanced"]
    spec = preset.spec_for(dataset.task if dataset else "classification")
    return Start(suited(spec, dataset), dataset, preset=preset.name, not_ready=not_ready)


def page(
    request: HttpRequest,
    form: RunForm,
    *,
    start: Start | None = None,
    origin: Run | None = None,
    dry_run: DryRun | None = None,
    status: int = 200,
) -> HttpResponse:
    """The whole page."""
    start = start or Start(RunSpec())
    context = form_layout.context(form) | {
        "section": "runs",
        "origin": origin,
        "presets": _presets(start),
        "headlines": _headlines(start),
        "templates": _templates(request, start),
        "chosen": start.dataset,
        "not_ready": start.not_ready,
        "wrong": [
            (form[name].auto_id, form[name].label, form.errors[name][0]) for name in form.fields if name in form.errors
        ],
        "forecast": dry_runs.forecast(dry_run) if dry_run is not None else None,
        "no_data": not form.fields["dataset"].queryset.exists(),  # type: ignore[attr-defined]
    }
    return render(request, "runs/new.html", context | following(request, form, origin), status=status)


def _presets(start: Start) -> list[dict[str, Any]]:
    return [
        {
            "preset": preset,
            "values": {task: json.dumps(_fillings(preset.name, task, start.dataset)) for task in TASK_DEFAULTS},
            "on": preset.name == start.preset,
        }
        for preset in PRESETS.values()
    ]


def _fillings(name: str, task: str = "classification", dataset: Dataset | None = None) -> dict[str, Any]:
    """What a preset types into the form: every setting, so that one preset undoes another; bases stay as they are.
    With a data set of that task, what suits it."""
    spec = PRESETS[name].spec_for(task)
    values = typed_spec(suited(spec, dataset) if dataset is not None and dataset.task == task else spec)
    return {key: value for key, value in values.items() if key not in _LEFT_ALONE | {"architecture"}}


def _headlines(start: Start) -> list[dict[str, Any]]:
    """What docs/results.md has measured, as it was: with the base network, and not suited to other data."""
    return [
        {
            "headline": headline,
            "values": json.dumps({k: v for k, v in typed_spec(headline.spec).items() if k not in _LEFT_ALONE}),
            "on": headline.name == start.headline,
            "fits": start.dataset is None or start.dataset.task == headline.task,
        }
        for headline in HEADLINES.values()
        if headline.seeds
    ]


def _templates(request: HttpRequest, start: Start) -> list[dict[str, Any]]:
    """The team's own starting points, with what differs from the defaults in few words."""
    return [
        {
            "template": template,
            "values": json.dumps({k: v for k, v in typed_spec(spec).items() if k not in _LEFT_ALONE}),
            "summary": _summary(spec, template),
            "on": template.pk == start.template,
        }
        for template, spec in templates_of(request.team)  # type: ignore[attr-defined]
    ]


def _summary(spec: RunSpec, template: RunTemplate) -> str:
    usual = RunSpec.from_json(TASK_DEFAULTS.get(template.task, {}))
    words = [f"{row['label'].lower()} {row['value']}" for row in differences(spec, usual)]
    return ", ".join(words)[:140] or "the defaults"


# --- what follows from what is typed --------------------------------------------------------


def following(request: HttpRequest, form: RunForm, origin: Run | None) -> dict[str, Any]:
    """The estimate, the differences from the run that is cloned, the sweep's count; empty while a field is wrong."""
    form = _bound(request, form)
    if not form.is_valid():
        lacks = "dataset" in form.errors
        return {"estimate": None, "lacks_data": lacks, "differences": None, "sweep": None, "origin": origin}
    dataset = form.cleaned_data["dataset"]
    return {
        "estimate": estimate_all(form.sweep.specs or (form.spec,), dataset, request.team),  # type: ignore[attr-defined]
        "left": what_is_left(form.spec),
        "sweep": form.sweep or None,
        "origin": origin,
        "differences": _differences(form.spec, dataset, origin) if origin is not None else None,
    }


def _bound(request: HttpRequest, form: RunForm) -> RunForm:
    if form.is_bound:
        return form
    data = {name: form[name].value() for name in form.fields if not name.endswith("_file")}
    return RunForm(data, team=request.team)  # type: ignore[attr-defined]


def _differences(spec: RunSpec, dataset: Dataset, origin: Run) -> list[dict[str, str]] | None:
    try:
        rows = differences(spec, origin.run_spec)
    except SpecError:
        return None
    if dataset.pk != origin.dataset_id:
        rows.insert(0, {"name": "dataset", "label": "Data set", "value": dataset.name, "was": origin.dataset.name})
    return rows


def origin_of(request: HttpRequest) -> Run | None:
    """The run that the form is a clone of, if it says so and it is this team's."""
    key = _number(request.POST.get("origin", ""))
    if key is None:
        return None
    return Run.objects.select_related("dataset").defer("dataset__report").filter(team=request.team, pk=key).first()  # type: ignore[attr-defined]


def _first_dataset(request: HttpRequest) -> tuple[Dataset | None, NotReady | None]:
    """The data set named in the address if it is the team's and ready; else the latest that is, and why. Where none is,
    the latest of all tells what it waits for."""
    of_team = Dataset.objects.filter(team=request.team).defer("report")  # type: ignore[attr-defined]
    wanted = request.GET.get("dataset", "")
    key = _number(wanted)
    found = of_team.filter(pk=key).first() if key is not None else None
    if found is not None and found.state == Dataset.State.READY:
        return found, None
    instead = of_team.filter(state=Dataset.State.READY).first()
    if found is None and not wanted and instead is None:
        found = of_team.first()
    return instead, not_ready(found) if found is not None or wanted else None


def _number(text: str) -> int | None:
    """A row's key from an address."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
