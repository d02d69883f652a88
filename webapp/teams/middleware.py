"""Puts the present team on every request."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from webapp.teams.access import current_membership


class TeamMiddleware(MiddlewareMixin):
    """Gives the request `membership`: the person's place in the team she is working in, false when there is none.

    It is looked up on first use, so that requests which do not ask cost no query.
    """

    def process_request(self, request: HttpRequest) -> None:
        request.membership = SimpleLazyObject(lambda: current_membership(request))  # type: ignore[attr-defined]
