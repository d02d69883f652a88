"""Starting what the form holds, once: a form that is sent again leads to what it has started already."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import IntegrityError, transaction
from django.http import QueryDict

from webapp.dispatch import dispatch
from webapp.teams.models import Team

from .forms import RunForm
from .models import Run, RunGroup
from .sweeps import start_sweep

_NOT_TYPED = {"csrfmiddlewaretoken", "action"}


def submission_of(sent: QueryDict, team: Team, user: Any) -> str | None:
    """What this sending of the form is known by: the form's key with all that was typed, by whom, for which team.

    Pressing Start twice sends the same. Going back to change something sends something else, though the key is the
    same: that is another run. None where the form brought no key.
    """
    if not sent.get("key"):
        return None
    typed = sorted((name, values) for name, values in sent.lists() if name not in _NOT_TYPED)
    return hashlib.sha256(json.dumps([team.pk, user.pk, typed]).encode()).hexdigest()


def start(
    form: RunForm, *, team: Team, user: Any, origin: Run | None, submission: str | None
) -> tuple[Run | RunGroup, bool]:
    """The run, or all runs of a sweep as their group; and whether they were started just now, or by an earlier sending
    of the same form."""
    kind = RunGroup if form.sweep else Run
    if (earlier := _earlier(kind, submission)) is not None:
        return earlier, False
    try:
        return _start(form, team=team, user=user, origin=origin, submission=submission), True
    except IntegrityError:  # sent twice at the same moment, and the other was quicker
        if (earlier := _earlier(kind, submission)) is None:
            raise
        return earlier, False


def _earlier(kind: type[Run] | type[RunGroup], submission: str | None) -> Run | RunGroup | None:
    return kind._default_manager.filter(submission=submission).first() if submission else None


def _start(form: RunForm, *, team: Team, user: Any, origin: Run | None, submission: str | None) -> Run | RunGroup:
    shared = {"team": team, "dataset": form.cleaned_data["dataset"], "name": form.run_name()}
    if form.sweep:
        return start_sweep(form.sweep, **shared, user=user, origin=origin, submission=submission)
    with transaction.atomic():
        run = Run.objects.create(
            **shared, spec=form.spec.to_json(), cloned_from=origin, created_by=user, submission=submission
        )
        run.record("queued")
        dispatch("workers.advance", run.pk)
    return run
