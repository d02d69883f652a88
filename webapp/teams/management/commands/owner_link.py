"""`manage.py owner_link`: prints a one-time sign-in link."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.teams.models import User
from webapp.teams.owner import first_owner_link, owners, sign_in_link


class Command(BaseCommand):
    help = "Prints a one-time sign-in link: for the first owner, or for anyone who forgot her password (--email)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", help="whose link; without it the first owner's")

    def handle(self, *args: Any, email: str | None = None, **options: Any) -> None:
        if email:
            user = User.objects.filter(email__iexact=email, is_active=True).first()
            if user is None:
                raise CommandError(f"There is no account for {email}.")
            link = sign_in_link(user)
        else:
            link = first_owner_link() or sign_in_link(owners()[0])
        self.stdout.write(link)
