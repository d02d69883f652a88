"""The builders, one file a family of operators; importing this package registers them all."""

from . import activations, convolution, elementwise, linear, movement, normalisation, pooling, reduction, shapes  # noqa: F401
from .registry import builder, operator, supported

__all__ = ["builder", "operator", "supported"]
