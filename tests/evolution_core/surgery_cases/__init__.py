"""The table of surgery cases: small networks, one for each way that channels flow. Tests and a benchmark run it."""

from . import plain, joins, groups, movers, attention, unknown  # noqa: F401, I001  (the table's order)
from .table import CASES, Case

__all__ = ["CASES", "Case"]
