"""Training: one loop, its optimizers, its checkpoint."""

from ..spec import TrainingError
from .checkpoint import Checkpoint, Saved
from .loop import TrainingProgress, train
from .optimizers import Optimizer
from .taylor import some_batches, taylor_scores

__all__ = [
    "Checkpoint",
    "Optimizer",
    "Saved",
    "TrainingError",
    "TrainingProgress",
    "some_batches",
    "taylor_scores",
    "train",
]
