"""From a picture file's bytes to pixels: any common format, turned upright, on white, gray or colour."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from evolution_core.spec import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
SAMPLE_SIDE = 128
_ORIENTATION = 0x0112  # EXIF
_ORIGINAL = "original size"


def decode(content: bytes, name: str, *, pixels: int, near: int | None = None) -> Image.Image:
    """The first frame as mode L or RGB: turned as its EXIF says, transparency laid on white.

    `pixels` caps width x height, checked before anything is decompressed. `near` allows a JPEG to
    be decoded at a half, quarter or eighth as long as it stays at least twice `near` pixels a side;
    `original_size` tells what it was. Raises DataError naming the file when it is broken, cut short or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Image.Image = Image.open(io.BytesIO(content), formats=_FORMATS)
            size = image.size
            if size[0] * size[1] > pixels:
                raise DataError(f"has more than {pixels // 1_000_000 or 1} million pixels", name)
            if near is not None and image.format == "JPEG" and image.mode in ("L", "RGB"):
                image.draft(image.mode, (2 * near, 2 * near))
            image.load()
            # A quick way out for the bulk: nothing to turn, nothing to convert.
            if image.mode not in ("L", "RGB") or "exif" in image.info or image.format not in ("JPEG", "BMP"):
                is_turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
                size = size[::-1] if is_turned else size
                image = _flat(ImageOps.exif_transpose(image))
            image.info[_ORIGINAL] = size
            return image
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"has more than {pixels // 1_000_000 or 1} million pixels", name) from None
    except Image.UnidentifiedImageError:
        raise DataError("is not an image", name) from None
    except Exception:  # Pillow's decoders raise nearly anything on hostile bytes
        raise DataError("is broken or cut short", name) from None


def original_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of the picture before it was decoded smaller, upright."""
    return image.info.get(_ORIGINAL, image.size)


def _flat(image: Image.Image) -> Image.Image:
    """Mode L or RGB of any mode; alpha on white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_bytes(np.asarray(image)))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        gray = image.mode in ("1", "L", "LA", "La")
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, clear).convert("L" if gray else "RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Deep gray values as uint8: 16-bit ones by their full range, others by the range that they use."""
    largest = float(np.nan_to_num(values, posinf=0.0, neginf=0.0).max(initial=0))
    if values.dtype.itemsize == 2 or largest > 255:
        scale = 1 / 257
    else:
        scale = 255.0 if values.dtype.kind == "f" and largest <= 1.0 else 1.0
    return np.clip(np.rint(np.nan_to_num(values.astype(np.float64)) * scale), 0, 255).astype(np.uint8)


def is_gray(image: Image.Image) -> bool:
    """Whether all channels agree everywhere."""
    if image.mode == "L":
        return True
    pixels = np.asarray(image)
    red = pixels[..., 0]
    return bool((pixels[..., 1] == red).all() and (pixels[..., 2] == red).all())


def fit(image: Image.Image, size: tuple[int, int], channels: int) -> np.ndarray:
    """uint8 [C, H, W]: the whole image squashed to `size` (H, W), bicubic with antialiasing.

    Nothing is cropped and nothing padded; the aspect ratio gives way.
    """
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    height, width = size
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def thumbnail(image: Image.Image, side: int = SAMPLE_SIDE) -> bytes:
    """A PNG whose longer side is at most `side` pixels."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
