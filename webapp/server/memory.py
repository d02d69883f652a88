"""Python's garbage collector, set for a process that answers pages.

At Python's thresholds a page of thousands of networks wakes it dozens of times, and some of these walk everything that
was ever imported, which takes as long as the page.
"""

from __future__ import annotations

import gc

YOUNG = 20_000  # new objects between two looks at them; Python's own: 700. Higher makes single looks long


def settle() -> None:
    """To be called once what lives as long as the process has been loaded: the collector never walks it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
