"""What a run's page says of its state: always the truth, how long it still takes, and how it is cancelled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.webapp.factories import make_evolution, make_network, make_run, make_spec
from webapp.networks.models import Network
from webapp.runs import eta, status
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """How many workers are alive, as far as pages can know."""
    alive: dict[str, int | None] = {"now": 1}
    monkeypatch.setattr(status, "workers_alive", lambda: alive["now"])
    return alive


@pytest.fixture
def evolution(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, files=False)


@pytest.fixture
def finished(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, finished=True, files=False)


def told(run: Run) -> status.Status:
    run.refresh_from_db()
    return status.status_of(run, Lineage.of(run))


# --- the state is true ------------------------------------------------------------------------------


def test_a_queued_run_waits_and_says_for_what(team: Any, dataset: Any, workers: dict[str, int | None]) -> None:
    first, second = make_run(team, dataset), make_run(team, dataset)
    assert (told(first).headline, told(first).detail, told(first).advice) == ("Waiting for a worker", "", "")
    assert told(second).detail == "1 run waits before it."
    workers["now"] = 0
    assert "No worker is alive" in told(first).advice
    workers["now"] = None  # Redis is away: nothing is claimed
    assert told(first).advice == ""


def test_a_running_run_says_where_it_is(evolution: Run) -> None:
    now = told(evolution)
    assert (now.tone, now.headline, now.detail) == ("running", "Growing generation 5", "2 of 3 offspring done")
    assert [bar.share for bar in now.bars[:5]] == [1, 1, 1, 1, 1]
    assert now.bars[5].share == pytest.approx((2 + 0.62) / 3)
    assert now.left.endswith("left")
    (life,) = now.lives
    assert (life.network.name, life.phase, life.percent, life.speed) == ("5-3", "growing", 62, "1.84 k images/s")


def test_the_first_network_is_the_ancestor(team: Any, dataset: Any) -> None:
    run = make_run(team, dataset, state="running")
    make_network(run, "ancestor", state="living", progress=0.4, heartbeat_at=timezone.now())
    assert told(run).headline == "Training the ancestor"
    assert told(run).left == ""  # nothing tells it yet
    assert told(run).bars[0].share == pytest.approx(0.4)


def test_a_silent_worker_is_said_to_be_silent(evolution: Run) -> None:
    Network.objects.filter(run=evolution, name="5-3").update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    now = told(evolution)
    assert now.tone == "lost"
    assert "silent" in now.detail
    assert now.left == ""
    assert "5 minutes" in now.lives[0].silent


def test_a_run_whose_networks_all_wait_says_so(evolution: Run, workers: dict[str, int | None]) -> None:
    Network.objects.filter(run=evolution, name="5-3").update(state="waiting", progress=0)
    assert told(evolution).detail == "2 of 3 offspring done; waiting for a worker"
    workers["now"] = 0
    assert "No worker is alive" in told(evolution).advice
    assert told(evolution).left == ""


def test_cancelling_is_said_until_it_is_cancelled(evolution: Run) -> None:
    Run.objects.filter(pk=evolution.pk).update(cancel_requested_at=timezone.now())
    assert told(evolution).headline == "Cancelling"
    Run.objects.filter(pk=evolution.pk).update(state="cancelled")
    now = told(evolution)
    assert now.headline == "Cancelled"
    assert now.ended
    assert now.detail == "15 networks measured until then are kept."


@pytest.mark.parametrize(("state", "headline"), [("failed", "Failed"), ("errored", "Stopped by an error")])
def test_a_failure_gives_its_reason_and_what_to_do(
    client_of: Any, ada: Any, evolution: Run, state: str, headline: str
) -> None:
    Run.objects.filter(pk=evolution.pk).update(state=state, message="The ancestor learned <nothing>.")
    now = told(evolution)
    assert (now.tone, now.headline, now.detail) == ("failed", headline, "The ancestor learned <nothing>.")
    assert "lone it" in now.advice
    page = client_of(ada).get(f"/runs/{evolution.pk}/").content.decode()
    assert "The ancestor learned &lt;nothing&gt;." in page
    assert "data-ended" in page


@pytest.mark.parametrize("state", [Run.State.ERRORED, Run.State.CANCELLED])
def test_what_was_stopped_is_not_shown_as_done(team: Any, state: str) -> None:
    run = make_run(team, spec=make_spec(generations=2, offspring=2), state=state)
    make_network(run, "ancestor", state=Network.State.MEASURED, progress=1.0)
    make_network(run, "1-1", ("ancestor",), state=state, progress=0.5)
    make_network(run, "1-2", ("ancestor",), state=Network.State.REFUSED)
    assert [bar.share for bar in told(run).bars] == [1.0, 0.75, 0.0]


@pytest.mark.parametrize(
    ("chance", "reached", "doubted"),
    [
        (0.67, 0.93, False),
        (0.67, 0.67, True),
        (0.67, 0.676, True),
        (0.97, 0.989, False),  # nearly all images are of one class: what is left to be reached is what counts
        (0.98, 1.0, False),
        (0.98, 0.9803, True),
        (1.0, 1.0, True),
        (0.5, 0.67, False),  # equal shares were taken of classes of unequal size
        (None, 0.5, False),
    ],
)
def test_an_ancestor_that_only_guesses_is_doubted(
    client_of: Any, vic: Any, finished: Run, chance: float | None, reached: float, doubted: bool
) -> None:
    """By what the engine found guessing to reach on the images that it took; the upload's 40 and 20 say less."""
    assert [row["train"] for row in finished.dataset.report["classes"]] == [40, 20]
    ancestor = finished.networks.get(name="ancestor")
    ancestor.validation_accuracy, ancestor.record["chance"] = reached, chance
    ancestor.save()
    page = client_of(vic).get(reverse("runs:detail", args=[finished.pk])).content.decode()
    assert (f"The ancestor hardly beats guessing ({100 * reached:.1f} %)" in page) is doubted
    assert ("has learnt nothing" in page) is doubted


