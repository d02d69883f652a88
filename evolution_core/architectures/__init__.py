"""The base networks: a registry by decorator, each entry bound to its card in the catalogue."""

from . import alexnet, lenet  # noqa: F401  (registered on import)
from .layers import LocalResponseNorm, is_leaf
from .registry import Architecture, architecture, build, check_fit, default_input, get, names

__all__ = [
    "Architecture",
    "LocalResponseNorm",
    "architecture",
    "build",
    "check_fit",
    "default_input",
    "get",
    "is_leaf",
    "names",
]
