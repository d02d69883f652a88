"""One registry of base networks: a name of the catalogue bound to the function that makes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from evolution_core.spec import NetworkError, RunSpec
from evolution_core.spec.base_networks import ARCHITECTURES, ArchitectureCard

from .initialise import initialise

Shape = tuple[int, int, int]  # channels, height, width
Factory = Callable[..., nn.Module]  # (classes, shape, width) -> module

MAXIMUM_OUTPUTS = 10_000


@dataclass(frozen=True)
class Architecture:
    """A registered base network. `head` names its last layer, `gain` the spread of its first weights.

    `aliases` gives other names under which its trained layers are in circulation: theirs -> ours.
    """

    card: ArchitectureCard
    factory: Factory
    head: str
    gain: float
    aliases: Callable[[], dict[str, str]]


_registry: dict[str, Architecture] = {}


def architecture(
    name: str, *, head: str, gain: float = math.sqrt(2.0), aliases: Callable[[], dict[str, str]] = dict
) -> Callable[[Factory], Factory]:
    """Decorator: bind a factory to the card `name` of the catalogue.

    The factory takes (classes, shape (C, H, W), width multiplier) and returns a module that
    torch.fx can trace. Raises KeyError when the catalogue has no such card, ValueError on a
    name taken twice.
    """

    def bind(factory: Factory) -> Factory:
        if name in _registry:
            raise ValueError(f"the architecture {name!r} is registered twice")
        _registry[name] = Architecture(ARCHITECTURES[name], factory, head, gain, aliases)
        return factory

    return bind


def names() -> tuple[str, ...]:
    """Every registered name, in the catalogue's order."""
    return tuple(name for name in ARCHITECTURES if name in _registry)


def get(name: str) -> Architecture:
    """The registered base network; NetworkError when there is none of that name."""
    try:
        return _registry[name]
    except KeyError:
        raise NetworkError(f"{name[:60]!r} is not a base network; choose one of {', '.join(names())}") from None


def build(
    spec_or_name: RunSpec | str,
    classes: int,
    shape: Shape,
    width: float | None = None,
    seed: int | None = None,
) -> nn.Module:
    """A newborn base network for inputs [N, *shape] and `classes` classes, in training mode.

    A spec gives name, width and seed (both can be overridden); a name means width 1 and seed 0.
    The weights are a function of the seed alone; the global random state is neither read nor
    moved. Raises NetworkError when the input does not fit, saying what would.
    """
    if isinstance(spec_or_name, RunSpec):
        name, default_width, default_seed = spec_or_name.architecture, spec_or_name.width, spec_or_name.seed
    else:
        name, default_width, default_seed = spec_or_name, 1.0, 0
    found = get(name)
    width = default_width if width is None else width
    check_fit(found.card, classes, shape)
    with torch.device("meta"):  # layers draw nothing there
        model = _make(found, classes, shape, width)
    model = model.to_empty(device="cpu")
    initialise(model, default_seed if seed is None else seed, gain=found.gain, head=found.head)
    return model


def _make(found: Architecture, classes: int, shape: Shape, width: float) -> nn.Module:
    try:
        return found.factory(classes, shape, width)
    except NetworkError as error:
        raise NetworkError(f"{found.card.label} cannot take {shape[2]}x{shape[1]} pixels: {error}") from None


def check_fit(card: ArchitectureCard, classes: int, shape: Shape) -> None:
    """Whether `card` can take such inputs. Raises NetworkError with one sentence otherwise."""
    channels, height, width = shape
    if channels < 1 or not 1 <= classes <= MAXIMUM_OUTPUTS:
        raise NetworkError(
            f"{card.label} needs at least one channel and 1 to {MAXIMUM_OUTPUTS:,} classes, "
            f"not {channels} and {classes:,}"
        )
    if min(height, width) < card.minimum_size:
        raise NetworkError(
            f"{card.label} needs images of at least {card.minimum_size}x{card.minimum_size} pixels, "
            f"not {width}x{height}; choose a larger input size"
        )
    if height % card.size_multiple or width % card.size_multiple:
        raise NetworkError(
            f"{card.label} needs image sizes in multiples of {card.size_multiple} pixels, not {width}x{height}"
        )
