"""A run's state machine. `advance` looks at what is true in the database and does the next thing, whoever calls it,
however often: everything happens in one transaction under the run's row lock, and messages go out on commit.

    queued -> running: the ancestor's row
    all of a generation measured or refused -> the next generation's rows, as the engine plans them
    nothing more to be born -> the chosen network; its test (workers.final) finishes the run
    pause requested -> paused, once no network is under way; no longer requested -> as it was before
    cancel requested -> cancelled, once no network is under way
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from evolution_core.lineage import summary
from evolution_core.records import NetworkRecord, Plan
from evolution_core.selection import choose, hypervolumes, next_plans
from evolution_core.spec import EustressError, RunSpec
from webapp.datasets.models import Dataset
from webapp.dispatch import dispatch
from webapp.networks.models import Network
from webapp.runs.choice import Rule
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage
from workers.claims import patiently

log = logging.getLogger(__name__)

OPEN = (Network.State.WAITING, Network.State.LIVING)
RECORDED = (Network.State.MEASURED, Network.State.REFUSED)


@patiently
def advance(run_id: int) -> None:
    """Bring a run one step on, if there is a step to take."""
    with transaction.atomic():
        run = lock(run_id)
        if run is not None and not run.has_ended:
            _step(run)


def lock(run_id: int) -> Run | None:
    """The run with its row lock held until the transaction ends; None when it is gone."""
    return Run.objects.select_for_update(of=("self",)).select_related("dataset").filter(pk=run_id).first()


@patiently
def fail(run_id: int, message: str, state: str = Run.State.FAILED) -> None:
    """End a run that cannot go on: `failed` when that is to be expected, `errored` when it is our fault."""
    with transaction.atomic():
        run = lock(run_id)
        if run is not None and not run.has_ended:
            _end(run, state, message)
        elif run is not None and run.test_requested_at is not None:
            give_up_test(run, message)


def give_up_test(run: Run, message: str) -> None:
    """A network that was chosen after the end cannot be tested: say why, and ask no more. The caller holds the lock."""
    Run.objects.filter(pk=run.pk).update(test_requested_at=None)
    run.record("note", network=run.chosen, message=f"It could not be tested. {message}")


def records_of(networks: list[Network]) -> list[NetworkRecord]:
    """The engine's records of the networks whose lives have ended, in order of birth."""
    return [NetworkRecord.from_json(network.record) for network in networks if network.state in RECORDED]


def _step(run: Run) -> None:
    networks = list(run.networks.order_by("generation", "pk"))
    if run.cancel_requested_at:
        return _cancel(run, networks)
    if broken := next((network for network in networks if network.state == Network.State.ERRORED), None):
        return _end(run, Run.State.ERRORED, f"Network {broken.name}: {broken.message}")
    if refused := next((one for one in networks if one.state == Network.State.REFUSED and not one.record), None):
        return _end(run, Run.State.FAILED, refused.message)  # what cannot be made at all, unlike an unproven offspring
    if run.pause_requested_at:
        return _pause(run, networks)
    if run.state == Run.State.PAUSED:
        _resume(run)
    if any(network.state in OPEN for network in networks) or not _data_is_ready(run):
        return None
    try:
        spec = run.run_spec
        records = records_of(networks)
        plans = next_plans(spec, records)
    except EustressError as error:
        return _end(run, Run.State.FAILED, str(error))
    if networks and run.chosen_id is None:
        _tell_generation(run, spec, records)
    if plans:
        return _give_birth(run, networks, plans)
    return _conclude(run, spec, networks, records)


def _data_is_ready(run: Run) -> bool:
    """Whether there is something to train on. Data that need a yes wait for it; such as will never do end the run."""
    if run.dataset.state in (Dataset.State.REFUSED, Dataset.State.ERRORED):
        _end(run, Run.State.FAILED, f"The data set cannot be used. {run.dataset.message}".strip())
    return run.dataset.state == Dataset.State.READY


def _give_birth(run: Run, networks: list[Network], plans: list[Plan]) -> None:
    """One row and one message for each planned network."""
    by_name = {network.name: network for network in networks}
    if run.state == Run.State.QUEUED:
        begun = run.started_at or timezone.now()
        Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING, started_at=begun, message="")
        if run.started_at is None:  # one that was extended began long ago
            data = {"name": run.dataset.name, "images": run.dataset.report.get("images")}
            run.record("started", spec=run.spec, data=data)
    Run.objects.filter(pk=run.pk).update(generation=plans[0].generation)
    for plan in plans:
        network = Network.objects.create(run=run, name=plan.id, generation=plan.generation)
        for parent in plan.parents:  # one by one: the first leads, and the order of rows keeps that
            network.parents.add(by_name[parent])
        dispatch("workers.live", network.pk)


