"""The stress signals. Each is our formalisation [O] of what StressedNets' abstract fixes [A]; see base.py."""

from __future__ import annotations

import torch
from torch import Tensor

from ..spec import Stress
from .base import Moment, Scene, Signal
from .clusters import blocks_of, calibrated, deaths
from .registry import signal

_PRESSURE_DOSE = 0.16  # progress times the learning rate's share of its peak, summed over a gestation; about


def _faded(scheduled: Signal, progress: float) -> float:
    """0..1: how far a fade has come. The schedule sets its pace; at `fade` of gestation it is complete."""
    fade, dealt = scheduled.parameters["fade"], scheduled.schedule.dealt
    if progress >= fade:
        return 1.0
    return min(1.0, dealt(progress) / max(dealt(fade), 1e-12))


@signal("death-list")
class DeathList(Signal):
    """The doomed fade to zero in the forward pass and stay there; when gestation ends their weights are zero too. [O]

    The most literal reading of [A] "adapt itself to the changes that will happen at the evolution step": the network
    learns to live without exactly those clusters that will be cut, so the cut itself changes nothing.
    """

    def __init__(self, stress: Stress, scene: Scene) -> None:
        super().__init__(stress, scene)
        self.doomed = scene.doomed.float()

    def gain(self, moment: Moment) -> Tensor | None:
        return 1.0 - _faded(self, moment.progress) * self.doomed

    def finish(self, moment: Moment) -> None:
        self.slices.scale(self.scene.model, 1.0 - self.doomed)


@signal("rehearsal")
class Rehearsal(Signal):
    """Deaths drawn afresh from the current P in each step; each of the drawn is silent in that step's forward pass
    with a chance that rises to `peak` over gestation. Weights are kept. [O]"""

    def __init__(self, stress: Stress, scene: Scene) -> None:
        super().__init__(stress, scene)
        self.blocks = blocks_of(scene.clusters)

    def gain(self, moment: Moment) -> Tensor | None:
        chance = self.parameters["peak"] * moment.progress * self.schedule.level(moment.progress)
        if chance == 0.0:
            return None
        luck = moment.generator(self.name)
        drawn = deaths(self.blocks, self.scene.doomed, self.scene.probability(self.scene.model), luck)
        silent = drawn & (torch.rand(len(drawn), generator=luck) < chance)
        return 1.0 - silent.float()


@signal("weakening")
class Weakening(Signal):
    """Every `every` steps deaths are drawn from the current P and the drawn clusters' synapses multiplied by `factor`.
    P follows the weights, so the weakened are likelier to be drawn again, and to die: the trauma is inherited. [O]

    Closest to the precursor's "environmental traumatic stresses imposed to synapses during training" [A]. The factor
    is 1 - l r (1 - factor) under a schedule's level l and a learning rate of r times its peak: a network that no
    longer learns could not recover from a blow.
    """

    def __init__(self, stress: Stress, scene: Scene) -> None:
        super().__init__(stress, scene)
        self.blocks = blocks_of(scene.clusters)

    def after_step(self, moment: Moment) -> None:
        level = self.schedule.level(moment.progress) * moment.rate
        if (moment.step + 1) % round(self.parameters["every"]) or level == 0.0:
            return
        probability = self.scene.probability(self.scene.model)
        drawn = deaths(self.blocks, self.scene.doomed, probability, moment.generator(self.name))
        self.slices.scale(self.scene.model, 1.0 - level * (1.0 - self.parameters["factor"]) * drawn.float())


@signal("pressure")
class Pressure(Signal):
    """A pull towards zero in proportion to (1 - P), on clusters, and on single synapses where the encoding has them;
    for each step of learning it is stronger the further gestation has come. [O]

    P is the chance of living in this environment, min(1, k P), with k such that as many are expected to live as will:
    those who surely live are not pressed. The pull is proportional to the learning rate too, for a network that no
    longer learns cannot adapt. The dose is bounded: over a whole gestation, and unless the loss holds against it, a
    cluster's synapses shrink by about exp(-strength (1 - P)), however many steps there are. At the default strength
    even the least likely keeps a third of itself: the network is pressed and not collapsed; at 3 accuracy suffers.
    """

    def __init__(self, stress: Stress, scene: Scene) -> None:
        super().__init__(stress, scene)
        self.blocks = blocks_of(scene.clusters)

    def after_step(self, moment: Moment) -> None:
        rate = moment.progress * moment.rate * self.schedule.level(moment.progress) / moment.steps / _PRESSURE_DOSE
        if rate == 0.0:
            return
        model, strength = self.scene.model, self.parameters["strength"]
        with torch.no_grad():
            probability = calibrated(self.blocks, self.scene.doomed, self.scene.probability(model).detach().cpu())
            self.slices.scale(model, torch.exp(-strength * rate * (1.0 - probability)))
            if self.scene.synapses is not None:
                named = dict(model.named_parameters())
                for name, chance in self.scene.synapses(model).items():
                    named[name].mul_(torch.exp(-strength * rate * (1.0 - chance.clamp(0.0, 1.0))))


@signal("random")
class Random(Signal):
    """Control: the dose of a death list (as many clusters of every layer, faded alike) on clusters drawn blind to P
    and to the deaths to come. Their weights are kept beneath and are themselves again when gestation ends, for they
    are not the ones to be cut: what is left is the stress, without the foresight. [O]"""

    def __init__(self, stress: Stress, scene: Scene) -> None:
        super().__init__(stress, scene)
        self._blocks = blocks_of(scene.clusters)
        self._victims: Tensor | None = None

    def victims(self, moment: Moment) -> Tensor:
        """Bool [n]: the blind draw, the same in every step of a gestation."""
        if self._victims is None:
            luck = Moment(0, moment.steps, moment.seed, moment.phase).generator(self.name)
            blind = torch.ones(self.scene.clusters.n)
            self._victims = deaths(self._blocks, self.scene.doomed, blind, luck)
        return self._victims

    def gain(self, moment: Moment) -> Tensor | None:
        return 1.0 - _faded(self, moment.progress) * self.victims(moment).float()


@signal("none")
class NoStress(Signal):
    """Control: nothing is imposed; the same epochs and the same draw, without any warning."""
