"""One network's life: how it is born, trained under stress, cut, grown and measured; resumable anywhere."""

from .life import Life, open_test
from .work import LATENCY_SECONDS

__all__ = ["LATENCY_SECONDS", "Life", "open_test"]
