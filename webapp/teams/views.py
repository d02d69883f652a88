"""The team: its name, its members, its invitations; and the teams of a person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.teams.access import (
    ask_to_sign_in,
    get_object_or_404,
    manager_required,
    own_membership,
    switch_team,
    team_required,
)
from webapp.teams.forms import ROLES, InvitationForm, TeamForm
from webapp.teams.models import Invitation, Membership, Team
from webapp.teams.owner import absolute


def team_page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    me: Membership = request.membership  # type: ignore[attr-defined]
    members = me.team.memberships.select_related("user").order_by("joined_at", "pk")
    context.setdefault("invitation_form", InvitationForm(inviter=me))
    context.setdefault("team_form", TeamForm(instance=me.team))
    context |= {
        "members": [(member, me.can_change(member)) for member in members],
        "roles": [(role, ROLES[Membership.Role(role)].split(":")[0]) for role in me.roles_to_give()],
        "invitations": Invitation.pending(me.team) if me.can_manage else [],
        "may_leave": not me.is_owner or me.team.has_other_owner(me.user),
    }
    return render(request, "teams/detail.html", context, status=status)


@require_safe
@team_required
def detail(request: HttpRequest) -> HttpResponse:
    return team_page(request)


@require_POST
@manager_required
def rename(request: HttpRequest) -> HttpResponse:
    form = TeamForm(request.POST, instance=Team.objects.get(pk=request.team.pk))  # type: ignore[attr-defined]
    if not form.is_valid():
        return team_page(request, team_form=form, status=422)
    form.save()
    return redirect("teams:detail")


@require_POST
@manager_required
def invite(request: HttpRequest) -> HttpResponse:
    """Makes an invitation and shows its link, this once. A newer invitation of the same address replaces the older."""
    me: Membership = request.membership  # type: ignore[attr-defined]
    form = InvitationForm(request.POST, inviter=me)
    if not form.is_valid():
        return team_page(request, invitation_form=form, status=422)
    email, role = form.cleaned_data["email"], form.cleaned_data["role"]
    with transaction.atomic():
        # As she is now, and so until the link is made: whoever removes her meanwhile finds the link, and closes it.
        now = Membership.objects.select_for_update().filter(pk=me.pk).first()
        if now is None or role not in now.roles_to_give():
            raise PermissionDenied
        Invitation.pending(me.team).filter(email=email).delete()
        invitation, token = Invitation.issue(team=me.team, email=email, role=role, created_by=me.user)
    response = team_page(request, made=invitation, made_link=absolute("join", token, request))
    add_never_cache_headers(response)  # the link is shown once
    return response


@require_POST
@manager_required
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    invitation = get_object_or_404(request, Invitation, pk=pk, used_at=None)
    invitation.delete()
    messages.success(request, f"The invitation of {invitation.email} is withdrawn; its link opens nothing now.")
    return redirect("teams:detail")


@require_POST
@manager_required
def change_role(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(request, Membership, pk=pk)
    role = request.POST.get("role", "")
    with transaction.atomic():
        me, other = _me_and_other(request, row)
        if role not in me.roles_to_give():
            raise PermissionDenied
        other.role = role
        other.save(update_fields=["role"])
        withdrawn = other.withdraw_invitations(beyond=other.roles_to_give())
    said = f"{other.user} is now {Membership.Role(role).label.lower()}."
    messages.success(request, f"{said}{_and_withdrawn(withdrawn)}")
    return redirect("teams:detail")


@require_POST
@manager_required
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(request, Membership, pk=pk)
    with transaction.atomic():
        _, other = _me_and_other(request, row)
        withdrawn = other.withdraw_invitations()
        other.delete()
    messages.success(request, f"{other.user} is no longer in this team.{_and_withdrawn(withdrawn)}")
    return redirect("teams:detail")


def _and_withdrawn(links: int) -> str:
    return f" What they had invited to is withdrawn, too: {links} link{'' if links == 1 else 's'}." if links else ""


def _me_and_other(request: HttpRequest, row: Membership) -> tuple[Membership, Membership]:
    """Both as they are now, locked until the transaction ends: two owners who unmake each other at the same moment
    must not leave the team without any. Raises PermissionDenied unless I may change the other."""
    rows = row.team.memberships.select_for_update(of=("self",)).select_related("user")
    now = {member.pk: member for member in rows}
    me, other = now.get(request.membership.pk), now.get(row.pk)  # type: ignore[attr-defined]
    if me is None or other is None or not me.can_change(other):
        raise PermissionDenied
    return me, other


@require_POST
@team_required
def leave(request: HttpRequest) -> HttpResponse:
    """Leaves the present team; its last owner cannot, or nobody could ever run it again."""
    with transaction.atomic():
        me: Membership = request.membership  # type: ignore[attr-defined]
        list(me.team.memberships.select_for_update())  # two last owners must not leave at the same moment
        if me.is_owner and not me.team.has_other_owner(me.user):
            messages.error(request, "You are the only owner: make somebody else an owner before you leave.")
            return redirect("teams:detail")
        me.withdraw_invitations()
        me.delete()
    messages.success(request, f"You have left {me.team}.")
    return redirect("home")


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return ask_to_sign_in(request)
    membership = own_membership(request, request.POST.get("team", ""))
    if membership is None:
        return render(request, "404.html", status=404)
    switch_team(request, membership)
    return redirect("home")


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Anybody with an account may found a team, and owns it."""
    if not request.user.is_authenticated:
        return ask_to_sign_in(request)
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            membership = Membership.objects.create(team=form.save(), user=request.user, role=Membership.Role.OWNER)
        switch_team(request, membership)
        return redirect("teams:detail")
    return render(request, "teams/new.html", {"form": form}, status=422 if form.is_bound else 200)
