"""What every page knows about the person, her team and where she is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

SECTIONS = {"runs": "runs", "networks": "runs", "live": "runs", "datasets": "datasets", "teams": "teams"}


def teams(request: HttpRequest) -> dict[str, Any]:
    """`membership`, `team` and `places` (all her memberships, looked up only where a page lists them), `section`."""
    membership = getattr(request, "membership", None)
    match = getattr(request, "resolver_match", None)
    return {
        "membership": membership,
        "team": membership.team if membership else None,
        "places": SimpleLazyObject(lambda: places(request)),
        "section": SECTIONS.get(match.namespace if match else "", ""),
    }


def places(request: HttpRequest) -> list[Any]:
    if not request.user.is_authenticated:
        return []
    return list(request.user.memberships.select_related("team").order_by("team__name", "team_id"))
