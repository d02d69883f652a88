"""Environmental factors and the budgets that they mean."""

from .budget import Budget, Reference, check_layers
from .factors import ENVIRONMENTS, Factor, environment, share

__all__ = ["ENVIRONMENTS", "Budget", "Factor", "Reference", "check_layers", "environment", "share"]
