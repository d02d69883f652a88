"""Addresses of one run's pages below a share link."""

from __future__ import annotations

from django.urls import reverse

from webapp.runs.addresses import RunUrls
from webapp.sharing.models import ShareLink


class SharedUrls(RunUrls):
    """Every address leads back below the link's own; nothing that a member may do has one."""

    readonly = True

    def __init__(self, link: ShareLink):
        super().__init__(link.run)
        self.token = link.token
        self.shows_images = link.shows_images

    def address(self, name: str, *arguments: str) -> str:
        return reverse(f"sharing:{name}", args=[self.token, *arguments]) if name not in self.MEMBERS_ONLY else ""
