"""How allauth behaves in this house."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):
    error_messages = {  # allauth's own is a plain dict, too
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "E-mail address or password is not correct.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs herself up: people come by a team's invitation or by the first owner's link."""
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/"


def name_tried(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str:
    """The address that somebody tries to sign in with, in one spelling, for counting failures."""
    tried = (credentials or {}).get("email") or (request.POST.get("login") if request else "") or ""
    return str(tried).strip().lower()[:255]
