"""Reads the header of a safetensors file: JSON only, no tensors and no torch, whatever the file's size.

The format (https://github.com/huggingface/safetensors): eight bytes of little-endian length, then that much JSON.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

LONGEST = 64 * 1000**2  # bytes of header; our own are far below a megabyte


class HeaderError(ValueError):
    """The file is not a safetensors file, or its header is damaged."""


def metadata(file: BinaryIO) -> dict[str, str]:
    """The header's `__metadata__`: text by name. Raises HeaderError."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) != 8 or not 2 <= length <= LONGEST:
        raise HeaderError("not a safetensors file")
    try:
        header = json.loads(file.read(length))
    except ValueError:
        raise HeaderError("its header is damaged") from None
    found = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(found, dict):
        raise HeaderError("its header is damaged")
    return {str(name): str(value) for name, value in found.items()}


def genome(file: BinaryIO) -> dict[str, Any]:
    """The genome inside a network's file. Raises HeaderError where there is none."""
    try:
        value = json.loads(metadata(file)["genome"])
    except (KeyError, ValueError) as error:
        if isinstance(error, HeaderError):
            raise
        raise HeaderError("it holds no genome") from None
    if not isinstance(value, dict):
        raise HeaderError("its genome is damaged")
    return value
