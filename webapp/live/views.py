"""Live events of a run, for its team. Share links have views of their own over the same functions."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from webapp.live import stream
from webapp.live.reading import release_connections
from webapp.runs.models import Run
from webapp.teams.access import get_object_or_404, team_required
from webapp.teams.models import Membership


@require_safe
@team_required
async def events(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Server-sent events: `id` is the event's number, `event` its kind, `data` JSON with a sentence for people."""
    membership = await sync_to_async(_may_watch)(request, pk)
    still_member = Membership.objects.filter(pk=membership, user__is_active=True).exists
    return stream.event_stream(request, pk, still_member)


def _may_watch(request: HttpRequest, pk: int) -> int:
    """The number of the membership by which this person may watch."""
    try:
        get_object_or_404(request, Run, pk=pk)
        return request.membership.pk  # type: ignore[attr-defined]
    finally:
        release_connections()


@require_safe
@team_required
def events_json(request: HttpRequest, pk: int) -> JsonResponse:
    """The fallback: what happened after `?after=N`."""
    get_object_or_404(request, Run, pk=pk)
    return stream.events_json(request, pk)
