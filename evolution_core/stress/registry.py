"""Signals by name, each bound to its card in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..spec import Stress, catalogue
from .base import Scene, Signal

SIGNALS: dict[str, type[Signal]] = {}


def signal(name: str) -> Callable[[type[Signal]], type[Signal]]:
    """Register a class under a name that catalogue.STRESSES explains."""
    if name not in catalogue.STRESSES:
        raise ValueError(f"{name!r} has no card in catalogue.STRESSES")

    def register(kind: type[Signal]) -> type[Signal]:
        kind.name = name
        SIGNALS[name] = kind
        return kind

    return register


def impose(stresses: Iterable[Stress], scene: Scene) -> tuple[Signal, ...]:
    """The signals of a spec (`spec.stress`), bound to the network they are to act on. They compose: gains in the
    forward pass multiply, and what acts on weights acts in the spec's order."""
    return tuple(SIGNALS[stress.name](stress, scene) for stress in stresses)
