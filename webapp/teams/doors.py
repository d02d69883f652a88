"""Views behind one-time links: joining a team by invitation, signing in without a password, the first owner."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from webapp.teams.access import switch_team
from webapp.teams.forms import AccountForm, FirstOwnerForm
from webapp.teams.models import Invitation, Membership, SignInLink, User
from webapp.teams.owner import home_team, owners

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def closed(request: HttpRequest, kind: str) -> HttpResponse:
    """A link that was used, is over, or never was: all look alike, so that nobody learns which."""
    return render(request, "account/link_closed.html", {"kind": kind}, status=410)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Opens an invitation. Its link is good for one address: a new person makes her account, a known one signs in."""
    invitation = Invitation.find(token)
    if invitation is None or not invitation.is_open:
        return closed(request, "invitation")
    known = User.objects.filter(email__iexact=invitation.email).first()
    if request.user.is_authenticated and request.user == known:
        return _join_as_known(request, invitation)
    if request.user.is_authenticated or known is not None:
        return render(request, "account/join_sign_in.html", {"invitation": invitation})
    form = AccountForm(request.POST or None, fixed_email=invitation.email)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            if not invitation.hold():  # a button pressed twice: the other press made the account
                return closed(request, "invitation")
            user = form.save()
            membership = invitation.accept(user)
        return _enter(request, user, membership)
    status = 422 if form.is_bound else 200
    return render(request, "account/join_new.html", {"invitation": invitation, "form": form}, status=status)


def _join_as_known(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    if request.method != "POST":
        return render(request, "account/join_known.html", {"invitation": invitation})
    membership = invitation.accept(request.user)  # type: ignore[arg-type]
    if membership is None:
        return closed(request, "invitation")
    switch_team(request, membership)
    messages.success(request, f"Welcome to {membership.team}.")
    return redirect("home")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Opens a one-time sign-in link. Only a POST spends it: what fetches links to preview them must not."""
    link = SignInLink.find(token)
    if link is None or not link.is_open or (link.user and not link.user.is_active):
        return closed(request, "sign-in")
    if link.user is None:
        return _first_owner(request, link)
    if request.method == "POST":
        if not link.use():
            return closed(request, "sign-in")
        return _enter(request, link.user, None)
    return render(request, "account/sign_in_link.html", {"link": link})


def _first_owner(request: HttpRequest, link: SignInLink) -> HttpResponse:
    if owners():
        return closed(request, "sign-in")
    form = FirstOwnerForm(request.POST or None, initial={"team": home_team().name})
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            if not link.use():
                return closed(request, "sign-in")
            user = form.save()
            team = home_team()
            team.name = form.cleaned_data["team"]
            team.save(update_fields=["name"])
            membership = Membership.objects.create(team=team, user=user, role=Membership.Role.OWNER)
        return _enter(request, user, membership)
    return render(request, "account/first_owner.html", {"form": form}, status=422 if form.is_bound else 200)


def _enter(request: HttpRequest, user: User, membership: Membership | None) -> HttpResponse:
    login(request, user, backend=BACKEND)  # flushes another person's session, renews the key
    if membership is not None:
        switch_team(request, membership)
    return redirect("home")