def test_a_run_that_stopped_early_says_so(finished: Run) -> None:
    assert told(finished).detail.startswith("15 offspring in 5 generations, in ")
    finished.spec["generations"] = 9
    finished.save()
    assert "(of 9: it stopped early)" in told(finished).detail


# --- how long it takes ----------------------------------------------------------------------------------


def test_the_time_left_is_a_range_from_measured_paces(evolution: Run) -> None:
    span = eta.seconds_left(evolution, Lineage.of(evolution), timezone.now())
    assert span is not None
    assert 0 < span[0] <= span[1]
    # a generation took 330 s, and 0.38 of one of three is left
    assert span[0] == pytest.approx(330 * 0.38 / 3 * 0.93, rel=0.01)
    assert span[1] >= 330 * 0.38 / 3 * 1.07


def test_before_any_generation_the_ancestor_tells(team: Any, dataset: Any) -> None:
    run = make_run(team, dataset, state="running", generation=1, spec=make_spec(generations=2, offspring=3))
    now = timezone.now()
    make_network(run, "ancestor", state="measured", started_at=now - timedelta(minutes=1), measured_at=now, progress=1)
    span = eta.seconds_left(run, Lineage.of(run), now)
    assert span is not None
    assert span[0] == pytest.approx(60 * 0.5 * 2 * 0.75)
    assert span[1] == pytest.approx(60 * 3 * 2 * 1.25)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (None, ""),
        ((360, 540), "6 to 9 minutes left"),
        ((50, 200), "50 seconds to 3 minutes left"),
        ((61, 61.2), "about 61 seconds left"),
    ],
)
def test_a_span_in_words(span: Any, words: str) -> None:
    assert eta.in_words(span) == words


# --- cancelling --------------------------------------------------------------------------------------------


def test_cancelling_asks_once_and_tells_the_orchestrator(
    client_of: Any, eve: Any, evolution: Run, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client, address = client_of(eve), reverse("runs:cancel", args=[evolution.pk])
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert client.post(address).status_code == 302
    evolution.refresh_from_db()
    assert evolution.cancel_requested_at is not None
    assert evolution.state == Run.State.RUNNING  # only the orchestrator moves it
    assert dispatched == [("workers.advance", evolution.pk)]
    assert evolution.events.filter(kind="cancelling").count() == 1


def test_what_has_ended_cannot_be_cancelled(client_of: Any, eve: Any, finished: Run, dispatched: Any) -> None:
    client_of(eve).post(reverse("runs:cancel", args=[finished.pk]))
    finished.refresh_from_db()
    assert finished.cancel_requested_at is None
    assert dispatched == []


def test_viewers_strangers_and_links_cannot_cancel(
    client_of: Any, vic: Any, olga: Any, eve: Any, evolution: Run
) -> None:
    address = reverse("runs:cancel", args=[evolution.pk])
    assert client_of(vic).post(address).status_code == 403
    assert client_of(olga).post(address).status_code == 404
    assert client_of(eve).get(address).status_code == 405
    evolution.refresh_from_db()
    assert evolution.cancel_requested_at is None
    assert "Cancel this run" not in client_of(vic).get(f"/runs/{evolution.pk}/").content.decode()
