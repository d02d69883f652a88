"""`manage.py ensure_owner`: makes the first owner from EUSTRESS_OWNER_EMAIL and EUSTRESS_OWNER_PASSWORD."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from webapp.teams.owner import ensure_owner


class Command(BaseCommand):
    help = "Makes the owner named by EUSTRESS_OWNER_EMAIL and EUSTRESS_OWNER_PASSWORD, if both are set."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EUSTRESS_OWNER_EMAIL:
            self.stdout.write("EUSTRESS_OWNER_EMAIL is not set: no owner is made.")
            return
        user, made = ensure_owner(settings.EUSTRESS_OWNER_EMAIL, settings.EUSTRESS_OWNER_PASSWORD)
        self.stdout.write(f"{user.email} {'is now an owner' if made else 'is there already'}.")
