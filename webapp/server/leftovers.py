"""What processes that were killed left behind in temporary folders. The caller holds the home's lock."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings


def clear_leftovers() -> None:
    """Remove half-received uploads, half-made exports and dry runs. They name themselves; nothing else is touched."""
    for upload in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*"):
        upload.unlink(missing_ok=True)
    for pattern in ("onnx-*", "dry-run-*"):
        for folder in Path(settings.WORK_ROOT).glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)
