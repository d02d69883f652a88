"""Share links: one run, shown to whoever has the link, until it is revoked."""

from __future__ import annotations

import base64
import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from webapp.runs.models import Run


def new_nonce() -> str:
    return secrets.token_hex(16)


class ShareLink(models.Model):
    """A read-only door to one run.

    Its token is computed from the row's number and nonce with the installation's secret key: it can be shown again
    to the team, and a copy of the database alone opens nothing.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="share_links")
    shows_images = models.BooleanField(
        default=False
    )  # of the data set: the validation images that networks are asked about
    nonce = models.CharField(max_length=32, default=new_nonce, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"link to {self.run}"

    @property
    def token(self) -> str:
        """`NUMBER-MAC`, the MAC being 32 url-safe characters (192 bits)."""
        digest = salted_hmac("webapp.sharing.ShareLink", f"{self.pk}:{self.nonce}", algorithm="sha256").digest()
        return f"{self.pk}-{base64.urlsafe_b64encode(digest[:24]).decode()}"

    @classmethod
    def find(cls, token: str) -> ShareLink | None:
        """The link of this token, revoked or not; None for a token that was never given out."""
        number, _, _ = token.partition("-")
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        link = (
            cls.objects.select_related("run", "run__dataset", "run__team")
            .defer("run__dataset__report")
            .filter(pk=int(number))
            .first()
        )
        return link if link is not None and constant_time_compare(link.token, token) else None

    def revoke(self) -> None:
        """Closes the door for good; a link that is closed already keeps its time."""
        ShareLink.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now())
        self.refresh_from_db(fields=["revoked_at"])

    def seen(self) -> None:
        """Remembers the last visit, to the minute: a live page does not write a row a second."""
        now = timezone.now()
        if self.last_seen_at is None or (now - self.last_seen_at).total_seconds() > 60:
            ShareLink.objects.filter(pk=self.pk).update(last_seen_at=now)