def _tell_generation(run: Run, spec: RunSpec, records: list[NetworkRecord]) -> None:
    """Record that a generation is complete, once."""
    generation = max(record.generation for record in records)
    if run.events.filter(kind="generation", data__generation=generation).exists():
        return
    volumes = hypervolumes(spec, records)
    run.record(
        "generation",
        generation=generation,
        networks=[record.id for record in records if record.generation == generation],
        hypervolume=volumes[-1] if volumes else None,
    )


def _conclude(run: Run, spec: RunSpec, networks: list[Network], records: list[NetworkRecord]) -> None:
    """Nothing more will be born: choose, on validation data alone, and have the choice tested."""
    if run.chosen_id is None:
        proposed = choose(spec, records)
        if proposed is None:
            ancestor = records[0]
            reason = ancestor.message if not ancestor.is_measured else "No offspring could be proven."
            return _end(run, Run.State.FAILED, reason or "The ancestor could not be made.")
        by_name = {network.name: network for network in networks}
        run.chosen = by_name[_by_rule(run) or proposed]
        Run.objects.filter(pk=run.pk).update(chosen=run.chosen, proposed=by_name[proposed])
    dispatch("workers.finish", run.pk)
    return None


def _by_rule(run: Run) -> str | None:
    """Where the rule lands that somebody put in force; None without one, and for one that lands nowhere."""
    rule = Rule.read(run.rule)
    choice = rule.choose(Lineage.of(run)) if rule is not None else None
    return choice.network.name if choice is not None else None


def finish(run: Run, tested: dict[str, NetworkRecord]) -> None:
    """Write the records with their test results and end the run. The caller holds the run's lock."""
    keep_tests(run, tested)
    records = records_of(list(run.networks.order_by("generation", "pk")))
    assert run.chosen is not None
    _end(run, Run.State.FINISHED, "", **summary(records, run.chosen.name))


def keep_tests(run: Run, tested: dict[str, NetworkRecord]) -> None:
    """Write test results down. The caller holds the run's lock."""
    networks = {network.name: network for network in run.networks.filter(name__in=list(tested))}
    for name, record in tested.items():
        Network.objects.filter(pk=networks[name].pk).update(test_accuracy=record.test_accuracy, record=record.to_json())
        run.record("tested", network=networks[name], **record.test_metrics)
        made = Network.objects.filter(pk=networks[name].pk, onnx_state=Network.Made.READY)
        if made.update(onnx_figures_state=Network.Made.REQUESTED):  # its ONNX form meets the test images, too
            dispatch("workers.measure_onnx", networks[name].pk)


def _pause(run: Run, networks: list[Network]) -> None:
    """What is under way hands itself back and calls again."""
    if run.state == Run.State.PAUSED or any(network.claimed_by for network in networks):
        return
    Run.objects.filter(pk=run.pk).update(state=Run.State.PAUSED)
    run.record("paused")


def _resume(run: Run) -> None:
    """Put the run back where it was, and call for workers."""
    run.state = Run.State.QUEUED if run.started_at is None else Run.State.RUNNING
    Run.objects.filter(pk=run.pk).update(state=run.state)
    for pk in run.networks.filter(state=Network.State.WAITING).order_by("pk").values_list("pk", flat=True):
        dispatch("workers.live", pk)


def _cancel(run: Run, networks: list[Network]) -> None:
    """Take back what no worker has begun; what is under way stops by itself and calls again."""
    _drop_waiting(run)
    if not any(network.state == Network.State.LIVING for network in networks):
        _end(run, Run.State.CANCELLED, "")


def _drop_waiting(run: Run) -> None:
    run.networks.filter(state=Network.State.WAITING).update(state=Network.State.CANCELLED)


def _end(run: Run, state: str, message: str, **data: Any) -> None:
    """The last change of a run. Networks still under way notice it and stop."""
    _drop_waiting(run)
    Run.objects.filter(pk=run.pk).update(state=state, message=message, finished_at=timezone.now())
    run.record(state, **({"message": message} if message else {}), **data)
    log.info("Run %s: %s %s", run.pk, state, message)
