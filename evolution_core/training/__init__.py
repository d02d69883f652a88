"""Training: one loop, its optimizers, its checkpoint."""

from ..spec import TrainingError
from .checkpoint import Checkpoint, Saved
from .loop import TrainingProgress, train
from .optimizers import Optimizer

__all__ = [
    "Checkpoint",
    "Optimizer",
    "Saved",
    "TrainingError",
    "TrainingProgress",
    "train",
]
