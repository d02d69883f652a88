"""What every request passes on its way in, and every answer on its way out."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware import common, gzip

HEALTH = "/healthz"
TEXTS = ("text/html", "text/csv", "text/plain", "application/json")


class CommonMiddleware(common.CommonMiddleware):
    """Django's, which refuses hosts that are not allowed; only whether we are well is told to any of them.

    A load balancer asks by an address that nobody listed. What it is told holds nothing of its question, so there is
    nothing that a made-up host name could plant in it.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info == HEALTH else super().process_request(request)


class GZipMiddleware(gzip.GZipMiddleware):
    """Django's, for pages, fragments and tables only. Streams pass as they are: events must leave at once, and the
    weights of a network do not shrink. (Against BREACH, Django masks its tokens and pads each answer by chance.)"""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.get("Content-Type", "").partition(";")[0]
        return response if response.streaming or kind not in TEXTS else super().process_response(request, response)
