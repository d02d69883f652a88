"""What a run is doing, said truthfully: from rows alone, and with what to do where something can be done."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from webapp.networks.models import Network

from . import eta
from .history import History
from .models import Run
from .snapshot import Lineage, Snapshot, spec_value
from .templatetags.figures import count, duration, percent

SILENT = timedelta(seconds=90)  # without a heartbeat for so long, a worker counts as lost
HARDLY = 0.02  # of what guessing leaves to be reached: who has reached no more of it has learnt nothing
WAITING_SHOWN = 6  # networks that wait, named; the others are counted
_PRESENCE_LIFETIME = 5.0  # seconds that one look into the workers' presence serves all pages of a process

PHASES = {
    "": "beginning",
    "drawing": "drawing who lives",
    "gestation": "in gestation",
    "cut": "being cut",
    "growth": "growing",
    "ancestor": "training",
    "training": "training",
    "measuring": "being measured",
}


def speed(images_per_second: float | None) -> str:
    return f"{count(images_per_second)} images/s" if images_per_second else ""


@dataclass(frozen=True)
class Bar:
    """One generation in the header: `share` is 0 to 1."""

    label: str
    share: float


@dataclass(frozen=True)
class Life:
    """One network under way: what it does just now, and how fast. `silent` says that its worker is not heard from."""

    network: Snapshot
    phase: str
    silent: str = ""
    lost: int = 0  # workers that were lost over it until now

    @property
    def percent(self) -> int:
        return round(100 * max(0.0, min(1.0, self.network.progress)))

    @property
    def speed(self) -> str:
        return speed(self.network.images_per_second)


@dataclass(frozen=True)
class Wait:
    """One network that no worker has just now: not begun, or put back, and why."""

    network: Snapshot
    why: str


@dataclass(frozen=True)
class Status:
    """tone: waiting, running, finished, failed, cancelled or lost; it colours the dot and nothing else."""

    tone: str
    headline: str
    detail: str = ""
    advice: str = ""
    left: str = ""
    bars: tuple[Bar, ...] = ()
    lives: tuple[Life, ...] = ()
    waiting: tuple[Wait, ...] = ()
    more_waiting: int = 0
    share: float = 0.0  # of the whole, 0 to 1
    ended: bool = False
    doubt: str = ""  # why no figure of this run says anything


def status_of(run: Run, lineage: Lineage, now: datetime | None = None, history: History | None = None) -> Status:
    """The truth about `run` from its row, its networks' rows and the few events that tell of stops and losses."""
    now, history = now or timezone.now(), history or History.of(run)
    teller = {
        Run.State.QUEUED: _queued,
        Run.State.RUNNING: _running,
        Run.State.PAUSED: _paused,
        Run.State.FINISHED: _finished,
        Run.State.FAILED: _failed,
        Run.State.ERRORED: _errored,
        Run.State.CANCELLED: _cancelled,
    }[Run.State(run.state)]
    told = replace(teller(run, lineage, now, history), doubt=_doubt(run, lineage))
    if told.ended:
        return replace(told, share=1.0)
    waits = [wait for network in lineage.open if (wait := _wait(run, network, history))]
    return replace(
        told,
        share=progress_share(told.bars),
        waiting=tuple(waits[:WAITING_SHOWN]),
        more_waiting=max(0, len(waits) - WAITING_SHOWN),
    )


def _doubt(run: Run, lineage: Lineage) -> str:
    """An ancestor that learnt nothing has nothing to hand down, however small its offspring become."""
    ancestor = lineage.ancestor
    if ancestor is None or ancestor.validation_accuracy is None:
        return ""
    reached = ancestor.validation_accuracy
    if not guesses(reached, lineage.chance):
        return ""
    return (
        f"{hardly(run)} ({percent(reached)}): it has learnt nothing that its offspring could keep. "
        "Clone the run with more epochs or a smaller learning rate, or look into the data set."
    )


def guesses(reached: float | None, chance: float | None) -> bool:
    """Whether an ancestor has learnt nothing; both are shares of validation images, None where not known."""
    return reached is not None and chance is not None and reached - chance <= HARDLY * (1.0 - chance)


