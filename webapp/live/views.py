"""Live events of a run, for its team. Share links have views of their own over the same functions."""

from __future__ import annotations

from functools import partial

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from webapp.live import stream
from webapp.live.permission import is_signed_in
from webapp.live.reading import release_connections
from webapp.runs.models import Run
from webapp.teams.access import get_object_or_404, team_required
from webapp.teams.models import Membership


@require_safe
@team_required
async def events(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Server-sent events: `id` is the event's number, `event` its kind, `data` JSON with a sentence for people.

    The stream ends soon after its viewer has left the team or, in that browser, signed out."""
    membership = await sync_to_async(_may_watch)(request, pk)
    return stream.event_stream(request, pk, partial(_may_still, membership, request.session.session_key))


def _may_watch(request: HttpRequest, pk: int) -> int:
    """The number of the membership by which this person may watch."""
    try:
        get_object_or_404(request, Run, pk=pk)
        return request.membership.pk  # type: ignore[attr-defined]
    finally:
        release_connections()


def _may_still(membership: int, session_key: str | None) -> bool:
    """Whether who watches by this membership, signed in by this session, may go on."""
    member = Membership.objects.select_related("user").filter(pk=membership, user__is_active=True).first()
    return member is not None and is_signed_in(member.user, session_key)


@require_safe
@team_required
def events_json(request: HttpRequest, pk: int) -> JsonResponse:
    """The fallback: what happened after `?after=N`."""
    get_object_or_404(request, Run, pk=pk)
    return stream.events_json(request, pk)
