"""Timings on devices: kept, renamed and deleted by those of the team who may edit."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from webapp.devices.forms import LabelForm, TimingForm
from webapp.devices.models import DeviceTiming
from webapp.networks.models import Network
from webapp.networks.page import network_context
from webapp.runs.addresses import RunUrls
from webapp.teams.access import NOT_ALLOWED, editor_required, get_object_or_404


@require_POST
@editor_required
def keep(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Keeps what a browser has measured; answers with the network's panel as it is then, or says what is wrong."""
    rows = Network.objects.select_related("run", "run__dataset", "run__team").defer("run__dataset__report")
    network = get_object_or_404(request, rows, team="run__team", run_id=pk, name=name)
    timing = DeviceTiming(network=network, timed_by=request.user)  # type: ignore[misc]
    form = TimingForm(request.POST, instance=timing)
    if not form.is_valid():
        return JsonResponse({"error": form.sentence()}, status=422)
    form.save()
    return render(request, "devices/_panel.html", network_context(network, RunUrls(network.run)))


@require_POST
@editor_required
def rename(request: HttpRequest, pk: int, name: str, timing: int) -> HttpResponse:
    row = _own(request, pk, name, timing)
    form = LabelForm(request.POST, instance=row)
    if form.is_valid():
        form.save()
        messages.success(request, f"The device is called “{row.label}”.")
    else:
        messages.error(request, "Give the device a name of at most 60 characters.")
    return redirect(_panel(pk, name))


@require_POST
@editor_required
def delete(request: HttpRequest, pk: int, name: str, timing: int) -> HttpResponse:
    row = _own(request, pk, name, timing)
    row.delete()
    messages.success(request, f"The timing on “{row.label}” is deleted.")
    return redirect(_panel(pk, name))


def _own(request: HttpRequest, pk: int, name: str, timing: int) -> DeviceTiming:
    """A row that she may change. Raises Http404 outside her teams, PermissionDenied for another's."""
    rows = DeviceTiming.objects.select_related("network__run__team")
    row = get_object_or_404(request, rows, team="network__run__team", network__run_id=pk, network__name=name, pk=timing)
    if not row.may_be_changed_by(request.membership):  # type: ignore[attr-defined]
        raise PermissionDenied(NOT_ALLOWED)
    return row


def _panel(pk: int, name: str) -> str:
    return f"{reverse('networks:detail', args=[pk, name])}#devices"
