"""A start removes what killed processes left in temporary folders, and nothing else."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile

from webapp.server.leftovers import clear_leftovers


def test_half_received_files_go_and_all_else_stays() -> None:
    received = TemporaryUploadedFile("big.zip", "application/zip", 0, None)
    left = Path(received.temporary_file_path())
    work = Path(settings.WORK_ROOT)
    (work / "onnx-abc").mkdir()
    (work / "dry-run-abc").mkdir()
    (work / "runs" / "1").mkdir(parents=True)
    assert left.parent == Path(settings.FILE_UPLOAD_TEMP_DIR)
    clear_leftovers()
    assert not left.exists()
    assert sorted(path.name for path in work.iterdir()) == ["runs", "uploads"]
    received.file._closer.delete = False  # it is gone already
