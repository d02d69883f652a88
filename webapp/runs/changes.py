"""What members may change about a run: cancel, pause, resume, extend it, choose another network.

Each is written down under the run's row lock, with an event that says who, and a message to the orchestrator, which
does the rest: the row is the truth, the message a hint. Whatever no longer applies raises :class:`NotNow`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils import timezone

from webapp.dispatch import dispatch
from webapp.networks.models import Network
from webapp.teams.models import User

from . import bases
from .choice import Rule, own_rule, why
from .extension import CannotExtend, Extension, extend
from .models import Run
from .snapshot import Lineage

BEST = "the most accurate offspring"


class NotNow(Exception):
    """The run is not in a state for this; says so in a sentence."""


@contextmanager
def _locked(pk: int) -> Iterator[Run]:
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("dataset")
            .defer("dataset__report")
            .filter(pk=pk)
            .first()
        )
        if run is None:
            raise NotNow("The run is gone.")
        yield run


def _name(by: User) -> str:
    """Events are shown behind share links, too: never an address."""
    return by.get_full_name()


def cancel(pk: int, by: User) -> None:
    """Networks under way stop at their next step; what was measured stays."""
    with _locked(pk) as run:
        if run.has_ended or run.cancel_requested_at:
            raise NotNow("There is nothing to cancel: the run has ended or is being cancelled already.")
        _set(run, cancel_requested_at=timezone.now())
        run.record("cancelling", by=_name(by))
        dispatch("workers.advance", run.pk)


def pause(pk: int, by: User) -> None:
    """Networks under way hand themselves back at their next checkpoint and wait."""
    with _locked(pk) as run:
        if run.has_ended or run.cancel_requested_at or run.pause_requested_at:
            raise NotNow("There is nothing to pause: the run has ended, is being cancelled or is paused already.")
        _set(run, pause_requested_at=timezone.now())
        run.record("pausing", by=_name(by))
        dispatch("workers.advance", run.pk)


def resume(pk: int, by: User) -> None:
    """Goes on where it stopped, to the same bits."""
    with _locked(pk) as run:
        if run.has_ended or not run.pause_requested_at:
            raise NotNow("The run is not paused.")
        _set(run, pause_requested_at=None)
        run.record("resumed", by=_name(by))
        dispatch("workers.advance", run.pk)


def extension_of(run: Run, more: int) -> Extension:
    """What `more` generations would make of the run, whose row is locked. Raises CannotExtend."""
    if run.state != Run.State.FINISHED:
        raise CannotExtend("Only a run that has finished can be extended.")
    if sentence := bases.lost(run):
        raise CannotExtend(sentence)
    born = list(run.networks.values_list("generation", "state"))
    reached = max((generation for generation, _ in born), default=0)
    last = [state for generation, state in born if generation == reached]
    return extend(run.run_spec, reached, more, died_out=Network.State.MEASURED not in last)


def extend_run(pk: int, more: int, by: User) -> Extension:
    """Queues a finished run again, with more generations to come. Raises CannotExtend."""
    with _locked(pk) as run:
        extension = extension_of(run, more)
        _set(
            run,
            spec=extension.spec.to_json(),
            state=Run.State.QUEUED,
            chosen=None,
            finished_at=None,
            test_requested_at=None,
        )
        differences = list(extension.differences)
        run.record("extended", generations=extension.spec.generations, differences=differences, by=_name(by))
        dispatch("workers.advance", run.pk)
        return extension


def choose(pk: int, rule: Rule | None, by: User) -> Network | None:
    """Puts a rule in force (None: the one that the run was asked for). An ended run is given its network by it at
    once, and the test images are opened for that one, if they have not been; one under way follows it at its end.

    Returns the chosen network, None while the run is under way. Raises NotNow when the rule lands on none.
    """
    with _locked(pk) as run:
        before = _in_force(run)
        run.rule = {} if rule is None else {**rule.to_json(), "by": _name(by), "before": before}
        lineage = Lineage.of(run)
        if lineage.choice is None:
            raise NotNow("No measured offspring fits that rule.")
        if not run.has_ended:
            _set(run, rule=run.rule, chosen=None)  # a choice that is being tested just now is made again
            run.record("rule", words=why(run, lineage.choice, BEST), by=_name(by))
            dispatch("workers.advance", run.pk)
            return None
        chosen = _chosen_by(run, rule, lineage)
        untested = chosen is not None and chosen.test_accuracy is None
        was = run.chosen.name if run.chosen is not None else None
        _set(run, rule=run.rule, chosen=chosen, test_requested_at=timezone.now() if untested else None)
        run.record("chosen", network=chosen, words=why(run, lineage.choice, BEST), was=was, by=_name(by))
        if untested:
            dispatch("workers.finish", run.pk)
        return chosen


def _chosen_by(run: Run, rule: Rule | None, lineage: Lineage) -> Network | None:
    if rule is None:
        return run.proposed  # the engine's own; none in a run that never came to choosing
    assert lineage.choice is not None
    return Network.objects.get(pk=lineage.choice.network.pk)


def _in_force(run: Run) -> dict[str, Any]:
    """The rule until now, in the shape that the form takes; {} is the run's own."""
    kept = Rule.read(run.rule)
    own = own_rule(run.spec)
    return {} if kept is None or kept == own else kept.to_json()


def _set(run: Run, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(run, name, value)
    run.save(update_fields=list(fields))
