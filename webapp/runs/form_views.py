"""Starting a run: the form, its estimate, and the files that a team brings for it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evolution_core.spec import SpecError
from webapp.datasets.models import Dataset
from webapp.dispatch import dispatch
from webapp.teams.access import editor_required, get_object_or_404, team_required

from . import bases, form_layout
from .estimate import Estimate, estimate
from .forms import DEFAULTS, RunForm, typed_spec
from .models import BaseFile, Run
from .presets import PRESETS, TASK_DEFAULTS
from .suggestions import suited


@require_http_methods(["GET", "POST"])
@editor_required
def new(request: HttpRequest) -> HttpResponse:
    """The form. `?preset=NAME` and `?dataset=ID` fill it."""
    if request.method == "POST":
        return _submitted(request, None)
    preset = PRESETS.get(request.GET.get("preset", ""))
    chosen = _first_dataset(request)
    spec = (preset or PRESETS["balanced"]).spec_for(chosen.task if chosen else "classification")
    initial = typed_spec(suited(spec, chosen)) | {"dataset": chosen.pk if chosen else None}
    for name in ("own", "weights"):
        initial[name] = request.GET.get(name, "")
    name = preset.name if preset else "balanced"  # which is the defaults
    form = RunForm(team=request.team, initial=initial)  # type: ignore[attr-defined]
    return _page(request, form, preset=name, chosen=chosen)


@require_http_methods(["GET", "POST"])
@editor_required
def clone(request: HttpRequest, pk: int) -> HttpResponse:
    """The form filled with an existing run's spec, to change something."""
    origin = get_object_or_404(request, Run.objects.select_related("dataset"), pk=pk)
    if request.method == "POST":
        return _submitted(request, origin)
    try:
        initial = typed_spec(origin.run_spec)
    except SpecError:
        messages.warning(request, "The settings of that run can no longer be read as a whole; these are the defaults.")
        initial = typed_spec(DEFAULTS)
    initial |= {"dataset": origin.dataset_id, "name": f"{origin.name} (changed)"[:100]}
    return _page(request, RunForm(team=request.team, initial=initial), origin=origin)  # type: ignore[attr-defined]


def _submitted(request: HttpRequest, origin: Run | None) -> HttpResponse:
    form = RunForm(request.POST, request.FILES, team=request.team)  # type: ignore[attr-defined]
    form.is_valid()
    _take_files(request, form)
    if not form.is_valid():
        return _page(request, form, origin=origin, status=422)
    with transaction.atomic():
        run = Run.objects.create(
            team=request.team,  # type: ignore[attr-defined]
            dataset=form.cleaned_data["dataset"],
            name=form.run_name(),
            spec=form.spec.to_json(),
            cloned_from=origin,
            created_by=request.user,  # type: ignore[misc]  # the guard lets nobody else in
        )
        run.record("queued")
        dispatch("workers.advance", run.pk)
    return redirect("runs:detail", pk=run.pk)


def _take_files(request: HttpRequest, form: RunForm) -> None:
    """A file added together with the form (a page without scripts): kept, and the form comes back to wait for it."""
    for name, kind, file in form.uploads():
        form.errors.pop(name, None)  # "choose or add one": she has added one
        try:
            base = bases.take(file, kind, request.team, request.user)  # type: ignore[attr-defined]
        except bases.BaseFileError as error:
            form.add_error(name, str(error))
            continue
        if base.state == BaseFile.State.READY:
            form.add_error(name, f"{base.original_name} is ready: choose it in the list.")
        elif base.state == BaseFile.State.REFUSED:
            form.add_error(name, f"{base.original_name} is refused: {base.message}")
        else:
            form.add_error(name, f"{base.original_name} is being looked into; choose it in the list in a moment.")


def _page(
    request: HttpRequest,
    form: RunForm,
    *,
    origin: Run | None = None,
    preset: str = "",
    chosen: Dataset | None = None,
    status: int = 200,
) -> HttpResponse:
    filled = [
        {
            "preset": p,
            "values": {task: json.dumps(_fillings(p.name, task, chosen)) for task in TASK_DEFAULTS},
            "on": p.name == preset,
        }
        for p in PRESETS.values()
    ]
    context = form_layout.context(form) | {
        "section": "runs",
        "origin": origin,
        "presets": filled,
        "chosen": chosen,
        "estimate": _estimate(request, form),
        "no_data": not form.fields["dataset"].queryset.exists(),  # type: ignore[attr-defined]
    }
    return render(request, "runs/new.html", context, status=status)


