"""The page of a sweep: its runs side by side, what they came to, and what can be done to all of them."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from webapp.dispatch import dispatch
from webapp.keeping import kept
from webapp.teams.access import editor_required, get_object_or_404, team_required

from .group_view import GroupView
from .groups import GroupPage
from .measures import MOST_COMPARED
from .models import Run, RunGroup


@require_safe
@team_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "runs/group.html", _context(request, pk))


@require_safe
@team_required
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The page's changing part, for a page that is open."""
    return render(request, "runs/_group.html", _context(request, pk))


def _context(request: HttpRequest, pk: int) -> dict[str, object]:
    group = get_object_or_404(request, RunGroup.objects.select_related("team"), pk=pk)
    page = GroupPage(group, GroupView.read(request.GET.dict(), group.axes))
    return {"section": "runs", "group": group, "page": page, "most": MOST_COMPARED}


@require_safe
@team_required
def table(request: HttpRequest, pk: int, table: str, kind: str) -> HttpResponse:
    """A table of the sweep in the address's order, figures unrounded, to keep."""
    group = get_object_or_404(request, RunGroup.objects.select_related("team"), pk=pk)
    page = GroupPage(group, GroupView.read(request.GET.dict(), group.axes))
    return kept(page.kept_table(table), kind, f"sweep-{group.pk}-{table}")


@require_POST
@editor_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks every run that has not ended to stop; what was measured stays."""
    group = get_object_or_404(request, RunGroup.objects.select_related("team"), pk=pk)
    asked = 0
    with transaction.atomic():
        for run in group.runs.filter(cancel_requested_at=None).exclude(state__in=Run.ENDED):
            Run.objects.filter(pk=run.pk).update(cancel_requested_at=timezone.now())
            run.record("cancelling", by=request.user.get_full_name())  # type: ignore[union-attr]
            dispatch("workers.advance", run.pk)
            asked += 1
    if asked:
        messages.success(request, f"{asked} {'run is' if asked == 1 else 'runs are'} being cancelled.")
    else:
        messages.info(request, "There is nothing to cancel: every run has ended or is being cancelled already.")
    return redirect("runs:group", pk=group.pk)
