"""What a network costs: parameters, multiply-adds, bytes, memory and measured time."""

from .counts import count_parameters

__all__ = ["count_parameters"]