def hardly(run: Run) -> str:
    """The same of the run's ancestor, in words."""
    return f"The ancestor {'finds hardly anything' if run.dataset.task == 'detection' else 'hardly beats guessing'}"


def _wait(run: Run, network: Snapshot, history: History) -> Wait | None:
    if network.state != Network.State.WAITING:
        return None
    lost = history.lost[network.pk]
    reached = f" at {round(100 * network.progress)} %" if network.progress else ""
    if run.pause_requested_at:
        why = f"paused{reached}"
    elif lost:
        times = "once" if lost == 1 else f"{lost} times"
        why = f"put back{reached}: its worker was lost {times}"
    else:
        why = f"handed back{reached}" if network.progress else "waits for a worker"
    return Wait(network, why)


def bars(run: Run, lineage: Lineage) -> tuple[Bar, ...]:
    """The ancestor's and each generation's share done."""
    generations, offspring = int(spec_value(run, "generations", 0)), int(spec_value(run, "offspring", 1))
    still: dict[int, list[float]] = {}  # what is left of each network that is not done, by generation
    for network in _unfinished(run, lineage):
        still.setdefault(network.generation, []).append(1.0 - min(1.0, network.progress))
    result = []
    for generation in range(generations + 1):
        born, left = len(lineage.generations.get(generation, [])), still.get(generation, [])
        expected = max(1 if generation == 0 else offspring, born)
        done = born - sum(left)
        if run.has_ended and born and not left:
            expected = born
        result.append(Bar(f"generation {generation}" if generation else "ancestor", done / expected))
    return tuple(result)


def _unfinished(run: Run, lineage: Lineage) -> list[Snapshot]:
    """Those under way; in a run that was stopped also those that were stopped with it."""
    if run.state not in (Run.State.FAILED, Run.State.ERRORED, Run.State.CANCELLED):
        return lineage.open
    stopped = (Network.State.ERRORED, Network.State.CANCELLED)
    return [network for network in lineage.networks if network.is_open or network.state in stopped]


def lives(lineage: Lineage, now: datetime, history: History) -> tuple[Life, ...]:
    return tuple(
        Life(network, PHASES.get(network.phase, network.phase), _silence(network, now), history.lost[network.pk])
        for network in lineage.open
        if network.is_living
    )


def _silence(network: Snapshot, now: datetime) -> str:
    if network.heartbeat_at is None or now - network.heartbeat_at < SILENT:
        return ""
    return f"its worker has not been heard from for {duration((now - network.heartbeat_at).total_seconds())}"


