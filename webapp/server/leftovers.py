"""What processes that were killed left behind half-made. The caller holds the home's lock: nobody is at work."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings

# Below the work folder; whatever is made there carries a name of this kind until it is whole. `uploads` is not among
# them: what people are still sending in pieces waits there.
HALF_MADE = (
    "onnx-*",  # workers/exports.py
    "figures-*",  # workers/exported.py
    "int8-*",  # workers/quantized.py
    "inside-*",  # workers/inside.py
    "dry-run-*",  # evolution_core/dry_run
    "data/*/.*-v*",  # evolution_core/data/store.py: images that were being read
    "data/*/*/*.rows",  # and such as were being picked from them
    "data/*/upload/.*.part",  # workers/materials.py: copies from a storage without paths
    "bases/.*.part",
    "runs/*/.*.part",  # and networks, records and checkpoints of runs
)


def clear_leftovers() -> None:
    """Remove half-received uploads and whatever was half-made. They name themselves; nothing else is touched."""
    for upload in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*"):
        upload.unlink(missing_ok=True)
    for pattern in HALF_MADE:
        for left in Path(settings.WORK_ROOT).glob(pattern):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
