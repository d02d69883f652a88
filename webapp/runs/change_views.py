"""The buttons of a run's page. Each does one thing (webapp/runs/changes.py), says what it did, and leads back."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from webapp.teams.access import editor_required, get_object_or_404
from webapp.teams.models import User

from . import changes
from .addresses import RunUrls
from .change_forms import ExtendForm, RuleForm
from .choice import Rule
from .extension import CannotExtend
from .models import Run
from .view import View


def _button(change: Callable[[int, User], None], said: str) -> Callable[..., HttpResponse]:
    """A view that makes one change which needs no more than who asks for it."""

    @require_POST
    @editor_required
    def pressed(request: HttpRequest, pk: int) -> HttpResponse:
        run = get_object_or_404(request, Run, pk=pk)
        try:
            change(run.pk, request.user)  # type: ignore[arg-type]  # the decorator lets nobody else in
        except changes.NotNow as reason:
            messages.info(request, str(reason))
        else:
            messages.success(request, said)
        return redirect("runs:detail", pk=run.pk)

    return pressed


cancel = _button(changes.cancel, "The run is being cancelled. What was measured until now is kept.")
pause = _button(changes.pause, "The run pauses as soon as its networks have handed themselves back. Nothing is lost.")
resume = _button(changes.resume, "The run goes on.")


@require_POST
@editor_required
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(request, Run, pk=pk)
    form = ExtendForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say by how many generations, from 1 to 50.")
        return redirect("runs:detail", pk=run.pk)
    try:
        extension = changes.extend_run(run.pk, form.cleaned_data["generations"], request.user)  # type: ignore[arg-type]
    except (changes.NotNow, CannotExtend) as reason:
        messages.error(request, str(reason))
    else:
        said = [f"The run goes on to generation {extension.spec.generations}.", *extension.differences]
        messages.success(request, " ".join(said))
    return redirect("runs:detail", pk=run.pk)


@require_POST
@editor_required
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(request, Run, pk=pk)
    form = RuleForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"The rule was not changed. {form.problem()}")
        return redirect("runs:detail", pk=run.pk)
    if "try" in request.POST:
        return redirect(_trying(request, run, form.rule()))
    try:
        chosen = changes.choose(run.pk, form.rule(), request.user)  # type: ignore[arg-type]
    except changes.NotNow as reason:
        messages.error(request, f"The rule was not changed. {reason}")
    else:
        messages.success(request, _said(run, chosen.name if chosen else None))
    return redirect("runs:detail", pk=run.pk)


def _trying(request: HttpRequest, run: Run, rule: Rule | None) -> str:
    """The page with the rule in its address, and with what was seen of the run before: nothing is changed."""
    view = View.read(QueryDict(request.POST.get("query", "")[:4000].removeprefix("?")).dict())
    return f"{RunUrls(run).get('page')}{view.query(by=rule.text if rule is not None else '')}"


def _said(run: Run, chosen: str | None) -> str:
    if not run.has_ended:
        return "The rule is changed; the run chooses by it when it ends."
    return f"Network {chosen} is chosen now." if chosen else "The rule is changed back."
