"""Comparing runs and networks: the page, and what its charts draw. What is compared stands in the address alone."""

from __future__ import annotations

from contextlib import suppress

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.compare.asked import Asked
from webapp.compare.kept_tables import of_comparison
from webapp.compare.page import chart_data, page_context
from webapp.keeping import kept
from webapp.runs.models import Run
from webapp.teams.access import get_object_or_404, team_required


@require_safe
@team_required
def page(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    return render(request, "compare/page.html", page_context(request.team, asked))  # type: ignore[attr-defined]


@require_safe
@team_required
def chart(request: HttpRequest) -> JsonResponse:
    return JsonResponse(chart_data(request.team, _asked(request)))  # type: ignore[attr-defined]


@require_safe
@team_required
def table(request: HttpRequest, table: str, kind: str) -> HttpResponse:
    """A table of the comparison that the address asks for, to keep."""
    asked = _asked(request)
    return kept(of_comparison(request.team, asked, table), kind, f"comparison-{table}")  # type: ignore[attr-defined]


def _asked(request: HttpRequest) -> Asked:
    """What the address asks for. Its first run decides the team, as everywhere; others must be of the same."""
    asked = Asked.read(request.GET)
    with suppress(Http404):
        get_object_or_404(request, Run, pk=asked.things[0][0] if asked.things else None)
    return asked
