"""The end of a run: the test set is opened once, for the ancestor and the chosen network."""

from __future__ import annotations

from django.db import transaction

from evolution_core.records import ANCESTOR, NetworkRecord
from webapp.networks.models import Network
from webapp.runs.models import BaseFile, Run
from workers import materials, orchestrator
from workers.claims import Claim, patiently
from workers.recorder import is_over, work


def finish(run_id: int) -> None:
    """Test the run's choice, if the run waits for that, and finish it. The chosen network's row is the claim."""
    run = Run.objects.select_related("dataset", "chosen").filter(pk=run_id).first()
    if run is None or run.has_ended or run.chosen is None:
        return
    claim = Claim.take(
        Network,
        run.chosen.pk,
        waiting=Network.State.MEASURED,
        working=Network.State.MEASURED,
        is_cancelled=lambda: is_over(run_id),
        phase="testing",
    )
    if claim is not None:
        work(claim, Network.State.MEASURED, run_id, lambda: _test(run, claim))
        orchestrator.advance(run_id)


def _test(run: Run, claim: Claim) -> None:
    from evolution_core.life import open_test  # PyTorch: only where it is needed

    assert run.chosen is not None
    folder = materials.run_folder(run)
    materials.restore(run, folder)
    data = materials.data_for(run, materials.brought_file(run, BaseFile.Kind.ONNX, run.run_spec.own), claim.check)
    tested = {}
    for network in run.networks.filter(name__in=[ANCESTOR, run.chosen.name], state=Network.State.MEASURED):
        record = NetworkRecord.from_json(network.record)
        tested[network.name] = open_test(run.run_spec, record, data, folder)
        claim.check()
    _finish(run, claim, tested)


@patiently
def _finish(run: Run, claim: Claim, tested: dict[str, NetworkRecord]) -> None:
    with transaction.atomic():
        locked = orchestrator.lock(run.pk)
        claim.write(claimed_by="", heartbeat_at=None, phase="", attempts=0)
        if locked is not None and not locked.has_ended and not locked.cancel_requested_at:
            orchestrator.finish(locked, tested)
