"""What a stress signal is: something imposed on synapses while a parent's copy trains, before its offspring is cut.

[A] "Stress signals are imposed upon the synapses during training"; they help "a network to adapt itself to the changes
that will happen at the evolution step" (StressedNets, arXiv 1801.05387). What each signal does exactly is our
formalisation and marked [O] in its class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..genome import ClusterMap
from ..seeds import generator
from ..spec import Stress
from .clusters import Slices
from .schedules import schedule_of


@dataclass(frozen=True)
class Scene:
    """What signals act on: `doomed` (bool [n]) are the clusters that were drawn to die at the cut, `probability` maps
    the model, as it is now, to each cluster's chance of living [n], and `synapses`, where the encoding has synapses
    that live or die singly, to each synapse's by parameter name."""

    model: nn.Module
    clusters: ClusterMap
    doomed: Tensor
    probability: Callable[[nn.Module], Tensor]
    synapses: Callable[[nn.Module], dict[str, Tensor]] | None = None


@dataclass(frozen=True)
class Moment:
    """A step of a phase: `step` of `steps`, counted from 0; `rate` is the learning rate as a share of its peak. Its
    random streams depend on nothing else."""

    step: int
    steps: int
    seed: int
    phase: str
    rate: float = 1.0

    @property
    def progress(self) -> float:
        """0..1; exactly 1 in the last step."""
        return min(1.0, (self.step + 1) / self.steps)

    def generator(self, label: str) -> torch.Generator:
        return generator(self.seed, self.phase, label, self.step)


class Signal:
    """A stress signal. It keeps no state between steps: each hook is a function of the model and the moment, so that a
    gestation can be taken up again at any step.
    """

    name: str

    def __init__(self, stress: Stress, scene: Scene) -> None:
        self.scene = scene
        self.parameters = stress.parameters
        self.schedule = schedule_of(stress)
        self.slices = Slices(scene.clusters, scene.model)

    def gain(self, moment: Moment) -> Tensor | None:
        """[n], 0..1: what each cluster's synapses are multiplied by in this step's forward pass; their weights stay
        as they are. None: nothing is silenced."""
        return None

    def after_step(self, moment: Moment) -> None:
        """Act on the weights in place, after the optimizer's step."""

    def finish(self, moment: Moment) -> None:
        """Act once more when the phase has ended; must bear being called twice."""


def combined_gain(signals: Sequence[Signal], model: nn.Module, moment: Moment) -> dict[str, Tensor]:
    """The parameters as the signals let the forward pass see them, by name; only those that differ. Gradients flow
    through the product to the weights beneath."""
    gain: Tensor | None = None
    for signal in signals:
        if (own := signal.gain(moment)) is not None:
            gain = own if gain is None else gain * own
    if gain is None:
        return {}
    named = dict(model.named_parameters())
    gain = gain.to(next(iter(named.values())).device)
    return {name: named[name] * factor for name, factor in signals[0].slices.factors(gain)}


@contextmanager
def imposed(signals: Sequence[Signal], model: nn.Module, moment: Moment) -> Iterator[None]:
    """The model with its parameters as the signals let a forward pass see them, for as long as this lasts; then the
    weights are what they were, bit by bit."""
    named = dict(model.named_parameters())
    with torch.no_grad():
        seen = combined_gain(signals, model, moment)
        own = {name: named[name].detach().clone() for name in seen}
        for name, value in seen.items():
            named[name].copy_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in own.items():
                named[name].copy_(value)
