"""Readers of every accepted format, one canonical form, and the parts that runs train, compare and test on."""

from .files import Limits, Source
from .inspection import inspect
from .loading import input_shape, load
from .model import ClassCount, Data, Inspection, Sample, Sizes, Split, statistics

__all__ = [
    "ClassCount",
    "Data",
    "Inspection",
    "Limits",
    "Sample",
    "Sizes",
    "Source",
    "Split",
    "input_shape",
    "inspect",
    "load",
    "statistics",
]
