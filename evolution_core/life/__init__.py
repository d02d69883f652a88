"""One network's life: how it is born, trained under stress, cut, grown and measured; resumable anywhere."""

from .life import Life, open_test

__all__ = ["Life", "open_test"]
