"""Two workers never make the same ONNX form at once, and an export that was given up can be asked for again."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import exports, materials, pace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def network(run: Run) -> Network:
    return Network.objects.create(
        run=run,
        name="ancestor",
        generation=0,
        state=Network.State.MEASURED,
        file="runs/1/ancestor.safetensors",
        onnx_state=Network.OnnxState.REQUESTED,
    )


def test_a_second_message_leaves_an_export_under_way_alone(network: Network) -> None:
    """The sweeper asks again while a long export goes on: that must count as no failed attempt."""
    with materials.alone(materials.run_folder(network.run), "ancestor.onnx"):
        for _ in range(pace.ATTEMPTS + 1):
            exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_state, network.onnx_attempts) == (Network.OnnxState.REQUESTED, 0)


def test_who_asks_again_after_it_was_given_up_gets_a_new_try(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    Network.objects.update(onnx_attempts=pace.ATTEMPTS)
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert network.onnx_state == Network.OnnxState.FAILED
    assert network.onnx_message.startswith("Exporting ended its worker")

    def made(_network: Network, folder: Path) -> Path:
        (folder / "network.onnx").write_bytes(b"onnx")
        return folder / "network.onnx"

    monkeypatch.setattr(exports, "_export", made)
    Network.objects.update(onnx_state=Network.OnnxState.REQUESTED)
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_state, network.onnx_message, network.onnx_attempts) == (Network.OnnxState.READY, "", 0)


def test_a_network_that_is_gone_is_no_error(db: None) -> None:
    exports.export_onnx(7)
