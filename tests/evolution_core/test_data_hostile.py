"""Archives and files that mean harm: refused in a sentence, and nothing is written outside the cache."""

from __future__ import annotations

import struct
import zipfile
import zlib

import numpy as np
import pytest

from evolution_core.data import Limits, inspect, load
from evolution_core.data import idx as idx_module
from evolution_core.spec import DataError, RunSpec
from tests.evolution_core.pictures import class_files, encoded, idx, idx_files, write_folder, write_npz, write_zip


def problem(source, **limits) -> str:
    found = inspect(source, limits=Limits(**limits))
    assert found.fatal
    return " | ".join(f"{file}: {sentence}" for file, sentence in found.problems)


@pytest.mark.parametrize("name", ["../cat/9.png", "cat/../../9.png", "/cat/9.png", "..\\cat\\9.png", "C:/cat/9.png"])
def test_paths_that_leave_the_archive_are_refused_and_nothing_is_written(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    source = write_zip(inside / "d.zip", class_files() | {name: encoded()})
    assert "has a path that leads out of the archive" in problem(source)
    with pytest.raises(DataError):
        load(source, spec=RunSpec(), cache=inside / "cache")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["d.zip", "inside"]


def test_windows_separators_are_only_separators(tmp_path):
    files = {name.replace("/", "\\"): content for name, content in class_files(prefix="pets/").items()}
    assert [c.train for c in inspect(write_zip(tmp_path / "d.zip", files)).classes] == [6, 6]


def test_links_in_an_archive_are_left_out(tmp_path):
    path = write_zip(tmp_path / "d.zip", class_files())
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cat/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    found = inspect(path)
    assert not found.fatal
    assert found.images == 12


def test_a_loop_of_links_in_a_folder_ends(tmp_path):
    root = write_folder(tmp_path / "d", class_files())
    (root / "cat" / "again").symlink_to(root)
    found = inspect(root)
    assert not found.fatal
    assert found.images == 12


def test_encrypted_entries_are_refused(tmp_path):
    path = write_zip(tmp_path / "d.zip", class_files())
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")  # the first entry of the directory
    content[at + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted" in problem(path)


@pytest.mark.parametrize("name", ["more.zip", "cat/more.tar.gz", "x.7z", "inner.npz"])
def test_archives_in_archives_are_refused(tmp_path, name):
    assert f"{name}: is an archive inside the archive" in problem(
        write_zip(tmp_path / "d.zip", class_files() | {name: b"x"})
    )


def test_a_name_twice_is_refused(tmp_path):
    path = write_zip(tmp_path / "d.zip", class_files())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("cat/0.png", b"other")
    assert "cat/0.png: is in the archive twice" in problem(path)


def test_too_many_entries_are_refused(tmp_path):
    source = write_zip(tmp_path / "d.zip", class_files())
    assert "holds more than 11 files" in problem(source, entries=11)
    assert "holds more than 11 files" in problem(write_folder(tmp_path / "d", class_files()), entries=11)


@pytest.mark.parametrize("said", ["plainly", "in 64 bits", "in 64 bits, with a locator that leads astray"])
def test_a_huge_directory_is_refused_before_it_is_read(tmp_path, monkeypatch, said):
    path = write_zip(tmp_path / "d.zip", class_files())
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    size = struct.pack("<I", 0xFFFFFFF0)
    record = b""
    if said != "plainly":  # the 64-bit form: its own end record and a locator
        record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 12, 12, 2**40, 0)
        astray = said.endswith("astray")
        record += b"PK\x06\x07" + struct.pack("<IQI", 0, 0 if astray else end, 1)
        size = content[end + 12 : end + 16] if astray else struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content[:end] + record + content[end : end + 12] + size + content[end + 16 :])
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "holds more than 1,000,000 files" in problem(path)


def test_unprintable_names_are_shown_harmlessly(tmp_path):
    found = inspect(write_zip(tmp_path / "d.zip", class_files() | {"cat/\x1b[31m\n.png": b"x"}))
    assert found.problems == [("cat/\ufffd[31m\ufffd.png", "is not an image")]


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    bomb = {"cat/0.bmp": bytes(5_000_000), "dog/0.bmp": bytes(5_000_000)}
    source = write_zip(tmp_path / "d.zip", bomb, zipfile.ZIP_DEFLATED)
    assert "times its size" in problem(source, ratio_from=1_000_000)
    assert "unpacks to more than" in problem(source, unpacked=9_000_000)


def test_one_huge_file_among_many_is_refused(tmp_path):
    source = write_zip(tmp_path / "d.zip", class_files() | {"cat/huge.png": bytes(3_000_000)}, zipfile.ZIP_DEFLATED)
    assert "cat/huge.png: is larger than 1 MB" in problem(source, image_bytes=2**20)


def test_a_size_that_lies_is_found_out(tmp_path):
    path = write_zip(tmp_path / "d.zip", class_files() | {"cat/lie.png": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    said, lie = struct.pack("<I", 100_000), struct.pack("<I", 50)
    path.write_bytes(content.replace(said, lie))
    assert "cat/lie.png: " in problem(path)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"")
    )


