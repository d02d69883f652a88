"""The whole log of a run, to keep."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from webapp.teams.access import get_object_or_404, team_required

from .log_file import log_response
from .models import Run


@require_safe
@team_required
def text(request: HttpRequest, pk: int) -> HttpResponseBase:
    return log_response(request, get_object_or_404(request, Run, pk=pk), "txt")


@require_safe
@team_required
def as_json(request: HttpRequest, pk: int) -> HttpResponseBase:
    return log_response(request, get_object_or_404(request, Run, pk=pk), "json")
