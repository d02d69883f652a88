"""Runs: the list, the page of one, and what can be done to it."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from webapp.datasets.models import Dataset
from webapp.keeping import Addresses, kept
from webapp.teams.access import editor_required, team_required

from . import list_view, listing, page
from .addresses import RunUrls
from .deleting import delete_run
from .explore_views import run_of
from .lineage_file import lineage_json
from .list_view import COLUMNS, ListView
from .measures import MOST_COMPARED
from .models import Run
from .ordered import headings, orders

_LIST_PAGE = 25
_LOG_PAGE = 200


@require_safe
@team_required
def run_list(request: HttpRequest) -> HttpResponse:
    view = ListView.read(request.GET.dict())
    team = request.team  # type: ignore[attr-defined]
    shown = Paginator(list_view.runs_of(team, view), _LIST_PAGE).get_page(view.page)
    rows = listing.rows(shown.object_list, folded=view.is_folded)
    here = {row["run"].pk for row in rows if not row["sweep"]}
    ticked = list_view.ticked(team, view)
    context = {
        "section": "runs",
        "rows": rows,
        "page": shown,
        "newer": view.query(page=shown.number - 1),
        "older": view.query(page=shown.number + 1),
        "view": view,
        "headings": headings(view, COLUMNS, view.sort),
        "orders": orders(COLUMNS, view.sort),
        "tables": Addresses(lambda _, kind: reverse("runs:list_table", args=[kind]) + view.query()),
        "states": Run.State.choices,
        "ticked": {run.pk for run in ticked},
        "unticked": view.query(page=shown.number, compare=()),
        "elsewhere": [run for run in ticked if run.pk not in here],
        "most": MOST_COMPARED,
    }
    if not shown.object_list:  # the next step depends on it
        context["has_data"] = Dataset.objects.filter(team=request.team, state=Dataset.State.READY).exists()  # type: ignore[attr-defined]
    return render(request, "runs/list.html", context)


@require_safe
@team_required
def run_table(request: HttpRequest, kind: str) -> HttpResponse:
    """The list as the address narrows and orders it, to keep."""
    table = list_view.kept_runs(request.team, ListView.read(request.GET.dict()))  # type: ignore[attr-defined]
    return kept(table, kind, "runs")


@require_safe
@team_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_of(request, pk)
    context = page.run_context(run, RunUrls(run), request.GET.dict())
    return render(request, "runs/detail.html", {**context, "section": "runs"})


@require_safe
@team_required
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The page's changing parts, for a page that is open."""
    run = run_of(request, pk)
    return render(request, "runs/_live.html", page.run_context(run, RunUrls(run), request.GET.dict()))


@require_safe
@team_required
def curves(request: HttpRequest, pk: int) -> HttpResponse:
    """The learning curves alone, for a page on which another network was selected."""
    run = run_of(request, pk)
    return render(request, "runs/_curves.html", page.curves(run, RunUrls(run), request.GET.dict()))


@require_safe
@team_required
def log(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole log, newest first, paged by event number."""
    run = run_of(request, pk)
    return render(
        request, "runs/log.html", {**log_context(run, RunUrls(run), request.GET.get("before")), "section": "runs"}
    )


def log_context(run: Run, urls: RunUrls, before: str | None) -> dict[str, object]:
    number = int(before) if before and before.isascii() and before.isdigit() and len(before) < 12 else None
    events = page.log(run, _LOG_PAGE, number)
    older = events[-1]["number"] if len(events) == _LOG_PAGE else None
    return {"run": run, "urls": urls.plain(), "readonly": urls.readonly, "events": events, "older": older}


@require_safe
@team_required
def lineage(request: HttpRequest, pk: int) -> JsonResponse:
    """lineage.json, to keep: the same file that the command line writes."""
    return lineage_response(run_of(request, pk))


def lineage_response(run: Run) -> JsonResponse:
    response = JsonResponse(lineage_json(run), json_dumps_params={"indent": 1})
    response["Content-Disposition"] = f'attachment; filename="lineage-{run.pk}.json"'
    return response


@require_POST
@editor_required
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Deletes a run that has ended, with its networks; one that goes on has to be cancelled first."""
    run = run_of(request, pk)
    if not delete_run(run.pk):
        messages.error(request, f"{run} has not ended: cancel it first.")
        return redirect("runs:detail", pk=run.pk)
    messages.success(request, f"{run} is deleted, its networks too.")
    return redirect("runs:list")