def _queued(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    if run.cancel_requested_at:
        return Status("waiting", "Cancelling", "It had not begun yet.", bars=bars(run, lineage))
    if run.pause_requested_at:
        return Status("waiting", "Pausing", bars=bars(run, lineage))
    before = Run.objects.filter(state=Run.State.QUEUED, created_at__lt=run.created_at).count()
    detail = f"{before} {'run waits' if before == 1 else 'runs wait'} before it." if before else ""
    advice = ""
    if workers_alive() == 0:
        advice = "No worker is alive at the moment. Your run is safe and starts as soon as one is."
    return Status("waiting", "Waiting for a worker", detail, advice, bars=bars(run, lineage))


def _running(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    alive = lives(lineage, now, history)
    common = {"bars": bars(run, lineage), "lives": alive}
    if run.cancel_requested_at:
        return Status("waiting", "Cancelling", "Networks under way stop at their next step.", **common)  # type: ignore[arg-type]
    if run.pause_requested_at:
        hands = _plural(len(alive), "network hands itself back", "networks hand themselves back")
        detail = f"{hands} at the next step" if alive else ""
        return Status("waiting", "Pausing", detail, **common)  # type: ignore[arg-type]
    headline, detail = _where(run, lineage)
    silent = [life for life in alive if life.silent]
    if alive and len(silent) == len(alive):
        advice = "Its work is put back and goes on from the last checkpoint; nothing needs to be done."
        detail = f"{detail}; its worker is silent" if detail else "its worker is silent"
        return Status("lost", headline, detail, advice, **common)  # type: ignore[arg-type]
    left = eta.in_words(eta.seconds_left(run, lineage, now, history))
    advice = ""
    if not alive and lineage.open:
        detail = f"{detail}; waiting for a worker" if detail else "waiting for a worker"
        if workers_alive() == 0:
            advice, left = "No worker is alive at the moment. The run goes on as soon as one is.", ""
    return Status("running", headline, detail, advice, left, **common)  # type: ignore[arg-type]


def _paused(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    if run.cancel_requested_at:
        return Status("waiting", "Cancelling", bars=bars(run, lineage))
    if not run.pause_requested_at:
        return Status("waiting", "Resuming", bars=bars(run, lineage))
    begun = [network for network in lineage.open if network.progress]
    detail = "nothing is lost"
    if begun:
        detail += f": {_plural(len(begun), 'network waits at its checkpoint', 'networks wait at their checkpoints')}"
    return Status("waiting", "Paused", detail, bars=bars(run, lineage))


def _where(run: Run, lineage: Lineage) -> tuple[str, str]:
    """Headline and detail of a run under way, from the networks that are there."""
    generation = max((network.generation for network in lineage.open), default=int(run.generation or 0))
    if generation == 0:
        if lineage.ancestor is not None and lineage.ancestor.is_measured:
            return "Making generation 1", ""
        return "Training the ancestor", ""
    born = lineage.generations.get(generation, [])
    done = sum(1 for network in born if not network.is_open)
    if born and done == len(born):
        final = generation >= int(spec_value(run, "generations", generation))
        if final and lineage.chosen is not None:
            return f"Testing {lineage.chosen.name} on images that no network has seen", ""
        return ("Choosing the network" if final else f"Making generation {generation + 1}"), ""
    return f"Growing generation {generation}", f"{done} of {len(born)} offspring done"


def _finished(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    took = _took(run, history)
    reached = max((network.generation for network in lineage.measured), default=0)
    asked = int(spec_value(run, "generations", reached))
    detail = f"{_plural(len(lineage.offspring), 'offspring', 'offspring')} in {_plural(reached, 'generation')}"
    if reached < asked:
        detail += f" (of {asked}: it stopped early)"
    return Status(
        "finished", "Finished", f"{detail}{f', in {took}' if took else ''}", bars=bars(run, lineage), ended=True
    )


def _failed(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    advice = "Clone it with other settings, or look into the data set"
    advice += "; what was measured until then is below." if lineage.measured else "."
    return Status("failed", "Failed", run.message, advice, bars=bars(run, lineage), ended=True)


def _errored(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    advice = "This is not your doing. Clone it to try again; whoever runs this server finds the reason in that log."
    return Status("failed", "Stopped by an error", run.message, advice, bars=bars(run, lineage), ended=True)


def _cancelled(run: Run, lineage: Lineage, now: datetime, history: History) -> Status:
    kept = len(lineage.measured)
    detail = (
        f"{_plural(kept, 'network')} measured until then {'is' if kept == 1 else 'are'} kept." if kept else run.message
    )
    return Status("cancelled", "Cancelled", detail, bars=bars(run, lineage), ended=True)


def _took(run: Run, history: History) -> str:
    """The time it worked, without the stops."""
    if run.started_at is None or run.finished_at is None:
        return ""
    return duration(history.worked(run.started_at, run.finished_at))


def _plural(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


_presence: dict[str, tuple[float, int | None]] = {}


def workers_alive() -> int | None:
    """How many training workers announce themselves; None where that cannot be known. Asked at most every 5 s."""
    asked, answer = _presence.get("trainers", (float("-inf"), None))
    if time.monotonic() - asked < _PRESENCE_LIFETIME:
        return answer
    answer = _count_trainers()
    _presence["trainers"] = (time.monotonic(), answer)
    return answer


def _count_trainers() -> int | None:
    import redis

    from webapp.server import presence

    try:
        return len(presence.living(settings.REDIS_URL)[presence.TRAINER])
    except redis.RedisError:
        return None


def progress_share(all_bars: Iterable[Bar]) -> float:
    """A run's whole progress, 0 to 1: the mean of its generations'."""
    shares = [bar.share for bar in all_bars]
    return sum(shares) / len(shares) if shares else 0.0