def _fillings(name: str, task: str = "classification", dataset: Dataset | None = None) -> dict[str, Any]:
    """What a preset types into the form: every setting, so that one preset undoes another; bases stay as they are.
    With a data set of that task, what suits it."""
    spec = PRESETS[name].spec_for(task)
    values = typed_spec(suited(spec, dataset) if dataset is not None and dataset.task == task else spec)
    return {key: value for key, value in values.items() if key not in ("architecture", "own", "weights", "seed")}


def _first_dataset(request: HttpRequest) -> Dataset | None:
    """The data set named in the address if it is the team's and ready; else the latest that is."""
    ready = Dataset.objects.filter(team=request.team, state=Dataset.State.READY)  # type: ignore[attr-defined]
    wanted = request.GET.get("dataset", "")
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 and ready.filter(pk=int(wanted)).exists():
        return ready.get(pk=int(wanted))
    return ready.first()


def _estimate(request: HttpRequest, form: RunForm) -> Estimate | None:
    """For what the form holds now; None while something in it is wrong."""
    team = request.team  # type: ignore[attr-defined]
    if not form.is_bound:
        data = {name: form[name].value() for name in form.fields if not name.endswith("_file")}
        form = RunForm(data, team=team)
    if not form.is_valid():
        return None
    return estimate(form.spec, form.cleaned_data["dataset"], team)


@require_POST
@editor_required
def estimated(request: HttpRequest) -> HttpResponse:
    """The estimate for what is typed just now."""
    form = RunForm(request.POST, team=request.team)  # type: ignore[attr-defined]
    return render(request, "runs/_estimate.html", {"estimate": _estimate(request, form)})


# --- files that a team brings ------------------------------------------------------------


@require_safe
@team_required
def base_list(request: HttpRequest) -> HttpResponse:
    files = BaseFile.objects.filter(team=request.team).select_related("created_by")  # type: ignore[attr-defined]
    rows = [{"base": base, "found": bases.described(base)} for base in files]
    context = {"section": "runs", "rows": rows, "kinds": BaseFile.Kind.choices}
    return render(request, "runs/bases.html", context)


@require_POST
@editor_required
def base_add(request: HttpRequest) -> HttpResponse:
    """Takes one file; answers JSON to a script that asks for it, else goes back to the list."""
    wants_json = request.headers.get("accept", "").startswith("application/json")
    kind, file = request.POST.get("kind", ""), request.FILES.get("file")
    try:
        if kind not in BaseFile.Kind.values or file is None:
            raise bases.BaseFileError("Choose a file.")
        base = bases.take(file, kind, request.team, request.user)  # type: ignore[attr-defined]
    except bases.BaseFileError as error:
        if wants_json:
            return JsonResponse({"error": str(error)}, status=422)
        messages.error(request, str(error))
        return redirect("runs:bases")
    if wants_json:
        return JsonResponse(bases.base_json(base))
    return redirect("runs:bases")


@require_safe
@team_required
def base_state(request: HttpRequest, pk: int) -> JsonResponse:
    """How far the inspection is, for a page that waits for it."""
    return JsonResponse(bases.base_json(get_object_or_404(request, BaseFile, pk=pk)))


@require_POST
@editor_required
def base_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forgets a file. One that a run still needs stays until that run has ended."""
    base = get_object_or_404(request, BaseFile, pk=pk)
    field = "own" if base.kind == BaseFile.Kind.ONNX else "weights"
    open_runs = Run.objects.filter(team=base.team, **{f"spec__{field}": base.sha256}).exclude(state__in=Run.ENDED)
    if open_runs.exists():
        messages.error(request, f"{base.original_name} is in use by a run that has not ended.")
    else:
        storage, name = base.file.storage, base.file.name
        base.delete()
        transaction.on_commit(lambda: storage.delete(str(name)))
        messages.success(request, f"{base.original_name} is deleted.")
    return redirect("runs:bases")
