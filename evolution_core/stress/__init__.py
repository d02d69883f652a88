"""Stress signals: what is imposed on synapses in gestation, and when."""

from . import signals  # noqa: F401  (registered on import)
from .base import Moment, Scene, Signal, combined_gain, imposed
from .registry import SIGNALS, impose
from .schedules import SCHEDULES

__all__ = ["SCHEDULES", "SIGNALS", "Moment", "Scene", "Signal", "combined_gain", "impose", "imposed"]
