"""Starting runs: the form, its estimate, trying a run out, keeping its settings, and starting one or many."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import reselect, reswap, retarget

from evolution_core.spec import SpecError, catalogue
from webapp.keeping import kept
from webapp.teams.access import editor_required, get_object_or_404

from . import bases, dry_runs, form_page, run_templates, starting
from .forms import DEFAULTS, RunForm, typed_spec
from .models import BaseFile, DryRun, Run, RunGroup, RunTemplate


@require_http_methods(["GET", "POST"])
@editor_required
def new(request: HttpRequest) -> HttpResponse:
    """The form. `?preset=NAME` or `?template=ID`, and `?dataset=ID`, fill it."""
    if request.method == "POST":
        return _submitted(request, None)
    start = form_page.start_of(request)
    initial = typed_spec(start.spec) | {"dataset": start.dataset.pk if start.dataset else None}
    for name in ("own", "weights"):
        initial[name] = request.GET.get(name, "")
    if initial["own"]:
        initial["architecture"] = catalogue.OWN  # "Use" beside a network means to start from it
    form = RunForm(team=request.team, initial=initial)  # type: ignore[attr-defined]
    return form_page.page(request, form, start=start)


@require_http_methods(["GET", "POST"])
@editor_required
def clone(request: HttpRequest, pk: int) -> HttpResponse:
    """The form filled with an existing run's spec, to change something."""
    origin = get_object_or_404(request, Run.objects.select_related("dataset").defer("dataset__report"), pk=pk)
    if request.method == "POST":
        return _submitted(request, origin)
    try:
        initial = typed_spec(origin.run_spec)
    except SpecError:
        messages.warning(request, "The settings of that run can no longer be read as a whole; these are the defaults.")
        initial = typed_spec(DEFAULTS)
    initial |= {"dataset": origin.dataset_id, "name": f"{origin.name} (changed)"[:100]}
    form = RunForm(team=request.team, initial=initial)  # type: ignore[attr-defined]
    return form_page.page(request, form, origin=origin)


def _submitted(request: HttpRequest, origin: Run | None) -> HttpResponse:
    form = RunForm(request.POST, request.FILES, team=request.team)  # type: ignore[attr-defined]
    form.is_valid()
    _take_files(request, form)
    if not form.is_valid():
        return _refused(request, form, origin)
    action = {"dry-run": _try_out, "keep": _keep}.get(request.POST.get("action", ""), _start)
    return action(request, form, origin)


def _refused(request: HttpRequest, form: RunForm, origin: Run | None) -> HttpResponse:
    """The form again, with what is wrong beside its fields; in place of the old one where only a part was asked for."""
    if not getattr(request, "htmx", False):
        return form_page.page(request, form, origin=origin, status=422)
    response = form_page.page(request, form, origin=origin)  # htmx leaves a page alone that is answered by 422
    return reselect(reswap(retarget(response, "#run-form"), "outerHTML"), "#run-form")


def _start(request: HttpRequest, form: RunForm, origin: Run | None) -> HttpResponse:
    """One run, or all of a sweep."""
    team, user = request.team, request.user  # type: ignore[attr-defined]
    submission = starting.submission_of(request.POST, team, user)
    found, is_new = starting.start(form, team=team, user=user, origin=origin, submission=submission)
    if not is_new:
        messages.info(request, "This was started already, with these very settings: nothing was started again.")
    return redirect("runs:group" if isinstance(found, RunGroup) else "runs:detail", pk=found.pk)


def _try_out(request: HttpRequest, form: RunForm, origin: Run | None) -> HttpResponse:
    """Asks for a dry run; the page keeps what was typed and waits for its end."""
    team, user = request.team, request.user  # type: ignore[attr-defined]
    row = dry_runs.ask(team, form.cleaned_data["dataset"], form.spec, user)
    if getattr(request, "htmx", False):
        return render(request, "runs/_dry_run.html", {"forecast": dry_runs.forecast(row)})
    for name, problem in row.problems.items():
        form.place(name, problem)
    return form_page.page(request, form, origin=origin, dry_run=row)


def _keep(request: HttpRequest, form: RunForm, origin: Run | None) -> HttpResponse:
    """Keeps the settings as a template of the team; the page keeps what was typed."""
    name, dataset = form.cleaned_data["keep_as"].strip(), form.cleaned_data["dataset"]
    template, problem = None, "Give it a name."
    if name:
        template, problem = run_templates.keep(request.team, name, form.spec, dataset, request.user)  # type: ignore[attr-defined]
    if template is None:
        form.add_error("keep_as", problem)
        return _refused(request, form, origin)
    messages.success(request, f"These settings are kept as “{template.name}”. Nothing was started yet.")
    return form_page.page(request, form, origin=origin)


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


@require_POST
@editor_required
def estimated(request: HttpRequest) -> HttpResponse:
    """What depends on all that is typed just now: the estimate, the differences from a cloned run, the button."""
    form = RunForm(request.POST, team=request.team)  # type: ignore[attr-defined]
    context: dict[str, Any] = form_page.following(request, form, form_page.origin_of(request))
    return render(request, "runs/_following.html", context)


@require_safe
@editor_required
def dry_run_state(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel of a dry run, for a page that waits for its end."""
    row = get_object_or_404(request, DryRun.objects.select_related("team"), pk=pk)
    return render(request, "runs/_dry_run.html", {"forecast": dry_runs.forecast(row)})


@require_safe
@editor_required
def dry_run_table(request: HttpRequest, pk: int, table: str, kind: str) -> HttpResponse:
    """A table of the dry run, to keep."""
    row = get_object_or_404(request, DryRun.objects.select_related("team"), pk=pk)
    return kept(dry_runs.forecast(row).kept_table(table), kind, f"dry-run-{pk}-{table}")


@require_POST
@editor_required
def template_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forgets a template; runs that were started from it keep their settings."""
    template = get_object_or_404(request, RunTemplate, pk=pk)
    template.delete()
    if getattr(request, "htmx", False):
        return HttpResponse("")  # its card goes, the form stays as it was typed
    messages.success(request, f"“{template.name}” is deleted.")
    return redirect("runs:new")
