"""Networks and weights that a team brings: its list, adding one, waiting for its inspection, forgetting it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from webapp.keeping import Addresses, Table, kept
from webapp.teams.access import editor_required, get_object_or_404, switch_team, team_required
from webapp.uploads.models import Upload, UploadError
from webapp.uploads.received import announced, forget, received_files

from . import bases
from .models import BaseFile


@require_safe
@team_required
def base_list(request: HttpRequest) -> HttpResponse:
    files = BaseFile.objects.filter(team=request.team).select_related("created_by")  # type: ignore[attr-defined]
    begun = bases.started_from(request.team)  # type: ignore[attr-defined]
    rows = [{"base": b, "found": bases.described(b), "runs": begun[b.kind, b.sha256]} for b in files]
    tables = Addresses(lambda _, kind: reverse("runs:bases_table", args=[kind]))
    context = {"section": "runs", "rows": rows, "kinds": BaseFile.Kind.choices, "tables": tables}
    if request.membership.can_edit:  # type: ignore[attr-defined]
        context |= {
            "under_way": Upload.under_way(request.team, request.user, Upload.Purpose.BASE),  # type: ignore[attr-defined]
            "max_upload": settings.EUSTRESS_MAX_UPLOAD,
        }
    return render(request, "runs/bases.html", context)


@require_safe
@team_required
def base_table(request: HttpRequest, kind: str) -> HttpResponse:
    """The list, to keep."""
    files = BaseFile.objects.filter(team=request.team)  # type: ignore[attr-defined]
    rows = [
        (b.original_name, b.kind, b.state, b.message or bases.described(b), b.size, b.sha256, b.created_at)
        for b in files
    ]
    return kept(Table(("file", "kind", "state", "found", "bytes", "sha256", "created_at"), rows), kind, "own-networks")


@require_POST
@editor_required
def base_add(request: HttpRequest) -> HttpResponse:
    """Takes one file, of this request or `received` in pieces before; answers JSON to a script that asks for it, else
    goes back to the list."""
    kind, file = request.POST.get("kind", ""), request.FILES.get("file")
    try:
        received = received_files(request, request.POST.getlist("received")[:1])
    except ValueError as error:
        return _refusal(request, str(error))
    file = received[0] if received else file
    if kind not in BaseFile.Kind.values or file is None:
        return _refusal(request, "Choose a file.")
    try:
        base = bases.take(file, kind, request.team, request.user)  # type: ignore[attr-defined]
    except bases.BaseFileError as error:
        forget(received)  # it is no network, and never will be
        return _refusal(request, str(error))
    except UploadError as error:
        return _refusal(request, str(error))
    forget(received)
    switch_team(request, request.membership)  # type: ignore[attr-defined]  # a script shows its list next
    return JsonResponse(bases.base_json(base)) if _wants_json(request) else redirect("runs:bases")


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def _refusal(request: HttpRequest, sentence: str) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"error": sentence}, status=422)
    messages.error(request, sentence)
    return redirect("runs:bases")


@require_POST
@editor_required
def base_check(request: HttpRequest) -> JsonResponse:
    """Whether a file that a script is about to send would be taken, as far as name, size and first bytes tell."""
    try:
        files = announced(request.POST.get("announced", ""))
        if len(files) != 1 or request.POST.get("kind") not in BaseFile.Kind.values:
            raise bases.BaseFileError("Choose a file.")
        bases.check(files[0], request.POST["kind"])
    except bases.BaseFileError as error:
        return JsonResponse({"error": str(error)}, status=422)
    except ValueError:
        return JsonResponse({"error": "This file could not be announced. Reload the page and try again."}, status=422)
    return JsonResponse({})


@require_safe
@team_required
def base_state(request: HttpRequest, pk: int) -> JsonResponse:
    """How far the inspection is, for a page that waits for it."""
    return JsonResponse(bases.base_json(get_object_or_404(request, BaseFile, pk=pk)))


@require_POST
@editor_required
def base_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forgets a file. One that a run still needs stays until that run has ended."""
    with transaction.atomic():
        base = get_object_or_404(request, BaseFile.objects.select_for_update(), pk=pk)
        deleted = bases.delete(base)
    if deleted:
        messages.success(request, f"{base.original_name} is deleted.")
    else:
        messages.error(request, f"{base.original_name} is in use by a run that has not ended.")
    return redirect("runs:bases")
