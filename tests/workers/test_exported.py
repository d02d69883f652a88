"""Once its ONNX form is there, a worker measures how good the network is in it, on the images that may be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import exported, exports, materials, pace
from workers.stopping import stopping

from .test_inside import network, run  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTED, READY, FAILED = Network.Made.REQUESTED, Network.Made.READY, Network.Made.FAILED


@pytest.fixture
def made(network: Network, dispatched: list[Any]) -> Network:  # noqa: F811
    """The network with its ONNX file, as the export left it."""
    Network.objects.update(onnx_state=REQUESTED)
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_state, network.onnx_figures_state, network.onnx_figures) == (READY, REQUESTED, {})
    assert ("workers.measure_onnx", network.pk) in dispatched
    return network


def measured(network: Network) -> dict[str, Any]:  # noqa: F811
    exported.measure_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_figures_state, network.onnx_figures_message, network.onnx_figures_attempts) == (READY, "", 0)
    return network.onnx_figures


def test_it_is_measured_on_validation_images_alone_until_it_is_tested(made: Network) -> None:
    from evolution_core.genome import load_network
    from evolution_core.tasks import task_for

    data = materials.data_for(made.run, None, lambda: None)
    figures = measured(made)
    assert set(figures) == {"validation"}
    found = figures["validation"]
    own = task_for("classification").evaluate(load_network(made.file.path).model, data.validation, data)["accuracy"]
    assert (found["images"], found["of"], found["torch"]) == (len(data.validation), len(data.validation), own)
    assert found["onnx"] == pytest.approx(own, abs=1 / len(data.validation))
    assert 0 < found["difference"] < 1e-4 * max(1, found["largest"])
    Network.objects.update(test_accuracy=0.9, onnx_figures_state=REQUESTED)
    figures = measured(made)
    assert figures["validation"] == found
    assert figures["test"]["of"] == len(data.test)


def test_a_test_asks_for_it_once_more(made: Network, dispatched: list[Any]) -> None:
    from evolution_core.records import NetworkRecord
    from workers import orchestrator

    measured(made)
    dispatched.clear()
    record = NetworkRecord("ancestor", 0, test_accuracy=0.8, test_metrics={"accuracy": 0.8})
    orchestrator.keep_tests(made.run, {"ancestor": record})
    assert ("workers.measure_onnx", made.pk) in dispatched
    assert set(measured(made)) == {"validation", "test"}


def test_test_images_that_are_opened_meanwhile_are_not_forgotten(
    made: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []

    def measure(network: Network, part: str) -> dict[str, Any]:  # noqa: F811
        parts.append(part)
        Network.objects.update(test_accuracy=0.9)
        return {"onnx": 0.9}

    monkeypatch.setattr(exported, "_measured", measure)
    assert set(measured(made)) == {"validation", "test"}
    assert parts == ["validation", "test"]


def test_costly_networks_are_measured_on_fewer_images(made: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "LEAST", 5)
    Network.objects.update(macs=exported.WORK // 7)
    found = measured(made)["validation"]
    assert found["images"] == 7 < found["of"]


def test_files_that_cannot_be_run_are_told(made: Network) -> None:
    Path(made.onnx.path).write_bytes(b"no file")
    exported.measure_onnx(made.pk)
    made.refresh_from_db()
    assert (made.onnx_state, made.onnx_figures_state) == (READY, FAILED)
    assert "ONNX Runtime cannot run" in made.onnx_figures_message


def test_measuring_that_kills_its_workers_is_given_up_and_an_orderly_stop_is_not(
    made: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping.set()
    try:
        exported.measure_onnx(made.pk)
    finally:
        stopping.clear()
    made.refresh_from_db()
    assert (made.onnx_figures_state, made.onnx_figures_attempts) == (REQUESTED, 0)
    monkeypatch.setattr(exported, "_measured", lambda *_: pytest.fail("it must not be tried again"))
    Network.objects.update(onnx_figures_attempts=pace.ATTEMPTS)
    exported.measure_onnx(made.pk)
    made.refresh_from_db()
    assert (made.onnx_figures_state, made.onnx_figures_attempts) == (FAILED, 0)
    assert "want of memory" in made.onnx_figures_message


@pytest.mark.parametrize("fields", [{"onnx_figures_state": READY}, {"onnx_state": REQUESTED}])
def test_nothing_is_measured_that_nobody_asked_for(
    made: Network, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    monkeypatch.setattr(exported, "_measured", lambda *_: pytest.fail("nobody asked"))
    Network.objects.update(**fields)
    exported.measure_onnx(made.pk)
    exported.measure_onnx(made.pk + 1)  # one that is gone is no error


def test_the_sweeper_asks_for_what_waits(made: Network, dispatched: list[Any]) -> None:
    from workers import sweeper

    dispatched.clear()
    Run.objects.update(state=Run.State.FINISHED)
    folder = materials.run_folder(made.run)
    sweeper.sweep(is_empty=lambda _queue: True)
    assert ("workers.measure_onnx", made.pk) in dispatched
    assert folder.exists()
    measured(made)
    dispatched.clear()
    sweeper.sweep(is_empty=lambda _queue: True)
    assert ("workers.measure_onnx", made.pk) not in dispatched
