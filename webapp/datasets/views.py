"""Data sets."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from webapp.teams.access import team_required


@team_required
def dataset_list(request: HttpRequest) -> HttpResponse:
    return render(request, "datasets/list.html")
