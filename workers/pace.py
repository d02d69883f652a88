"""How often things are looked at, in seconds. Read from the environment so that tests need not wait."""

from __future__ import annotations

import os


def _seconds(name: str, default: float) -> float:
    return float(os.environ.get(name) or default)


HEARTBEAT = _seconds("EUSTRESS_HEARTBEAT_SECONDS", 4.0)  # between two beats of a claim
STALE = _seconds("EUSTRESS_STALE_SECONDS", 30.0)  # without a beat, after which a claim's worker counts as lost
SWEEP = _seconds("EUSTRESS_SWEEP_SECONDS", 10.0)  # between two sweeps
WATCH = 1.0  # between two looks at whether a run is to be cancelled
PROGRESS = _seconds("EUSTRESS_PROGRESS_SECONDS", 2.0)  # between two progress events of one network
ATTEMPTS = 3  # starts of one piece of work, in a row and without progress, that may end in a lost worker
