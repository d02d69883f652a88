"""The engine's tests run on one thread: small networks gain nothing from more, and tests run in parallel."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def quick_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency from a few runs instead of seconds of them: still measured, but nothing to rely on."""
    from evolution_core.life import measuring as life_measuring
    from evolution_core.measurement import latency, measuring

    def quick(networks, **_):
        return latency.latency_ms(networks, rounds=5, seconds=0.01, warm_up=0.001)

    monkeypatch.setattr(measuring, "latency_ms", quick)
    monkeypatch.setattr(life_measuring, "latency_ms", quick)
