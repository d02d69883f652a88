"""What a run is and what it can be made of. Imports no torch: the dashboard reads it too."""

from . import catalogue
from .composites import Environment, Stress
from .errors import DataError, EustressError, NetworkError, SpecError, TrainingError
from .headlines import HEADLINES, Headline
from .netscore import netscore
from .run import SETTINGS, RunSpec
from .settings import GROUPS, Setting

__all__ = [
    "GROUPS",
    "HEADLINES",
    "SETTINGS",
    "DataError",
    "Environment",
    "EustressError",
    "Headline",
    "NetworkError",
    "RunSpec",
    "Setting",
    "SpecError",
    "Stress",
    "TrainingError",
    "catalogue",
    "netscore",
]
