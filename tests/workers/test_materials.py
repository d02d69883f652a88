"""What workers take from storage arrives whole, or not at all, and is what was put there."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile

from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import materials

from .test_inside import run as pictures_run  # noqa: F401  (a fixture)

CONTENT = bytes(range(256)) * 8


class Slow(io.BytesIO):
    """Something happens in the middle of reading it."""

    def __init__(self, between: Any):
        super().__init__(CONTENT)
        self.between = between

    def read(self, _size: int | None = -1) -> bytes:
        self.between() if self.tell() == 1024 else None
        return super().read(1024)


def stored(between: Any = lambda: None) -> Any:
    return SimpleNamespace(name="a", instance="ancestor", open=lambda _mode: Slow(between))


def test_two_that_bring_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "ancestor.safetensors"
    seen = []

    def another() -> None:
        materials.copy_out(stored(), target)
        seen.append(target.read_bytes())

    materials.copy_out(stored(another), target)
    assert [*seen, target.read_bytes()] == [CONTENT, CONTENT]
    assert [path.name for path in tmp_path.iterdir()] == ["ancestor.safetensors"]


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        materials.copy_out(stored(fail), tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.django_db
def test_a_network_that_was_damaged_in_storage_is_not_gone_on_from(run: Run, tmp_path: Path) -> None:
    network = Network.objects.create(
        run=run,
        name="ancestor",
        generation=0,
        state=Network.State.MEASURED,
        record={"id": "ancestor", "file": "ancestor.safetensors"},
    )
    network.file.save("ancestor.safetensors", ContentFile(CONTENT))
    Network.objects.update(sha256=materials.sha256(Path(network.file.path)))
    Path(network.file.path).write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(materials.Damaged, match="ancestor is damaged in the server's storage"):
        materials.restore(run, tmp_path)
    assert not list(tmp_path.iterdir())
    Path(network.file.path).write_bytes(CONTENT)
    materials.restore(run, tmp_path)
    assert (tmp_path / "ancestor.safetensors").read_bytes() == CONTENT


@pytest.mark.django_db(transaction=True)
def test_an_own_network_is_imported_once_to_learn_what_it_takes(
    pictures_run: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from evolution_core.architectures import build, onnx_import
    from evolution_core.export import export_onnx

    own, imported, load = tmp_path / "own.onnx", [], onnx_import.load_onnx

    def counted(path: Path, **options: Any) -> Any:
        imported.append(path)
        return load(path, **options)

    monkeypatch.setattr(onnx_import, "load_onnx", counted)
    for side in (20, 24):  # the second time somebody has put another in its place
        own.write_bytes(export_onnx(build("lenet5", 3, (3, side, side), width=0.25).eval(), (3, side, side), own))
        os.utime(own, (side, side))
        for _ in range(3):
            assert materials.data_for(pictures_run, own, lambda: None).shape == (3, side, side)
    assert imported == [own, own]
