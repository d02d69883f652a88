"""A start removes what killed processes left in temporary folders, and nothing else."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile

from evolution_core.data.store import place as store_place
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


def test_what_killed_workers_left_half_made_goes_and_what_is_whole_stays() -> None:
    work = Path(settings.WORK_ROOT)
    folder, target = work / "figures-abc", work / "bases" / "net.onnx"
    store = store_place(work / "data" / "1", "f" * 64, (3, 32, 32))
    half = [
        folder / "network.safetensors",
        work / "inside-abc" / "1-1.safetensors",
        store.with_name(f".{store.name}-abc") / "images.npy",
        store / "tmpabc.rows",
        work / "data" / "1" / "upload" / ".set.zip.abc.part",
        target.with_name(f".{target.name}.abc.part"),
        work / "runs" / "1" / ".ancestor.json.77.part",
    ]
    whole = [
        store / "images.npy",
        work / "data" / "1" / "upload" / "set.zip",
        target,
        work / "runs" / "1" / "ancestor.json",
        work / "runs" / "1" / ".ancestor.lock",
        work / "uploads" / "0a1b.part",  # somebody is still sending the rest
    ]
    for path in half + whole:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    clear_leftovers()
    assert sorted(path for path in work.rglob("*") if path.is_file()) == sorted(whole)
    assert not folder.exists()
