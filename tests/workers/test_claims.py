"""A claim is one worker's: taken once, kept by its heartbeat, lost when taken away, given back as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import claims, pace
from workers.claims import Cancelled, Claim, ClaimLost, Interrupted, patiently
from workers.stopping import stopping

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def network(run: Run) -> Network:
    return Network.objects.create(run=run, name="ancestor", generation=0)


def take(network: Network, **more: Any) -> Claim | None:
    state = Network.State
    return Claim.take(Network, network.pk, waiting=state.WAITING, working=state.LIVING, **more)


def wait_for(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_only_one_of_two_gets_the_claim(network: Network) -> None:
    first, second = take(network), take(network)
    assert first is not None
    assert second is None
    network.refresh_from_db()
    assert (network.state, network.claimed_by, network.attempts) == (Network.State.LIVING, first.token, 1)


def test_nothing_is_written_once_the_claim_is_another_ones(network: Network) -> None:
    claim = take(network)
    assert claim is not None
    Network.objects.update(claimed_by="another")
    with pytest.raises(ClaimLost):
        claim.write(progress=0.9)
    with pytest.raises(ClaimLost):
        claim.release(Network.State.MEASURED)
    network.refresh_from_db()
    assert (network.progress, network.state) == (0.0, Network.State.LIVING)


def test_an_orderly_stop_is_no_failed_attempt(network: Network) -> None:
    claim = take(network)
    assert claim is not None
    claim.hand_back(Network.State.WAITING)
    network.refresh_from_db()
    assert (network.state, network.claimed_by, network.attempts) == (Network.State.WAITING, "", 0)
    assert take(network) is not None


def test_the_heart_beats_on_after_the_database_was_away(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a connection that a restarted server has closed no later query succeeds either: the thread needs a new one."""
    monkeypatch.setattr(pace, "WATCH", 0.01)
    monkeypatch.setattr(pace, "HEARTBEAT", 0.01)
    Network.objects.filter(pk=network.pk).update(heartbeat_at=None)
    broken: list[Any] = []

    def is_cancelled() -> bool:
        if not broken:
            broken.append(claims.connection.connection)
            claims.connection.ensure_connection()
            claims.connection.connection.close()  # beneath Django, which does not learn of it
        return Network.objects.filter(pk=-1).exists()

    claim = take(network, is_cancelled=is_cancelled)
    assert claim is not None
    Network.objects.filter(pk=network.pk).update(heartbeat_at=None)
    with claim:
        wait_for(lambda: Network.objects.filter(pk=network.pk, heartbeat_at__isnull=False).exists())


def test_the_heart_beats_while_the_work_lasts(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WATCH", 0.01)
    monkeypatch.setattr(pace, "HEARTBEAT", 0.02)
    claim = take(network)
    assert claim is not None
    Network.objects.update(heartbeat_at=None)
    with claim:
        wait_for(lambda: Network.objects.get(pk=network.pk).heartbeat_at)
        claim.check()


def test_the_heart_notices_that_the_claim_is_lost(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WATCH", 0.01)
    monkeypatch.setattr(pace, "HEARTBEAT", 0.02)
    claim = take(network)
    assert claim is not None
    with claim:
        Network.objects.update(claimed_by="another")
        wait_for(claim._lost.is_set)
        with pytest.raises(ClaimLost):
            claim.check()


def test_a_wish_to_cancel_reaches_the_work(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WATCH", 0.01)
    claim = take(
        network,
        is_cancelled=lambda: Run.objects.filter(pk=network.run_id, cancel_requested_at__isnull=False).exists(),
    )
    assert claim is not None
    with claim:
        time.sleep(0.05)
        claim.check()
        Run.objects.update(cancel_requested_at=timezone.now())
        wait_for(claim._cancelled.is_set)
        with pytest.raises(Cancelled):
            claim.check()


def test_a_wish_to_stop_reaches_the_work(network: Network) -> None:
    claim = take(network)
    assert claim is not None
    stopping.set()
    try:
        with pytest.raises(Interrupted):
            claim.check()
    finally:
        stopping.clear()


def test_a_busy_database_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims.time, "sleep", lambda _seconds: None)
    asked = []

    @patiently
    def busy_twice() -> str:
        asked.append(1)
        if len(asked) < 3:
            raise OperationalError("database is locked")
        return "done"

    assert busy_twice() == "done"

    @patiently
    def always_busy() -> None:
        raise OperationalError("database is locked")

    with pytest.raises(OperationalError):
        always_busy()
