"""What a share link opens, without any account: one run's pages, read-only. Every view below gets the link, not an id,
so that nothing outside its run can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_safe

from webapp.live import stream
from webapp.live.reading import release_connections
from webapp.networks.downloads import download_response
from webapp.networks.inside_files import filters_response, question_response
from webapp.networks.kept_tables import network_table_response
from webapp.networks.models import Network
from webapp.networks.page import network_context
from webapp.networks.predictions import picture_response
from webapp.runs import explore_views, page
from webapp.runs.log_file import log_response
from webapp.runs.views import lineage_response, log_context
from webapp.sharing.addresses import SharedUrls
from webapp.sharing.models import ShareLink

View = Callable[..., Any]


def shared(view: View) -> View:
    """Turns the token into its open link. Unknown tokens are 404, revoked links 410 with a page that says so."""

    def find(token: str) -> ShareLink:
        link = ShareLink.find(token)
        if link is None:
            raise Http404("There is no such link.")
        if link.revoked_at is None:
            link.seen()
        return link

    if iscoroutinefunction(view):

        @require_safe
        @wraps(view)
        async def opened(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            link = await sync_to_async(_released)(find, token)
            if link.revoked_at is not None:
                return HttpResponse(status=410)
            return discreet(await view(request, link, *args, **kwargs))

    else:

        @require_safe
        @wraps(view)
        def opened(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            link = find(token)
            if link.revoked_at is not None:
                return discreet(render(request, "sharing/revoked.html", status=410))
            return discreet(view(request, link, *args, **kwargs))

    opened.share_link_checked = True  # type: ignore[attr-defined]  # the isolation test looks for it on every route
    return opened


def discreet(response: HttpResponseBase) -> HttpResponseBase:
    """The address itself is the key: no search engine, no other site and no cache should keep it."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    if not response.streaming:
        add_never_cache_headers(response)
    return response


def _released(function: Callable[..., Any], *args: Any) -> Any:
    """Asks the database once and gives the connection back: a stream that waits must hold none."""
    try:
        return function(*args)
    finally:
        release_connections()


@shared
def run_page(request: HttpRequest, link: ShareLink) -> HttpResponse:
    return render(request, "sharing/run.html", page.run_context(link.run, SharedUrls(link), request.GET.dict()))


@shared
def live(request: HttpRequest, link: ShareLink) -> HttpResponse:
    return render(request, "runs/_live.html", page.run_context(link.run, SharedUrls(link), request.GET.dict()))


@shared
def curves(request: HttpRequest, link: ShareLink) -> HttpResponse:
    context = page.curves(link.run, SharedUrls(link), request.GET.dict())
    return render(request, "runs/_curves.html", context)


@shared
def chart(request: HttpRequest, link: ShareLink) -> JsonResponse:
    return explore_views.chart_response(request, link.run, SharedUrls(link))


@shared
def explore(request: HttpRequest, link: ShareLink) -> HttpResponse:
    return explore_views.explore_response(request, link.run, SharedUrls(link))


@shared
def pick(request: HttpRequest, link: ShareLink) -> HttpResponse:
    return explore_views.pick_response(request, link.run, SharedUrls(link))


@shared
def table(request: HttpRequest, link: ShareLink, table: str, kind: str) -> HttpResponse:
    return explore_views.table_response(request, link.run, table, kind)


@shared
def lineage(request: HttpRequest, link: ShareLink) -> JsonResponse:
    return lineage_response(link.run)


@shared
def log(request: HttpRequest, link: ShareLink) -> HttpResponse:
    return render(request, "sharing/log.html", log_context(link.run, SharedUrls(link), request.GET.get("before")))


@shared
def log_text(request: HttpRequest, link: ShareLink) -> HttpResponseBase:
    return log_response(request, link.run, "txt")


@shared
def log_json(request: HttpRequest, link: ShareLink) -> HttpResponseBase:
    return log_response(request, link.run, "json")


@shared
async def events(request: HttpRequest, link: ShareLink) -> HttpResponseBase:
    """The run's events as they happen; the stream ends soon after the link is revoked."""
    still_open = ShareLink.objects.filter(pk=link.pk, revoked_at=None).exists
    return stream.event_stream(request, link.run_id, still_open)


@shared
def events_json(request: HttpRequest, link: ShareLink) -> JsonResponse:
    return stream.events_json(request, link.run_id)


@shared
def network(request: HttpRequest, link: ShareLink, name: str) -> HttpResponse:
    context = network_context(_network(link, name), SharedUrls(link), request.GET.dict())
    template = "networks/_network.html" if request.GET.get("part") == "live" else "sharing/network.html"
    return render(request, template, context)


@shared
def network_table(request: HttpRequest, link: ShareLink, name: str, table: str, kind: str) -> HttpResponse:
    if table == "disagreements":
        _showing_images(link)
    return network_table_response(request, _network(link, name), table, kind)


@shared
def picture(request: HttpRequest, link: ShareLink, number: int) -> HttpResponse:
    return picture_response(_showing_images(link).run, number)


@shared
def question(request: HttpRequest, link: ShareLink, number: int) -> HttpResponse:
    return question_response(_showing_images(link).run, number)


@shared
def filters(request: HttpRequest, link: ShareLink, name: str) -> HttpResponse:
    return filters_response(_network(link, name))


@shared
def download(request: HttpRequest, link: ShareLink, name: str, kind: str) -> HttpResponseBase:
    return download_response(request, _network(link, name), kind)


def _showing_images(link: ShareLink) -> ShareLink:
    if not link.shows_images:
        raise Http404("This link shows no images of the data set.")
    return link


def _network(link: ShareLink, name: str) -> Network:
    rows = Network.objects.select_related("run", "run__dataset", "run__team").defer("run__dataset__report")
    network = rows.filter(run=link.run, name=name).first()
    if network is None:
        raise Http404("This run has no such network.")
    return network
