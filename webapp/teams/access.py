"""Who may see and do what: the one policy for pages, endpoints and streams.

Everything belongs to a team. For who is not a member a thing does not exist (404, never 403); a member who may
only look gets 403 when she tries to change something. The thing decides the team: a link to another of the
person's own teams works, switches to that team, and is judged by her role *there*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from webapp.teams.models import Membership

SESSION_KEY = "team"
DATA = ("application/json", "text/event-stream")  # what only scripts ask for
HOW = {"table", "kind"}  # parameters that say what of the team's is shown and how, not whose
NOT_ALLOWED = "Your role in this team does not allow that."
NOT_HERS = "This page belongs to a team that you are not in, or not any more. Nothing was changed."
Row = TypeVar("Row", bound=Model)
View = Callable[..., Any]


def current_membership(request: HttpRequest) -> Membership | None:
    """The place in the team chosen last in this session, or else the first; None without any team."""
    if not request.user.is_authenticated:
        return None
    memberships = {row.team_id: row for row in request.user.memberships.select_related("team")}
    chosen = memberships.get(request.session.get(SESSION_KEY, -1))
    return chosen or next(iter(memberships.values()), None)


def switch_team(request: HttpRequest, membership: Membership) -> None:
    """Makes this the team that the person works in, now and in the rest of her session."""
    request.membership = membership  # type: ignore[attr-defined]
    if request.session.get(SESSION_KEY) != membership.team_id:
        request.session[SESSION_KEY] = membership.team_id


def own_membership(request: HttpRequest, team: str) -> Membership | None:
    """The person's place in the team of this number, as a form sends it; None if it is none of hers."""
    rows = request.user.memberships.select_related("team")  # type: ignore[union-attr]
    return next((row for row in rows if str(row.team_id) == team), None)


def enter(request: HttpRequest, membership: Membership) -> None:
    """Judges the rest of the request by this place. Her session follows if the answer shows a page: see
    :func:`is_visit`."""
    request.membership = request.entered = membership  # type: ignore[attr-defined]
    request.team = membership.team  # type: ignore[attr-defined]


def is_visit(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a person went somewhere: to a whole page, or by a form that leads on to one. Fragments, figures, files,
    streams, and pages that a script fetches, are the doings of a page that was open already."""
    by_script = "x-requested-with" in request.headers or getattr(request, "htmx", False)
    if by_script or request.headers.get("sec-fetch-mode", "navigate") != "navigate":
        return False
    if 300 <= response.status_code < 400:
        return True
    is_html = response.get("Content-Type", "").startswith("text/html")
    return is_html and isinstance(response, HttpResponse) and response.content[:200].lstrip().startswith(b"<!doctype")


def team_required(view: View) -> View:
    """For members: the view finds `request.team` and `request.membership`. Works for async views too."""
    return _guard(view, lambda membership: True)


def editor_required(view: View) -> View:
    """For members who may change things: everybody but viewers."""
    return _guard(view, lambda membership: membership.can_edit)


def manager_required(view: View) -> View:
    """For members who run the team: its owners and admins."""
    return _guard(view, lambda membership: membership.can_manage)


def get_object_or_404(
    request: HttpRequest, source: type[Row] | QuerySet[Row], *, team: str = "team", **lookup: Any
) -> Row:
    """The one row that matches and belongs to a team of this person; `team` is the path to it, as "run__team".

    Raises Http404 for what is not there and for what is not hers alike; PermissionDenied when the view's
    decorator asks for more than her role in the row's own team allows.
    """
    rows = source._default_manager.all() if isinstance(source, type) else source
    memberships = {row.team_id: row for row in request.user.memberships.select_related("team")}  # type: ignore[union-attr]
    row = rows.filter(**{f"{team}__in": list(memberships)}, **lookup).first()
    if row is None:
        raise Http404("There is no such thing, or it belongs to another team.")
    owner: Any = row
    for step in team.split("__"):
        owner = getattr(owner, step)
    membership = memberships[owner.pk]
    allowed = getattr(request, "allowed", None)
    if allowed is not None and not allowed(membership):
        raise PermissionDenied(NOT_ALLOWED)
    if membership.team_id != request.membership.team_id:  # type: ignore[attr-defined]
        enter(request, membership)
    request.team = membership.team  # type: ignore[attr-defined]
    return row


aget_object_or_404 = sync_to_async(get_object_or_404)


def _guard(view: View, allowed: Callable[[Membership], bool]) -> View:
    """Wraps a view. One without parameters, or with none but those that say HOW, is judged at once by the team that the
    request names, or else the present one. One with others is about a row: it must ask get_object_or_404 for it, which
    judges by the row's team and only then puts `team` on the request.
    """

    def refusal(request: HttpRequest, names_a_row: bool) -> HttpResponseBase | None:
        """Answers whoever may not pass; None lets the request through."""
        if not request.user.is_authenticated:
            return ask_to_sign_in(request)
        membership = request.membership  # type: ignore[attr-defined]
        if not membership:
            return render(request, "teams/none.html", status=403)
        request.allowed = allowed  # type: ignore[attr-defined]
        if not names_a_row:
            named = request.POST.get("team") or request.GET.get("team") or str(membership.team_id)
            if named != str(membership.team_id):
                membership = own_membership(request, named)
                if membership is None:
                    return _not_hers(request)
                enter(request, membership)
            if not allowed(membership):
                raise PermissionDenied(NOT_ALLOWED)
            request.team = membership.team  # type: ignore[attr-defined]
        return None

    if iscoroutinefunction(view):

        @wraps(view)
        async def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return await sync_to_async(refusal)(request, bool(kwargs.keys() - HOW)) or await view(
                request, *args, **kwargs
            )

    else:

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return refusal(request, bool(kwargs.keys() - HOW)) or view(request, *args, **kwargs)

    guarded.access_checked = True  # type: ignore[attr-defined]  # the isolation test looks for it on every route
    return guarded


def _not_hers(request: HttpRequest) -> HttpResponse:
    """Alike for a team that is not hers and one that never was."""
    if _wants_json(request):
        return JsonResponse({"error": NOT_HERS}, status=404)
    return render(request, "teams/not_hers.html", {"sentence": NOT_HERS}, status=404)


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Sends pages to the sign-in form and back; tells scripts plainly, so that they can say what happened and where
    one signs in: a script would follow a redirect and take the form for what it asked for."""
    by_script = getattr(request, "htmx", False) or request.headers.get("x-requested-with") == "fetch"
    if by_script or request.headers.get("accept", "").startswith(DATA):
        address = resolve_url("account_login")
        return JsonResponse({"error": "Please sign in."}, status=401, headers={"X-Sign-In": address})
    return redirect_to_login(_way_back(request))


def _way_back(request: HttpRequest) -> str:
    """Where to go on after signing in: to the page that was asked for, or to the one from which something was sent,
    which was not done."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    sender = request.headers.get("referer", "")
    if not url_has_allowed_host_and_scheme(sender, {request.get_host()}):
        return "/"
    page = urlsplit(sender)._replace(scheme="", netloc="", fragment="").geturl()
    return page if url_has_allowed_host_and_scheme(page, None) else "/"


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "").startswith("application/json")
