"""A run tried out before it is started: what would be born, how long it would take, what it would keep on disk.

Nothing is trained to its end and nothing is left behind. The networks are drawn, cut and proven by the very code that
a run uses, from an ancestor that has not learnt; how many clusters each layer keeps is the budget's doing and nearly
the same once it has. Time is measured: a few steps of real training on the real data.
"""

from .rehearsing import dry_run
from .report import DryRun, Range, Sketched

__all__ = ["DryRun", "Range", "Sketched", "dry_run"]
