"""A network: its page, and taking it away."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.dispatch import dispatch
from webapp.networks.downloads import download_response
from webapp.networks.inside_files import filters_response, question_response
from webapp.networks.kept_tables import network_table_response
from webapp.networks.models import Network
from webapp.networks.page import network_context
from webapp.networks.predictions import picture_response
from webapp.runs.addresses import RunUrls
from webapp.runs.models import Run
from webapp.runs.snapshot import ANCESTOR
from webapp.teams.access import editor_required, get_object_or_404, team_required


@require_safe
@team_required
def detail(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    network = _network(request, pk, name)
    context = network_context(network, RunUrls(network.run), request.GET.dict())
    template = "networks/_network.html" if request.GET.get("part") == "live" else "networks/detail.html"
    return render(request, template, {**context, "section": "runs"})


@require_safe
@team_required
def table(request: HttpRequest, pk: int, name: str, table: str, kind: str) -> HttpResponse:
    """A table of the network's page, to keep."""
    return network_table_response(request, _network(request, pk, name), table, kind)


@require_safe
@team_required
def download(request: HttpRequest, pk: int, name: str, kind: str) -> HttpResponseBase:
    return download_response(request, _network(request, pk, name), kind)


@require_safe
@team_required
def picture(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One of the run's validation pictures."""
    return picture_response(get_object_or_404(request, Run, pk=pk), number)


@require_safe
@team_required
def question(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One of the validation images that the run's classifiers are asked about."""
    return question_response(get_object_or_404(request, Run, pk=pk), number)


@require_safe
@team_required
def filters(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """A network's first filters, as one picture."""
    return filters_response(_network(request, pk, name))


@require_POST
@editor_required
def look(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Asks a worker to look inside the network, and inside its ancestor where nobody has; asking twice does it once."""
    network = _network(request, pk, name)
    both = Network.objects.filter(run=pk, name__in=[network.name, ANCESTOR], state=Network.State.MEASURED)
    asked = list(both.exclude(inside_state__in=[Network.Made.REQUESTED, Network.Made.READY]).order_by("pk"))
    for one in asked:
        Network.objects.filter(pk=one.pk).update(inside_state=Network.Made.REQUESTED, inside_message="")
        dispatch("workers.look_inside", one.pk)
    if asked:
        messages.success(request, "A worker is looking inside; this page shows it as soon as it is done.")
    return redirect("networks:detail", pk=pk, name=name)


@require_POST
@editor_required
def export(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Asks a worker for the network's ONNX form; asking twice makes it once."""
    network = _network(request, pk, name)
    idle = [Network.OnnxState.NONE, Network.OnnxState.FAILED]
    asked = Network.objects.filter(pk=network.pk, state=Network.State.MEASURED, onnx_state__in=idle)
    if asked.update(onnx_state=Network.OnnxState.REQUESTED, onnx_message=""):
        dispatch("workers.export_onnx", network.pk)
        messages.success(request, "The ONNX form is being made.")
    return redirect("networks:detail", pk=pk, name=name)


@require_POST
@editor_required
def measure(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Asks a worker how good the network's ONNX form is; asking twice measures it once."""
    network = _network(request, pk, name)
    idle = Network.objects.filter(pk=network.pk, onnx_state=Network.Made.READY).exclude(
        onnx_figures_state__in=[Network.Made.REQUESTED, Network.Made.READY]
    )
    if idle.update(onnx_figures_state=Network.Made.REQUESTED, onnx_figures_message=""):
        dispatch("workers.measure_onnx", network.pk)
        messages.success(request, "The ONNX form is being measured.")
    return redirect("networks:detail", pk=pk, name=name)


@require_POST
@editor_required
def quantize(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Asks a worker for the ONNX form in 8-bit integers; asking twice makes it once."""
    network = _network(request, pk, name)
    idle = (
        Network.objects.filter(pk=network.pk, onnx_state=Network.Made.READY)
        .exclude(onnx="")
        .exclude(int8_state__in=[Network.Made.REQUESTED, Network.Made.READY])
    )
    if idle.update(int8_state=Network.Made.REQUESTED, int8_message=""):
        dispatch("workers.quantize", network.pk)
        messages.success(request, "The form in 8-bit integers is being made and measured.")
    return redirect("networks:detail", pk=pk, name=name)


def _network(request: HttpRequest, pk: int, name: str) -> Network:
    rows = Network.objects.select_related("run", "run__dataset", "run__team").defer("run__dataset__report")
    return get_object_or_404(request, rows, team="run__team", run_id=pk, name=name)
