"""Networks and weights that a team brings: its list, adding one, waiting for its inspection, forgetting it."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from webapp.keeping import Addresses, Table, kept
from webapp.teams.access import editor_required, get_object_or_404, team_required

from . import bases
from .models import BaseFile, Run


@require_safe
@team_required
def base_list(request: HttpRequest) -> HttpResponse:
    files = BaseFile.objects.filter(team=request.team).select_related("created_by")  # type: ignore[attr-defined]
    rows = [{"base": base, "found": bases.described(base)} for base in files]
    tables = Addresses(lambda _, kind: reverse("runs:bases_table", args=[kind]))
    context = {"section": "runs", "rows": rows, "kinds": BaseFile.Kind.choices, "tables": tables}
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
