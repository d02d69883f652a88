"""People and the teams that own everything: a team's things are invisible outside it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address, which is also how they sign in."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[assignment, misc]

    def __str__(self) -> str:
        return self.get_full_name() or self.email


class Team(models.Model):
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def has_other_owner(self, user: User) -> bool:
        """Whether the team would still have an owner without this person."""
        return self.memberships.filter(role=Membership.Role.OWNER).exclude(user=user).exists()


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        ADMIN = "admin", "Admin"
        EDITOR = "editor", "Editor"
        VIEWER = "viewer", "Viewer"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.EDITOR)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["joined_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_membership_a_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"

    @property
    def can_edit(self) -> bool:
        return self.role != self.Role.VIEWER

    @property
    def can_manage(self) -> bool:
        return self.role in (self.Role.OWNER, self.Role.ADMIN)

    @property
    def is_owner(self) -> bool:
        return self.role == self.Role.OWNER

    def roles_to_give(self) -> list[str]:
        """The roles that this member may give to others: nobody makes anyone mightier than herself."""
        if self.is_owner:
            return list(self.Role.values)
        return [self.Role.ADMIN, self.Role.EDITOR, self.Role.VIEWER] if self.can_manage else []

    def can_change(self, other: Membership) -> bool:
        """Whether this member may change the other's role or remove him. Only owners touch owners."""
        return self.team_id == other.team_id and self.pk != other.pk and other.role in self.roles_to_give()

    def withdraw_invitations(self, *, beyond: Collection[str] = ()) -> int:
        """Closes the links that this member has made to other roles than these, and says how many: whoever is removed,
        or may give less than before, must not come back by a link of her own."""
        mine = Invitation.pending(self.team).filter(created_by=self.user_id)
        return mine.exclude(role__in=beyond).delete()[0]


def hashed(token: str) -> str:
    """What the database keeps of a link's token: a copy of the database opens no door."""
    return hashlib.sha256(token.encode()).hexdigest()


class OneTimeLink(models.Model):
    """A link that opens one door once, within its time. Its token is known only to who was given it."""

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @classmethod
    def issue(cls, **fields: Any) -> tuple[Any, str]:
        """Saves a new link; returns it and its token, which cannot be had again."""
        token = secrets.token_urlsafe(32)
        return cls._default_manager.create(token_hash=hashed(token), **fields), token

    @classmethod
    def find(cls, token: str) -> Any:
        """The link of this token, used or not; None when there was never such a link."""
        return cls._default_manager.filter(token_hash=hashed(token)).first()

    @property
    def is_open(self) -> bool:
        return self.used_at is None and self.expires_at > timezone.now()

    def hold(self) -> bool:
        """Whether the link can still be taken; if so it stays so for this transaction, and others wait for its end."""
        locked = type(self)._default_manager.select_for_update().filter(pk=self.pk).first()
        return locked is not None and locked.is_open

    def use(self) -> bool:
        """Takes the link; True for exactly one caller, however many come at the same time."""
        now = timezone.now()
        open_links = type(self)._default_manager.filter(pk=self.pk, used_at=None, expires_at__gt=now)
        if open_links.update(used_at=now) != 1:
            return False
        self.used_at = now
        return True


def invitation_end() -> datetime:
    return timezone.now() + settings.INVITATION_LIFETIME


def sign_in_link_end() -> datetime:
    return timezone.now() + settings.SIGN_IN_LINK_LIFETIME


class Invitation(OneTimeLink):
    """A place in a team held for one e-mail address. Whoever manages the team passes the link on; we send no mail."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address")
    role = models.CharField(max_length=10, choices=Membership.Role.choices, default=Membership.Role.EDITOR)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField(default=invitation_end)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"

    @classmethod
    def pending(cls, team: Team) -> models.QuerySet[Invitation]:
        return cls.objects.filter(team=team, used_at=None, expires_at__gt=timezone.now())

    def accept(self, user: User) -> Membership | None:
        """Makes the person a member and spends the link; None when it is spent or over. Never lowers a role."""
        with transaction.atomic():
            if not self.use():
                return None
            membership, _ = Membership.objects.get_or_create(team=self.team, user=user, defaults={"role": self.role})
            return membership


class SignInLink(OneTimeLink):
    """Signs one person in without a password; without a person, lets the first owner make an account."""

    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="sign_in_links")
    expires_at = models.DateTimeField(default=sign_in_link_end)
