"""The first owner and the first team: how an installation gets its first person."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from webapp.teams.models import Membership, SignInLink, Team, User

FIRST_TEAM = "My team"


def home_team() -> Team:
    """The installation's first team, made when there is none. It owns the demo; the first owner joins it."""
    return Team.objects.order_by("pk").first() or Team.objects.create(name=FIRST_TEAM)


def owners() -> list[User]:
    """People who own some team and can sign in, the longest-serving first."""
    return list(User.objects.filter(is_active=True, memberships__role=Membership.Role.OWNER).distinct().order_by("pk"))


def ensure_owner(email: str, password: str) -> tuple[User, bool]:
    """The owner of that address, and whether she was made now.

    An account that is there keeps its password: the environment makes the first owner, it does not undo what
    she changed since. She becomes an owner of the first team unless she owns a team already.
    """
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email).first()
        made = user is None
        if user is None:
            user = User.objects.create_user(email, password)
        if not user.memberships.filter(role=Membership.Role.OWNER).exists():
            Membership.objects.update_or_create(team=home_team(), user=user, defaults={"role": Membership.Role.OWNER})
    return user, made


def first_owner_link() -> str | None:
    """The address of a one-time link with which the first owner makes her account; None once there is an owner.

    Earlier links of this kind stop working: only the newest one printed opens the door.
    """
    if owners():
        return None
    SignInLink.objects.filter(user=None, used_at=None).delete()
    return absolute("sign_in_link", SignInLink.issue()[1])


def sign_in_link(user: User) -> str:
    """The address of a one-time link that signs this person in, for who forgot her password."""
    SignInLink.objects.filter(user=user, used_at=None).delete()
    return absolute("sign_in_link", SignInLink.issue(user=user)[1])


def absolute(name: str, token: str, request: HttpRequest | None = None) -> str:
    """The whole address of a link to pass on: EUSTRESS_URL's, or else as the request came, or else localhost's."""
    path = reverse(name, args=[token])
    if settings.EUSTRESS_URL or request is None:
        return (settings.EUSTRESS_URL or f"http://localhost:{settings.PORT}") + path
    return request.build_absolute_uri(path)
