"""Trying a run out before it is started: the engine's dry run, on this machine and the team's own data."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import redis
from django.conf import settings

from evolution_core.spec import EustressError, SpecError
from webapp.runs.models import BaseFile, DryRun
from webapp.server import presence
from workers import materials
from workers.claims import Claim
from workers.once import once


def dry_run(dry_run_id: int) -> None:
    """Try the spec of a row that waits for it, and write down what was found, or why it cannot be run."""
    state = DryRun.State
    claim = Claim.take(DryRun, dry_run_id, waiting=state.WAITING, working=state.TRYING, message="")
    if claim is None:
        return
    asked = DryRun.objects.select_related("dataset").get(pk=dry_run_id)
    once(
        claim,
        lambda: _try(asked, claim),
        waiting=state.WAITING,
        refused=state.REFUSED,
        errored=state.ERRORED,
        refusal=_refusal,
    )


def _try(asked: DryRun, claim: Claim) -> dict[str, Any]:
    from evolution_core.dry_run import dry_run as rehearse  # PyTorch: only where it is needed

    spec = asked.run_spec
    own = materials.brought_file(asked, BaseFile.Kind.ONNX, spec.own)
    found = rehearse(
        spec,
        materials.data_for(asked, own, claim.check),
        own=own,
        weights=materials.brought_file(asked, BaseFile.Kind.WEIGHTS, spec.weights),
        threads=1,  # as a run's networks are trained
        at_once=trainers(),
        scratch=settings.WORK_ROOT,
        check=claim.check,
    )
    return {"state": DryRun.State.READY, "message": "", "result": found.to_json()}


def _refusal(error: EustressError) -> dict[str, Any]:
    """What a spec's own problems are is kept by setting, so that the form can show each beside its field."""
    problems = dict(error.problems) if isinstance(error, SpecError) else {}
    return {"message": str(error), "problems": problems}


def trainers() -> int:
    """How many workers train networks here; at least one, also while nobody can be asked."""
    with suppress(redis.RedisError):
        return max(1, len(presence.living(settings.REDIS_URL)[presence.TRAINER]))
    return 1
