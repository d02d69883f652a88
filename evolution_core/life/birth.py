"""Before an offspring is cut: whose child it is, who of its parents' clusters will die, and under which stress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from ..data import Data
from ..environment.budget import Reference
from ..genome import (
    ClusterMap,
    Genome,
    LoadedNetwork,
    cluster_probability,
    load_network,
    probability_of,
    taylor_strength,
)
from ..genome.strength import STRENGTHS
from ..lineage import read_record
from ..seeds import generator
from ..spec import NetworkError
from ..stress import Scene, Signal, impose
from ..synthesis import Draw, cut, draw_offspring, mate
from ..tasks.memory import images_at_once
from . import images
from .measuring import LatencyCost, network_path
from .work import Work

LEAST_GAIN = 1e-6  # over chance, of a parent that learnt nothing: its genes count, but hardly


@dataclass(frozen=True)
class Conception:
    """What an offspring is made from: the parent, or the union of its parents, before any stress.

    `probability` [n] is each cluster's chance of living, `taylor` [n] the measured strengths where that is the
    measure. `reference` is what shares are taken of where it is not the model itself (mating).
    """

    model: nn.Module
    clusters: ClusterMap
    genome: Genome
    data: Data
    masks: dict[str, Tensor]
    probability: Tensor
    taylor: Tensor | None = None
    reference: Reference | None = None
    mated: tuple[tuple[nn.Module, float], ...] = ()  # (parent, weight), where there are several


@dataclass(frozen=True)
class Deaths:
    """Who lives (`alive` [n]) and the budget that it meets; `tried` genomes were compared to find it."""

    alive: Tensor
    budget: dict[str, Any] = field(default_factory=dict)
    tried: int = 1


def conceive(work: Work) -> Conception:
    """Read the parents and join their genomes. Raises NetworkError when a parent's file cannot be read."""
    spec = work.spec
    parents = [load_network(network_path(work.directory, name)) for name in work.plan.parents]
    first = parents[0]
    data = images.seen_as(work.data, first.genome.mean, first.genome.std)
    taylors = [_taylor(work, data, parent) for parent in parents] if spec.strength == "taylor" else None
    if len(parents) == 1:
        taylor = taylors[0] if taylors else None
        probability = cluster_probability(first.model, first.clusters, spec, taylor=taylor)
        return Conception(first.model, first.clusters, first.genome, data, dict(first.masks), probability, taylor)
    weights = mating_weights(work)
    mating = mate(
        [(parent.model, parent.clusters, parent.genome) for parent in parents],
        weights,
        spec,
        taylor=taylors,
        masks=[parent.masks for parent in parents],
    )
    return Conception(
        mating.model,
        mating.clusters,
        first.genome,
        data,
        mating.masks,
        mating.probability,
        None,
        mating.reference,
        tuple(zip((parent.model for parent in parents), weights, strict=True)),
    )


def _taylor(work: Work, data: Data, parent: LoadedNetwork) -> Tensor:
    few = images.batches(images.sample(data, work.spec.repair_images, work.spec.seed, "taylor"), data, work.task)
    fitting = images_at_once(parent.model, data.shape, images.BATCH, gradients=True)
    at_once = max(work.spec.batch_size, fitting)  # training takes as many, with gradients
    return taylor_strength(parent.model, parent.clusters, few, work.task.loss, at_once=at_once)


def draw_deaths(work: Work, parent: Conception) -> Deaths:
    """Draw who will die, once and for all. With several candidates each is cut at once, without gestation, and the
    one that is best on a few training images is born. Raises NetworkError when nothing may die any more."""
    latency = None
    if work.spec.resource == "latency":
        latency = LatencyCost(parent.model, parent.clusters, parent.genome.shape, work.directory, parent.mated)
    drawn = [_draw(work, parent, number, latency) for number in range(work.spec.candidates)]
    best = 0
    if len(drawn) > 1:
        few = images.sample(parent.data, work.spec.repair_images, work.spec.seed, "candidates")
        scores = [_score(work, parent, one.alive, few) for one in drawn]
        best = max(range(len(drawn)), key=lambda index: scores[index])  # of equals, the first drawn
    budget = drawn[best].budget
    told = {"resource": budget.resource, "limit": budget.limit, "reached": budget.reached, "short": budget.short}
    return Deaths(drawn[best].alive, told, len(drawn))


def _draw(work: Work, parent: Conception, number: int, latency: LatencyCost | None) -> Draw:
    return draw_offspring(
        parent.clusters,
        parent.probability,
        work.spec,
        work.plan.generation,
        generator(work.spec.seed, "draw", work.plan.id, number),
        latency=latency,
        ancestor_latency=latency.ancestor_ms if latency else None,
        reference=parent.reference,
    )


def _score(work: Work, parent: Conception, alive: Tensor, few: Any) -> float:
    """The metric of the network that this draw would leave, right after synthesis; -1 where it cannot be cut."""
    try:
        trial = cut(parent.model, parent.clusters, alive)
    except NetworkError:
        return -1.0
    return work.task.evaluate(trial, few, parent.data)[work.task.metric]


def signals_for(work: Work, parent: Conception, model: nn.Module, alive: Tensor) -> tuple[Signal, ...]:
    """The spec's stress signals, bound to the copy of the parent that goes into gestation."""
    from ..genome import synapse_probability

    synapses = None
    if work.spec.encoding != "cluster":
        synapses = lambda network: synapse_probability(network, work.spec)  # noqa: E731
    scene = Scene(model, parent.clusters, ~alive, _current_probability(work, parent), synapses)
    return impose(work.spec.stress, scene)


def _current_probability(work: Work, parent: Conception) -> Callable[[nn.Module], Tensor]:
    """Model -> probabilities [n] as its weights are now. Taylor strengths were measured before gestation; they are
    carried on in proportion to each cluster's norm (our formalisation), for gradients at every step would cost more
    than the training."""
    spec, clusters, taylor = work.spec, parent.clusters, parent.taylor
    if spec.strength != "taylor":
        return lambda model: cluster_probability(model, clusters, spec)
    norm = STRENGTHS["l2"]
    first = norm(parent.model, clusters, 0.0).clamp(min=1e-12)
    if taylor is None:  # a union of parents: its probabilities stand for the strengths
        taylor = parent.probability
    return lambda model: probability_of(taylor * norm(model, clusters, 0.0) / first, clusters, spec.sharpness)


def mating_weights(work: Work) -> list[float]:
    """How much each parent counts, summing to 1: equal, or by validation metric above chance (our formalisation: an
    offspring of a ruined parent and a sound one should be the sound one's child)."""
    count = len(work.plan.parents)
    if work.spec.mating_weights == "fitness":
        floor = work.task.chance(work.data)
        records = [read_record(work.directory, name) for name in work.plan.parents]
        gains = [max(LEAST_GAIN, ((r.validation_accuracy if r else None) or 0.0) - floor) for r in records]
        return [gain / sum(gains) for gain in gains]
    return [1.0 / count] * count
