"""One unit: an arm with a seed, run through the engine's own code, to the figures that are kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from evolution_core import lineage
from evolution_core.evolution import describe, evolve
from evolution_core.life import open_test
from evolution_core.life.offspring import epochs_of
from evolution_core.records import NetworkRecord, write_json
from evolution_core.spec import EustressError, RunSpec

from . import results
from .ancestors import LATENCY, ancestor_spec, copy_into, trained
from .declared import Arm, Claim, epochs_in_all
from .places import RESULTS, WORK, data_for

Tell = Callable[[str], None]


def run(claim: Claim, arm: Arm, seed: int, tell: Tell, *, work: Path = WORK, kept: Path = RESULTS) -> dict[str, Any]:
    """Run the unit, or go on where it was cut off; its figures are kept, and returned. EustressError when it cannot be
    run: data that are missing, a control whose arm has no result yet, a run that ended without a network."""
    from . import controls, peers, sizes

    torch.set_num_threads(1)
    spec = claim.spec(arm, seed)
    kinds: dict[str, Callable[..., dict[str, Any]]] = {
        "evolve": evolved,
        "dense": controls.dense,
        "scratch": controls.scratch,
        "narrowed": controls.narrowed,
        "torch-pruning": peers.pruned,
        "size": sizes.cut_only,
    }
    folder = work / "units" / claim.name / f"{arm.name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    with lineage.locked(folder.parent / folder.name):
        known = results.read(claim, arm, seed, kept)
        if known is not None:
            return known
        reference = None
        if arm.of is not None and arm.kind != "dense":  # which needs no size
            reference = results.read(claim, claim.arm(arm.of), seed, kept)
            if reference is None:
                raise EustressError(f"{arm.name}: the arm {arm.of} has no result with seed {seed} yet")
        found = kinds[arm.kind](claim, arm, spec, folder, tell, reference=reference, work=work)
        results.write(claim, arm, seed, spec, found, kept)
    shutil.rmtree(folder)
    return found


def evolved(
    claim: Claim, arm: Arm, spec: RunSpec, folder: Path, tell: Tell, *, reference: Any = None, work: Path = WORK
) -> dict[str, Any]:
    """A run of the engine from an ancestor that all arms of the seed share. Of each generation the network that does
    best on validation images is told; the last generation's is the arm's network, and the test set is opened for it
    and for the ancestor alone."""
    data = data_for(claim.data, spec)
    ancestor, first = trained(ancestor_spec(spec), data, work)
    out = folder / "run"
    if (out / lineage.RUN_FILE).exists() and lineage.read_run(out)["spec"] != spec.to_json():
        shutil.rmtree(out)  # it was declared otherwise when it was begun
    place = {"data": None, "own": None, "weights": None, "fingerprint": data.fingerprint, "threads": 1}
    lineage.claim(out, spec, place)
    if lineage.read_record(out, ancestor.id) is None:
        copy_into(first, out)
    for event in evolve(spec, data, out, threads=1, latency_seconds=LATENCY):
        if event.kind in ("shock", "refused", "measured"):
            tell(f"{event.network}: {event.kind} {event.data.get('accuracy', event.data.get('reason', ''))}")
    records = [record for record in lineage.read_networks(out) if record.generation > 0]
    last = _best(records, spec.generations)
    chosen = last if last.test_accuracy is not None else open_test(spec, last, data, out)
    write_json(lineage.record_file(out, chosen.id), chosen.to_json())
    best = [_best(records, generation) for generation in range(1, spec.generations + 1)]
    return {
        "about_data": describe(data),
        "epochs": epochs_in_all(spec),
        "seconds": round(sum(sum(record.seconds.values()) for record in (ancestor, *best)), 1),
        "metric": ancestor.metric,
        "ancestor": results.network(ancestor, ancestor) | {"seconds": ancestor.seconds},
        "generations": [_generation(spec, record, ancestor) for record in best],
        "networks": [_generation(spec, record, ancestor) for record in records] if spec.offspring > 1 else [],
        "chosen": results.network(chosen, ancestor),
    }


def _best(records: list[NetworkRecord], generation: int) -> NetworkRecord:
    born = [record for record in records if record.generation == generation and record.is_measured]
    if not born:
        reasons = "; ".join(record.message for record in records if record.message) or "it ended early"
        raise EustressError(f"generation {generation} has no network: {reasons}")
    return max(born, key=lambda record: record.validation_accuracy or 0.0)


def _generation(spec: RunSpec, record: NetworkRecord, ancestor: NetworkRecord) -> dict[str, Any]:
    if not record.is_measured:
        return {"id": record.id, "generation": record.generation, "refused": record.message}
    epochs = epochs_of(spec, record.generation)
    return results.network(record, ancestor) | {
        "generation": record.generation,
        "shock": record.shock_accuracy,
        "epochs": {"gestation": epochs.gestation, "growth": epochs.growth},
        "history": record.history,
        "seconds": record.seconds,
    }
