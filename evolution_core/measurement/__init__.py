"""What a network costs: parameters, multiply-adds, bytes, memory and measured time."""

from .counts import count_bytes, count_macs, count_parameters, layer_table, peak_activation_bytes
from .latency import latency_ms
from .measuring import Measurement, measure

__all__ = [
    "Measurement",
    "count_bytes",
    "count_macs",
    "count_parameters",
    "latency_ms",
    "layer_table",
    "measure",
    "peak_activation_bytes",
]
