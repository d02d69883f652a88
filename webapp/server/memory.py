"""Python's garbage collector, set for a process that answers pages.

A page of thousands of networks makes tens of thousands of objects that reference counts free as soon as it is sent. At
Python's thresholds they make the collector walk everything that was ever imported, which takes longer than the page.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 10  # Python's own: 700, 10, 10


def settle() -> None:
    """To be called once what lives as long as the process has been loaded: the collector never walks it again, and
    looks for cycles among what has come since, after some pages of work instead of several times in each."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
