"""Tensors within nested values, and the bytes behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def storages(value: Any) -> dict[int, int]:
    """Bytes behind all tensors in `value`, by storage: views of one count once."""
    return {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors(value)}


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in `value` and in the lists, tuples and dictionaries that it is made of."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
