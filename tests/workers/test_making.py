"""Several things are made of a network at once; what ends one of them is not held against the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import materials, pace, sweeper
from workers.claims import Claim
from workers.exports import ONNX
from workers.inside import INSIDE
from workers.making import Making

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTED, READY = Network.Made.REQUESTED, Network.Made.READY


@pytest.fixture
def network(run: Run, dispatched: list[Any]) -> Network:
    """The last network of a running run, just measured and chosen."""
    made = Network.objects.create(
        run=run,
        name="1-1",
        generation=1,
        state=Network.State.MEASURED,
        file="runs/1/1-1.safetensors",
        onnx_state=REQUESTED,
        inside_state=REQUESTED,
    )
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING, chosen=made)
    return made


def killed(making: Making, network: Network) -> None:
    """The worker dies at it: nothing that would follow is done."""

    def die(_network: Network) -> Mapping[str, Any]:
        raise SystemExit

    with pytest.raises(SystemExit):
        making.make(network.pk, die)


def test_one_power_cut_ends_neither_the_run_nor_what_is_being_made(network: Network) -> None:
    killed(ONNX, network)
    killed(INSIDE, network)
    state = Network.State.MEASURED
    assert Claim.take(Network, network.pk, waiting=state, working=state, phase="testing")
    Network.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=pace.STALE + 1))
    sweeper.reclaim()
    network.refresh_from_db()
    network.run.refresh_from_db()
    assert (network.run.state, network.claimed_by, network.attempts) == (Run.State.RUNNING, "", 1)
    assert (network.onnx_attempts, network.inside_attempts) == (1, 1)

    def meanwhile(_network: Network) -> Mapping[str, Any]:  # while one is made again, so is the other
        assert INSIDE.make(network.pk, lambda _network: {})
        return {}

    assert ONNX.make(network.pk, meanwhile)
    network.refresh_from_db()
    assert (network.onnx_state, network.onnx_attempts) == (READY, 0)
    assert (network.inside_state, network.inside_attempts) == (READY, 0)
    assert network.attempts == 1


def test_what_ends_well_forgives_only_its_own_attempts(network: Network) -> None:
    for _ in range(pace.ATTEMPTS):
        killed(INSIDE, network)
    assert ONNX.make(network.pk, lambda _network: {})
    assert not INSIDE.make(network.pk, lambda _network: pytest.fail("it must not be tried again"))
    network.refresh_from_db()
    assert (network.onnx_state, network.inside_state) == (READY, Network.Made.FAILED)
    assert network.inside_message.startswith("Looking inside ended its worker")


def test_waiting_for_another_worker_is_no_failed_attempt(network: Network) -> None:
    def busy(_network: Network) -> Mapping[str, Any]:
        raise materials.InUse

    for _ in range(pace.ATTEMPTS + 1):
        assert not INSIDE.make(network.pk, busy)
    network.refresh_from_db()
    assert (network.inside_state, network.inside_message, network.inside_attempts) == (REQUESTED, "", 0)
