"""Tiny data sets on disk, in every accepted format, made by the tests that use them."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int, size: tuple[int, int] = (8, 8), channels: int = 3) -> np.ndarray:
    """uint8 [H, W] or [H, W, C], never constant."""
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(
    seed: int = 0, *, suffix: str = ".png", size: tuple[int, int] = (8, 8), channels: int = 3, **options
) -> bytes:
    kinds = {".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP", ".tif": "TIFF"}
    out = io.BytesIO()
    Image.fromarray(pixels(seed, size, channels)).save(out, kinds[suffix], **options)
    return out.getvalue()


def class_files(classes=("cat", "dog"), each: int = 6, prefix: str = "", **options) -> dict[str, bytes]:
    """name -> content of `each` pictures in a folder for each class."""
    suffix = options.get("suffix", ".png")
    return {
        f"{prefix}{name}/{number}{suffix}": encoded(97 * place + number, **options)
        for place, name in enumerate(classes)
        for number in range(each)
    }


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(content)
    return root


def write_zip(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def idx(values: np.ndarray, kind: int = 8) -> bytes:
    values = np.ascontiguousarray(values, dtype=np.uint8)
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, kind, values.ndim, *values.shape) + values.tobytes()


def idx_files(train: int = 40, test: int = 10, classes: int = 4, *, zipped: bool = False) -> dict[str, bytes]:
    files = {}
    for part, count in (("train", train), ("t10k", test)):
        if count:
            files[f"{part}-images-idx3-ubyte"] = idx(pixels(count, (count, 9, 9), 1))
            files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count) % classes)
    return {f"{name}.gz": gzip.compress(content) for name, content in files.items()} if zipped else files


def write_npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path
