"""The ASGI application: Django behind a guard that refuses oversized bodies before they fill the disk."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django_application = get_asgi_application()

from webapp.body_limit import BodyLimit  # noqa: E402  (reads settings, which must be configured first)

application = BodyLimit(django_application)
