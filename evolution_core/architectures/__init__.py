"""The base networks: a registry by decorator, each entry bound to its card in the catalogue."""

from . import alexnet, darknet, lenet, mobilenet, resnet, vgg, yolo  # noqa: F401  (registered on import)
from .layers import LocalResponseNorm, is_leaf
from .region import Region, region_of
from .registry import Architecture, architecture, build, check_fit, get, names
from .weights import load_weights

__all__ = [
    "Architecture",
    "LocalResponseNorm",
    "Region",
    "architecture",
    "build",
    "check_fit",
    "get",
    "is_leaf",
    "load_weights",
    "names",
    "region_of",
]
