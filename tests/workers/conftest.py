"""What the workers' tests need on top of the common cast: records as the engine writes them, and short runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def short_run(run: Any) -> Any:
    """A run of two generations of two offspring."""
    from evolution_core.spec import RunSpec

    run.spec = RunSpec(generations=2, offspring=2).to_json()
    run.save()
    return run


@pytest.fixture
def measure() -> Callable[..., None]:
    """Ends a network's life as a worker would have: measured, with a record."""

    def make(network: Any, accuracy: float = 0.9, parameters: int = 1000, **fields: Any) -> None:
        from evolution_core.records import NetworkRecord
        from webapp.networks.models import Network

        parents = tuple(network.parents.values_list("name", flat=True))
        record = NetworkRecord(
            network.name,
            network.generation,
            parents,
            validation_accuracy=accuracy,
            chance=0.5,
            parameters=parameters,
            living_synapses=parameters,
            macs=10 * parameters,
            bytes=4 * parameters,
            latency_ms=0.1,
            ancestor_latency_ms=0.2,
            file=f"{network.name}.safetensors",
        )
        Network.objects.filter(pk=network.pk).update(
            state=Network.State.MEASURED, record=record.to_json(), validation_accuracy=accuracy, **fields
        )

    return make
