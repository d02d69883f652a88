"""What every request passes that has to do with where it was sent to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware import common

HEALTH = "/healthz"


class CommonMiddleware(common.CommonMiddleware):
    """Django's, which refuses hosts that are not allowed; only whether we are well is told to any of them.

    A load balancer asks by an address that nobody listed. What it is told holds nothing of its question, so there is
    nothing that a made-up host name could plant in it.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info == HEALTH else super().process_request(request)
