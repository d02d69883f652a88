"""What lineage, trade-off and table ask for while somebody explores a run, and what she keeps of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.keeping import kept
from webapp.teams.access import editor_required, get_object_or_404, team_required

from . import kept_tables
from .addresses import RunUrls
from .change_forms import RuleForm
from .chart import chart_data
from .explorer import explorer
from .models import Run, SavedView
from .snapshot import Lineage, metric_label
from .trial import landing, trial_of
from .view import View

MOST_VIEWS = 50  # of one run: a list that can still be read


@require_safe
@team_required
def explore(request: HttpRequest, pk: int) -> HttpResponse:
    """Card and table of another selection."""
    run = run_of(request, pk)
    return explore_response(request, run, RunUrls(run))


def explore_response(request: HttpRequest, run: Run, urls: RunUrls) -> HttpResponse:
    view = View.read(request.GET.dict())
    context = {"run": run, "view": view, "urls": urls.plain(), "readonly": urls.readonly, "metric": metric_label(run)}
    return render(request, "runs/_explore.html", context | explorer(run, trial_of(run, view).lineage, urls, view))


@require_safe
@team_required
def chart(request: HttpRequest, pk: int) -> JsonResponse:
    run = run_of(request, pk)
    return chart_response(request, run, RunUrls(run))


def chart_response(request: HttpRequest, run: Run, urls: RunUrls) -> JsonResponse:
    """All networks, or what changed since event number `after`."""
    asked = request.GET.get("after", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 12 else None
    view = View.read(request.GET.dict())
    data = chart_data(run, urls, trial_of(run, view).lineage, drop=view.drop, after=after)
    return JsonResponse(data, json_dumps_params={"separators": (",", ":")})


@require_safe
@team_required
def pick_one(request: HttpRequest, pk: int) -> HttpResponse:
    """Selects the network that a rule lands on; what is chosen stays as it is."""
    run = run_of(request, pk)
    return pick_response(request, run, RunUrls(run))


def pick_response(request: HttpRequest, run: Run, urls: RunUrls) -> HttpResponse:
    """For scripts {"network", "sentence"}; for a plain form, the page with that network selected."""
    form = RuleForm({"kind": request.GET.get("rule", ""), "value": request.GET.get("value", "")})
    if rule := form.rule() if form.is_valid() else None:
        network, sentence = landing(run, Lineage.of(run), rule)
    else:
        network, sentence = None, form.problem() or "Say by which rule."
    if request.headers.get("accept", "").startswith("application/json"):
        return JsonResponse({"network": network.name if network else None, "sentence": sentence})
    messages.add_message(request, messages.SUCCESS if network else messages.WARNING, sentence)
    changes: dict[str, Any] = {"network": network.name, "against": ""} if network else {}
    query = View.read(request.GET.dict()).query(**changes)
    return redirect(f"{urls.get('page')}{query}#run-card")


@require_safe
@team_required
def table(request: HttpRequest, pk: int, table: str, kind: str) -> HttpResponse:
    """A table of the run's page, to keep."""
    return table_response(request, run_of(request, pk), table, kind)


def table_response(request: HttpRequest, run: Run, table: str, kind: str) -> HttpResponse:
    found = kept_tables.of_run(run, table, View.read(request.GET.dict()))
    return kept(found, kind, f"{table}-{run.pk}")


@require_POST
@editor_required
def save_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Keeps the view in the posted query under a name; the same name again changes what it shows."""
    run = run_of(request, pk)
    name = " ".join(request.POST.get("name", "").split())[:60]
    query = View.read(QueryDict(request.POST.get("query", "")[:4000].removeprefix("?")).dict()).query()
    if not name:
        messages.error(request, "Give the view a name.")
    elif run.saved_views.exclude(name=name).count() >= MOST_VIEWS:
        messages.error(request, f"A run keeps {MOST_VIEWS} views at most: delete one first.")
    else:
        who = request.user if request.user.is_authenticated else None
        SavedView.objects.update_or_create(run=run, name=name, defaults={"query": query, "created_by": who})
        messages.success(request, f"The view “{name}” is kept for the team.")
    return redirect(f"{RunUrls(run).get('page')}{query}")


@require_POST
@editor_required
def delete_view(request: HttpRequest, pk: int, view: int) -> HttpResponse:
    row = get_object_or_404(
        request, SavedView.objects.select_related("run__team"), team="run__team", run_id=pk, pk=view
    )
    row.delete()
    messages.success(request, f"The view “{row.name}” is deleted.")
    return redirect("runs:detail", pk=pk)


def run_of(request: HttpRequest, pk: int) -> Run:
    runs = Run.objects.select_related("dataset", "team", "chosen", "group", "cloned_from__dataset")
    return get_object_or_404(request, runs.defer("dataset__report", "cloned_from__dataset__report"), pk=pk)
