"""The ASGI application: Django behind a guard that refuses oversized bodies before they fill the disk."""

from __future__ import annotations

import os
import tempfile

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django_application = get_asgi_application()

from webapp.body_limit import BodyLimit  # noqa: E402  (reads settings, which must be configured first)

# Django keeps a request's body in the temporary folder first, which is often a small one in memory: use the disk whose
# room BodyLimit has looked at.
tempfile.tempdir = os.fspath(settings.FILE_UPLOAD_TEMP_DIR)

application = BodyLimit(django_application)
