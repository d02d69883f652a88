"""What is measured of a network and can be drawn, sorted, filtered and kept: one list for charts, table and address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure. `field` is Network's; `kind` the filter of templatetags.figures that writes it; `unit` and `factor`
    say how it is typed (accuracy 0.91 is typed as 91, in %); `log`: its axis is logarithmic unless asked otherwise."""

    key: str
    label: str
    field: str
    kind: str
    unit: str
    factor: float = 1.0
    log: bool = False
    more_is_better: bool = False


MEASURES = {
    measure.key: measure
    for measure in (
        Measure("accuracy", "accuracy", "validation_accuracy", "percent", "%", 0.01, more_is_better=True),
        Measure("shock", "shock", "shock_accuracy", "percent", "%", 0.01, more_is_better=True),
        Measure("parameters", "parameters", "parameters", "count", "", log=True),
        Measure("macs", "multiply-adds", "macs", "count", "", log=True),
        Measure("bytes", "size", "bytes", "size", "kB", 1000.0, log=True),
        Measure("memory", "memory", "peak_activation_bytes", "size", "kB", 1000.0, log=True),
        Measure("latency", "latency", "latency_ms", "milliseconds", "ms", log=True),
    )
}
COSTS = ("parameters", "macs", "bytes", "memory", "latency")  # what accuracy is traded against
MOST_COMPARED = 8  # runs and networks side by side: more cannot be told apart
HEIGHTS = tuple(MEASURES)  # what the lineage can be drawn by
