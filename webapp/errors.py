"""Pages for when something is wrong, in the house's own look. They need neither the database nor a session."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "400.html", status=400)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was too old or came from elsewhere; the reason is for the log, not for the page."""
    return render(request, "403_csrf.html", status=403)
