"""The life of an offspring: drawn, carried under stress, cut and proven, shocked, grown, measured.

    draw -> gestation -> cut + proof -> (repair) -> shock -> growth -> measured

Who will die is drawn once, before gestation, from the parents' genome, whatever the stress; so runs that differ in
their stress alone compare the same deaths after the same number of epochs. The parents' files are only read.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..events import Event
from ..genome import load_network, synapse_probability, trace_clusters
from ..records import ANCESTOR
from ..seeds import derive, generator
from ..spec import NetworkError, RunSpec, TrainingError
from ..synthesis import apply_mask, cut, cut_masks, draw_masks, prove, repair
from . import images
from .birth import Conception, conceive, draw_deaths, signals_for
from .measuring import finish, network_path
from .newborn import forget
from .work import Work

MASK = "mask/"  # in the checkpoint: masks of the offspring, by parameter name
AFTER_CUT = ("cut", "repaired", "shock")


@dataclass(frozen=True)
class Epochs:
    """How a birth's epochs are spent."""

    gestation: float
    growth: float

    @property
    def whole(self) -> float:
        return self.gestation + self.growth


def epochs_of(spec: RunSpec, generation: int) -> Epochs:
    """The same sum for every stress: `gestation`'s share of it before the cut, the rest after."""
    whole = spec.epochs
    if generation == spec.generations and spec.last_epochs is not None:
        whole = spec.last_epochs
    return Epochs(spec.gestation * whole, (1.0 - spec.gestation) * whole)


class Refused(Exception):
    """This offspring may not live on; says why."""


@dataclass
class Child:
    """An offspring after the cut; `masks` are the synapses that live in it, where the encoding has any."""

    model: nn.Module
    masks: dict[str, Tensor] = field(default_factory=dict)


