"""A run's share links, made and revoked by its team's editors."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from webapp.runs.models import Run
from webapp.sharing.models import ShareLink
from webapp.teams.access import editor_required, get_object_or_404, team_required
from webapp.teams.owner import absolute


@never_cache
@require_safe
@team_required
def links(request: HttpRequest, pk: int) -> HttpResponse:
    """The run's links. Only who may make and revoke them sees them: a link gives more than a viewer has to give."""
    run = get_object_or_404(request, Run.objects.select_related("dataset").defer("dataset__report"), pk=pk)
    rows = list(run.share_links.select_related("created_by"))
    may_share = request.membership.can_edit  # type: ignore[attr-defined]
    shown = [(link, absolute("sharing:page", link.token, request)) for link in rows if link.revoked_at is None]
    context = {
        "run": run,
        "section": "runs",
        "links": shown if may_share else [],
        "number": len(shown),
        "revoked": [link for link in rows if link.revoked_at is not None] if may_share else [],
    }
    return render(request, "sharing/links.html", context)


@require_POST
@editor_required
def create(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(request, Run, pk=pk)
    shows_images = "images" in request.POST
    link = ShareLink.objects.create(run=run, created_by=request.user, shows_images=shows_images)  # type: ignore[misc]
    return redirect(f"{reverse('sharing:run', args=[run.pk])}#link-{link.pk}")


@require_POST
@editor_required
def revoke(request: HttpRequest, pk: int, link: int) -> HttpResponse:
    row = get_object_or_404(request, ShareLink.objects.select_related("run"), team="run__team", run_id=pk, pk=link)
    row.revoke()
    messages.success(request, "The link is revoked: it opens nothing any more.")
    return redirect("sharing:run", pk=pk)
