"""Work on a claimed row that is done in one go, not in steps: an inspection, a dry run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import OperationalError

from evolution_core.spec import EustressError
from workers.claims import Claim, ClaimLost, Interrupted

log = logging.getLogger(__name__)
BUG = "An unexpected error; the worker's log has the details. Try again, or report it."


def once(
    claim: Claim,
    task: Callable[[], dict[str, Any]],
    *,
    waiting: str,
    refused: str,
    errored: str,
    refusal: Callable[[EustressError], dict[str, Any]] = lambda error: {"message": str(error)},
) -> None:
    """Do it and give the row back; `task` returns the row's last fields, among them its state.

    What the engine refuses ends in `refused` with the fields that `refusal` makes of it, a bug in `errored`; a process
    that is asked to stop puts the row back to `waiting`.
    """
    try:
        _once(claim, task, waiting, refused, errored, refusal)
    except ClaimLost:
        log.warning("Work on %s %s went to another worker.", claim.model.__name__, claim.pk)


def _once(
    claim: Claim,
    task: Callable[[], dict[str, Any]],
    waiting: str,
    refused: str,
    errored: str,
    refusal: Callable[[EustressError], dict[str, Any]],
) -> None:
    try:
        with claim:
            claim.check()
            fields = task()
        claim.release(**fields, attempts=0)
    except ClaimLost:
        raise
    except Interrupted:
        claim.hand_back(waiting)
    except EustressError as error:
        claim.release(refused, **refusal(error), attempts=0)
    except OperationalError:
        log.exception("The database went away during work on a row; the sweeper will put it back")
    except Exception:
        log.exception("Work on %s %s stopped by an error", claim.model.__name__, claim.pk)
        claim.release(errored, message=BUG, attempts=0)