class Birth:
    """One offspring's life. :meth:`events` goes through it from where an earlier process left it."""

    def __init__(self, work: Work) -> None:
        self.work, self.spec, self.plan = work, work.spec, work.plan
        self.epochs = epochs_of(work.spec, work.plan.generation)
        work.whole = self.epochs.whole

    def events(self) -> Iterator[Event]:
        """Tell the life as it is lived. A draw, surgery or training that fails refuses the offspring and no more;
        NetworkError is raised only when a parent's file cannot be read."""
        work, plan = self.work, self.plan
        about = {"generation": plan.generation, "parents": list(plan.parents), "epochs": self.epochs.whole}
        yield work.milestone("born", **about)
        parent = conceive(work)
        try:
            child = yield from self._until_shock(parent)
            yield work.milestone("growth", epochs=self.epochs.growth)
            yield from self._growth(parent, child)
        except (Refused, NetworkError, TrainingError) as error:
            proof = (work.told("cut") or {}).get("proof")
            yield work.refuse(str(error), proof=proof, lrn_effect=(proof or {}).get("lrn_effect"))
            return
        yield self._measured(parent, child)

    def _until_shock(self, parent: Conception) -> Generator[Event, None, Child]:
        """Everything up to the newly cut offspring, which is returned."""
        alive = self._alive(parent)
        yield self.work.milestone("drawn", **(self.work.told("drawn") or {}))
        if self.epochs.gestation > 0:
            stress = [signal.name for signal in self.spec.stress]
            yield self.work.milestone("gestation", epochs=self.epochs.gestation, stress=stress)
        if self.work.phase_reached == "growth":
            self.work.done = self.epochs.gestation
            yield from (self.work.event(kind, **told) for kind in AFTER_CUT if (told := self.work.told(kind)))
            return self._taken_up(parent, alive)
        gestated = copy.deepcopy(parent.model)
        yield from self._gestation(parent, gestated, alive)
        child = yield from self._cut(parent, gestated, alive)
        yield from self._synthesis(parent, gestated, child, alive)
        return child

    # -- the draw

    def _alive(self, parent: Conception) -> Tensor:
        """[n] who will live: as an earlier process drew it, or drawn now."""
        if "alive" not in self.work.tensors:
            deaths = draw_deaths(self.work, parent)
            self.work.tensors["alive"] = deaths.alive
            before, after = parent.clusters.counts(), parent.clusters.counts(deaths.alive)
            self.work.milestone(
                "drawn",
                clusters=len(deaths.alive),
                doomed=int((~deaths.alive).sum()),
                share=round(float(deaths.alive.double().mean()), 6),
                layers={layer: [before[layer], after[layer]] for layer in before},
                candidates=deaths.tried,
                budget=deaths.budget,
            )
        return self.work.tensors["alive"]

    # -- gestation, cut, synthesis

    def _gestation(self, parent: Conception, model: nn.Module, alive: Tensor) -> Iterator[Event]:
        """Train a copy of the parent under stress, so that it learns to live without the doomed."""
        if self.epochs.gestation == 0:
            return
        signals = signals_for(self.work, parent, model, alive)
        yield from self.work.train(
            model,
            parent.data,
            epochs=self.epochs.gestation,
            phase="gestation",
            signals=signals,
            masks=parent.masks,
        )

    def _cut(self, parent: Conception, gestated: nn.Module, alive: Tensor) -> Generator[Event, None, Child]:
        """Remove the dead, and prove that what is left computes what the silenced parent computes."""
        example = torch.zeros(2, *parent.genome.shape)
        model = cut(gestated, parent.clusters, alive)
        proof = prove(gestated, model, parent.clusters, alive, example, seed=derive(self.work.seed, "proof"))
        counts = parent.clusters.counts(alive)
        found = plain(proof.to_json())
        event = self.work.milestone("cut", proof=found, lrn_effect=found["lrn_effect"], clusters=counts)
        if not proof.ok:
            raise Refused(f"its surgery could not be proven: {proof.reason}")
        yield event
        return Child(model, cut_masks(parent.masks, parent.clusters, alive))

    def _synthesis(self, parent: Conception, gestated: nn.Module, child: Child, alive: Tensor) -> Iterator[Event]:
        """What the spec asks for between the cut and the first training: repair or forgetting, then the synapses that
        are masked; and the shock."""
        work, spec, model = self.work, self.spec, child.model
        chances = synapse_probability(model, spec) if spec.encoding != "cluster" else {}
        if spec.inheritance == "newborn":
            forget(model, derive(work.seed, "newborn"))
        elif spec.repair:
            few = images.sample(parent.data, spec.repair_images, spec.seed, "repair")
            refitted = repair(model, gestated, parent.clusters, alive, images.inputs(few, parent.data))
            layers = {one.layer: [round(one.before, 6), round(one.after, 6)] for one in refitted}
            yield work.milestone("repaired", layers=layers, images=len(few))
        if chances:
            child.masks = draw_masks(model, chances, spec, generator(spec.seed, "synapses", self.plan.id), child.masks)
        apply_mask(model, child.masks)
        work.tensors.update({MASK + name: mask for name, mask in child.masks.items()})
        metric = work.task.metric
        yield work.milestone("shock", **{metric: work.metrics(model, parent.data)[metric]})

    def _taken_up(self, parent: Conception, alive: Tensor) -> Child:
        """The offspring's shape again; training takes its numbers from the checkpoint."""
        masks = {name.removeprefix(MASK): mask for name, mask in self.work.tensors.items() if name.startswith(MASK)}
        return Child(cut(parent.model, parent.clusters, alive), masks)

    # -- growth and the end

    def _growth(self, parent: Conception, child: Child) -> Iterator[Event]:
        """Train unstressed."""
        teacher = None
        if self.spec.distillation > 0:
            teacher = load_network(network_path(self.work.directory, ANCESTOR)).model
        yield from self.work.train(
            child.model,
            parent.data,
            epochs=self.epochs.growth,
            phase="growth",
            teacher=teacher,
            masks=child.masks,
        )

    def _measured(self, parent: Conception, child: Child) -> Event:
        clusters = trace_clusters(child.model, torch.zeros(2, *parent.genome.shape))
        plan = self.plan
        genome = replace(parent.genome, id=plan.id, parents=plan.parents, generation=plan.generation)
        proof = (self.work.told("cut") or {}).get("proof")
        return finish(
            self.work,
            child.model,
            clusters,
            genome,
            parent.data,
            child.masks,
            shock_accuracy=(self.work.told("shock") or {}).get(self.work.task.metric),
            proof=proof,
            lrn_effect=(proof or {}).get("lrn_effect"),
        )


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without infinities and what is no number, which JSON lacks."""
    return {key: None if isinstance(part, float) and not math.isfinite(part) else part for key, part in value.items()}
