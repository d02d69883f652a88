"""From a picture file's bytes to pixels: any common format, turned upright, on white, gray or colour."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from evolution_core.spec import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
_GRAY = {"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}


def decode(content: bytes, name: str, *, pixels: int, near: int | None = None) -> Image.Image:
    """The first frame as mode L or RGB: turned as its EXIF says, transparency laid on white.

    `pixels` caps width x height, checked before anything is decompressed. `near` allows a JPEG to
    be decoded at a half, quarter or eighth as long as it stays at least twice `near` pixels a side.
    Raises DataError naming the file when it is broken, cut short or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            if image.width * image.height > pixels:
                raise DataError(f"has more than {pixels // 1_000_000 or 1} million pixels", name)
            if near is not None and image.format == "JPEG" and image.mode in ("L", "RGB"):
                image.draft(image.mode, (2 * near, 2 * near))
            image.load()
            # Two quick ways out for the bulk: nothing to turn, nothing to convert.
            if image.mode in ("L", "RGB") and "exif" not in image.info and image.format in ("JPEG", "BMP"):
                return image
            return _flat(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"has more than {pixels // 1_000_000 or 1} million pixels", name) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on hostile bytes
        reason = "is not an image" if isinstance(error, Image.UnidentifiedImageError) else "is broken or cut short"
        raise DataError(f"{reason} and cannot be read as a picture", name) from None


def _flat(image: Image.Image) -> Image.Image:
    """Mode L or RGB of any mode; alpha on white."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        gray = image.mode in ("LA", "La", *_GRAY)
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, clear).convert("L" if gray else "RGB")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_bytes(np.asarray(image)))
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


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


def thumbnail(image: Image.Image, side: int = 128) -> bytes:
    """A PNG whose longer side is at most `side` pixels."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
