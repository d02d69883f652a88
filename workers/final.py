"""The end of a run: the test set is opened for the ancestor and the chosen network, once for each.

A network that is chosen after the end is tested then, on its own.
"""

from __future__ import annotations

from django.db import transaction

from evolution_core.records import ANCESTOR, NetworkRecord
from webapp.networks.models import Network
from webapp.runs.models import BaseFile, Run
from workers import materials, orchestrator
from workers.claims import Claim, patiently
from workers.recorder import is_over, is_paused, work


def finish(run_id: int) -> None:
    """Test the run's choice, if it waits for that; a run that has not ended is finished by it. The chosen network's
    row is the claim."""
    run = Run.objects.select_related("dataset", "chosen").filter(pk=run_id).first()
    if run is None or run.chosen is None or run.pause_requested_at:
        return
    if run.has_ended and run.test_requested_at is None:
        return
    chosen, late = run.chosen.pk, run.has_ended
    claim = Claim.take(
        Network,
        chosen,
        waiting=Network.State.MEASURED,
        working=Network.State.MEASURED,
        is_cancelled=lambda: is_no_longer_wanted(run_id, chosen) if late else is_over(run_id),
        is_paused=lambda: is_paused(run_id),
        phase="testing",
    )
    if claim is not None:
        work(claim, Network.State.MEASURED, run_id, lambda: _test(run, claim))
        orchestrator.advance(run_id)


def is_no_longer_wanted(run_id: int, network_id: int) -> bool:
    """Whether another network has been chosen while this one was to be tested."""
    return not Run.objects.filter(pk=run_id, chosen=network_id, test_requested_at__isnull=False).exists()


def _test(run: Run, claim: Claim) -> None:
    assert run.chosen is not None
    names = [ANCESTOR, run.chosen.name]
    networks = list(run.networks.filter(name__in=names, state=Network.State.MEASURED, test_accuracy=None))
    tested = _open_test(run, claim, networks) if networks else {}
    _finish(run, claim, tested)


def _open_test(run: Run, claim: Claim, networks: list[Network]) -> dict[str, NetworkRecord]:
    from evolution_core.life import open_test  # PyTorch: only where it is needed

    folder = materials.run_folder(run)
    materials.restore(run, folder)
    data = materials.data_for(run, materials.brought_file(run, BaseFile.Kind.ONNX, run.run_spec.own), claim.check)
    tested = {}
    for network in networks:
        tested[network.name] = open_test(run.run_spec, NetworkRecord.from_json(network.record), data, folder)
        claim.check()
    return tested


@patiently
def _finish(run: Run, claim: Claim, tested: dict[str, NetworkRecord]) -> None:
    """Keep the results, unless what they were wanted for has changed while they were made."""
    with transaction.atomic():
        locked = orchestrator.lock(run.pk)
        claim.write(claimed_by="", heartbeat_at=None, phase="", attempts=0)
        if locked is None or locked.chosen_id != run.chosen_id or (locked.cancel_requested_at and not run.has_ended):
            return
        if not locked.has_ended:
            orchestrator.finish(locked, tested)
        elif locked.test_requested_at is not None:
            orchestrator.keep_tests(locked, tested)
            Run.objects.filter(pk=run.pk).update(test_requested_at=None)