@pytest.mark.parametrize("side", [9_000, 200_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    source = write_zip(tmp_path / "d.zip", class_files() | {"cat/bomb.png": png_header(side, side)})
    assert "cat/bomb.png: has more than 64 million pixels" in problem(source)


@pytest.mark.parametrize("shape", [(8, 50, 50), (8, 50, 50, 3), (8, 3, 50, 50), (8, 1, 50, 50)])
def test_array_images_of_too_many_pixels_are_refused_however_their_axes_lie(tmp_path, shape):
    images, labels = np.zeros(shape, np.uint8), np.arange(8, dtype=np.uint8) % 2
    files = {"train-images-idx-ubyte": idx(images), "train-labels-idx1-ubyte": idx(labels)}
    source = write_folder(tmp_path / "d", files)
    assert "holds images of an impossible size, 50x50" in problem(source, image_pixels=2499)
    assert not inspect(source, limits=Limits(image_pixels=2500)).fatal
    assert "of an impossible size, 50x50" in problem(
        write_npz(tmp_path / "d.npz", x_train=images, y_train=labels), image_pixels=2499
    )


def test_a_huge_label_is_named_and_costs_no_memory(tmp_path):
    labels = np.arange(40) % 2
    labels[5] = 10**12
    source = write_npz(tmp_path / "d.npz", x_train=np.zeros((40, 8, 8), np.uint8), y_train=labels)
    assert "y_train: holds the label 1000000000000, which is out of range" in problem(source)


def test_more_images_in_arrays_than_files_would_be_allowed_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(idx_module.IdxFile, "blocks", None)  # before a label is read
    source = write_folder(tmp_path / "d", idx_files(train=40, test=10))
    assert "brings more than 49 images" in problem(source, entries=49)
    arrays = {f"x_{part}": np.zeros((25, 9, 9), np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(25) % 2 for part in ("train", "test")}
    assert "brings more than 49 images" in problem(write_npz(tmp_path / "d.npz", **arrays, **labels), entries=49)


def test_a_zip_that_is_none_is_refused(tmp_path):
    (tmp_path / "d.zip").write_bytes(b"PK\x03\x04 and no more")
    assert "d.zip: is not a readable zip archive" in problem(tmp_path / "d.zip")


def test_a_damaged_entry_is_named(tmp_path):
    path = write_zip(tmp_path / "d.zip", class_files())
    content = bytearray(path.read_bytes())
    at = content.index(b"\x89PNG")
    content[at + 60] ^= 0xFF
    path.write_bytes(content)
    assert "cat/0.png: cannot be read" in problem(path)


def damaged(path, at: int):
    content = bytearray(path.read_bytes())
    content[at : at + 200] = bytes(200)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_named_in_archives_of_every_packing(tmp_path, packing):
    """Pictures, idx and npz files; what each way of packing raises when its bytes make no sense is its own."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 30, 30), dtype=np.uint8)
    pictures = {name: content + noise.tobytes() for name, content in class_files().items()}
    assert "cat/0.png: cannot be read" in problem(damaged(write_zip(tmp_path / "d.zip", pictures, packing), 80))
    arrays = {"train-images-idx3-ubyte": idx(noise), "train-labels-idx1-ubyte": idx(np.arange(8) % 2)}
    source = damaged(write_zip(tmp_path / "e.zip", arrays, packing), 100)
    assert "train-images-idx3-ubyte: is broken and cannot be unpacked" in problem(source)
    with zipfile.ZipFile(tmp_path / "f.npz", "w", packing) as archive:
        for name, values in (("x_train", noise), ("y_train", np.arange(8) % 2)):
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, values)
    assert "x_train: is " in problem(damaged(tmp_path / "f.npz", 80))


def test_class_names_that_are_none_are_refused(tmp_path):
    assert "is not a class name" in problem(write_zip(tmp_path / "d.zip", class_files(("cat", "d\x1bog"))))
    assert "is not a class name" in problem(write_zip(tmp_path / "e.zip", class_files(("cat", "x" * 101))))


def test_more_classes_than_networks_can_tell_apart_are_refused(tmp_path):
    from evolution_core.data.readers import Findings, check_classes

    findings = Findings()
    check_classes([str(number) for number in range(10_001)], findings, "d.zip")
    assert findings.problems == [("d.zip", "holds 10,001 classes; at most 10,000 are possible")]


def test_pickles_are_never_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    objects = np.empty(4, object)
    objects[:] = Trap()
    np.savez(tmp_path / "d.npz", x_train=np.zeros((4, 8, 8), np.uint8), y_train=objects)
    assert "y_train: holds Python objects, which are never read" in problem(tmp_path / "d.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("shape", ["(10000000000, 28, 28)", "(-4, 8, 8)", "(5, 8, 8)"])
def test_a_header_that_announces_other_sizes_is_refused_before_memory_is_taken(tmp_path, shape):
    np.savez(tmp_path / "good.npz", x_train=np.zeros((4, 8, 8), np.uint8), y_train=np.arange(4) % 2)
    with zipfile.ZipFile(tmp_path / "good.npz") as good, zipfile.ZipFile(tmp_path / "d.npz", "w") as bad:
        labels, images = good.read("y_train.npy"), good.read("x_train.npy")
        space = len(shape) - len("(4, 8, 8)")
        bad.writestr("x_train.npy", images.replace(b"(4, 8, 8), }" + b" " * space, shape.encode() + b", }"))
        bad.writestr("y_train.npy", labels)
    assert "x_train: " in problem(tmp_path / "d.npz")
