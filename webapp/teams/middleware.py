"""Puts the present team on every request."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from webapp.teams.access import current_membership, is_visit, switch_team


class TeamMiddleware(MiddlewareMixin):
    """Gives the request `membership`: the person's place in the team she is working in, false when there is none.

    It is looked up on first use, so that requests which do not ask cost no query. Whoever visits a page of another of
    her teams works there from then on.
    """

    def process_request(self, request: HttpRequest) -> None:
        request.membership = SimpleLazyObject(lambda: current_membership(request))  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        entered = getattr(request, "entered", None)
        if entered is not None and entered.pk and is_visit(request, response):  # without a key: she has just left
            switch_team(request, entered)
        return response
