"""Selection: fitness, Pareto front, hypervolume, NetScore; who survives, who is born next, which one is chosen.

Pure functions of a spec and network records. Imports no torch.
"""

from ..spec import netscore
from .objectives import is_within_drop, objective_vectors, record_netscore
from .pareto import contributions, crowding, hypervolume, is_on_front, ranks
from .planning import next_plans, plan_generation, survivors
from .survival import choose, front, hypervolumes, rank_for_survival

__all__ = [
    "choose",
    "contributions",
    "crowding",
    "front",
    "hypervolume",
    "hypervolumes",
    "is_on_front",
    "is_within_drop",
    "netscore",
    "next_plans",
    "objective_vectors",
    "plan_generation",
    "rank_for_survival",
    "ranks",
    "record_netscore",
    "survivors",
]
