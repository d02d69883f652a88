"""The leading line of a run, drawn and cut generation by generation without training."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data import Data
from ..genome import ClusterMap, Genome, save_network, synapse_probability, trace_clusters
from ..life.ancestor import Base
from ..life.birth import Conception, conceive, draw_deaths
from ..life.measuring import network_path
from ..life.work import Work
from ..measurement.counts import count_bytes, count_parameters, walk
from ..records import ANCESTOR, Plan, ancestor_plan
from ..seeds import derive, generator
from ..spec import NetworkError, RunSpec
from ..synthesis import cut, cut_masks, draw_masks, living_synapses, prove
from .report import Sketched


@dataclass(frozen=True)
class Born:
    """A sketched network with what it is made of. `seconds` is what drawing, cutting and proving it took; `parent`
    and `alive` are None for the ancestor."""

    sketched: Sketched
    model: nn.Module
    data: Data  # with the pixel statistics that this line is fed with
    work: Work
    masks: dict[str, Tensor]
    parent: Conception | None = None
    alive: Tensor | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Line:
    """The offspring of a line, and the first and the last of them with all that they are made of: of large networks
    no more than these fit into memory at once. `notes` are sentences for people."""

    sketched: list[Sketched]
    first: Born
    last: Born
    notes: list[str]


def sketch_ancestor(spec: RunSpec, base: Base, directory: Path) -> Born:
    """The base network as it comes, written where its offspring look for it."""
    work = Work(spec, ancestor_plan(), base.data, directory)
    save_network(network_path(directory, ANCESTOR), base.model, base.genome.of(base.clusters, base.model), {})
    found = _counted(work.plan, base.model, base.clusters, base.genome, {}, directory, {})
    return Born(found, base.model, base.data, work, {})


def sketch_line(spec: RunSpec, ancestor: Born, directory: Path, *, seconds: float, check: Callable[[], None]) -> Line:
    """One offspring a generation, each cut from the last, until `seconds` have passed.

    A parent is taken as it was born, so that every generation is the size that the environment asks for. Mates and
    candidates change who dies, hardly how many: the line has one parent and one draw. Raises SpecError where the spec
    names a layer that does not exist, NetworkError where the first offspring cannot be made.
    """
    plain = spec.replace(candidates=1, parents=1)
    started = time.perf_counter()
    first = last = _born(_work(plain, 1, ancestor.sketched.id, ancestor.data, directory), directory)
    sketched, notes = [first.sketched], []
    for generation in range(2, spec.generations + 1):
        check()
        if time.perf_counter() - started > seconds:
            break
        try:
            last = _born(_work(plain, generation, last.sketched.id, ancestor.data, directory), directory)
        except NetworkError as error:
            notes.append(f"Generation {generation} could not be born: {error}.")
            break
        sketched.append(last.sketched)
    return Line(sketched, first, last, notes)


def _work(spec: RunSpec, generation: int, parent: str, data: Data, directory: Path) -> Work:
    return Work(spec, Plan(f"{generation}-1", generation, (parent,)), data, directory)


def _born(work: Work, directory: Path) -> Born:
    clock = time.perf_counter()
    parent = conceive(work)
    deaths = draw_deaths(work, parent)
    alive, clusters = deaths.alive, parent.clusters
    child = cut(parent.model, clusters, alive)
    example = torch.zeros(2, *parent.genome.shape)
    if work.plan.generation == 1:
        proof = prove(parent.model, child, clusters, alive, example, seed=derive(work.seed, "proof"))
        if not proof.ok:
            raise NetworkError(f"The first offspring's surgery could not be proven: {proof.reason}")
    masks = cut_masks(parent.masks, clusters, alive)
    if work.spec.encoding != "cluster":
        chances = synapse_probability(child, work.spec)
        masks = draw_masks(child, chances, work.spec, generator(work.spec.seed, "synapses", work.plan.id), masks)
    seconds = time.perf_counter() - clock
    traced = trace_clusters(child, example)
    genome = replace(parent.genome, id=work.plan.id, parents=work.plan.parents, generation=work.plan.generation)
    save_network(network_path(directory, work.plan.id), child, genome.of(traced, child), masks)
    found = _counted(work.plan, child, traced, genome, masks, directory, deaths.budget)
    return Born(found, child, parent.data, work, masks, parent, alive, seconds)


def _counted(
    plan: Plan,
    model: nn.Module,
    clusters: ClusterMap,
    genome: Genome,
    masks: dict[str, Tensor],
    directory: Path,
    budget: dict[str, Any],
) -> Sketched:
    return Sketched(
        plan.id,
        plan.generation,
        count_parameters(model),
        living_synapses(model, masks),
        walk(model, genome.shape).macs,
        count_bytes(model),
        network_path(directory, plan.id).stat().st_size,
        clusters.counts(),
        dict(budget),
    )
