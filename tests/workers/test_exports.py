"""The ONNX form of a measured network: made from its stored file, checked by the engine, failures told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from django.core.files.base import ContentFile

from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import exports, materials, pace

pytestmark = pytest.mark.django_db(transaction=True)

OnnxState = Network.OnnxState


@pytest.fixture
def network(run: Run, tmp_path: Path) -> Network:
    """A measured LeNet-5 whose ONNX form was asked for."""
    import torch

    from evolution_core.architectures import build
    from evolution_core.genome import Genome, save_network, trace_clusters

    model = build("lenet5", 3, (1, 28, 28), width=0.25)
    genome = Genome(
        architecture="lenet5",
        classes=("a", "b", "c"),
        task="classification",
        shape=(1, 28, 28),
        mean=(0.5,),
        std=(0.25,),
        width=0.25,
    )
    clusters = trace_clusters(model, torch.zeros(2, 1, 28, 28))
    save_network(tmp_path / "ancestor.safetensors", model, genome.of(clusters, model))
    found = Network.objects.create(
        run=run, name="ancestor", generation=0, state=Network.State.MEASURED, onnx_state=OnnxState.REQUESTED
    )
    found.file.save("ancestor.safetensors", ContentFile((tmp_path / "ancestor.safetensors").read_bytes()))
    return found


def test_the_file_runs_where_no_pytorch_is(network: Network) -> None:
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert (network.onnx_state, network.onnx_message, network.onnx_attempts) == (OnnxState.READY, "", 0)
    assert network.onnx.name == f"runs/{network.run_id}/ancestor.onnx"
    assert network.onnx_sha256 == materials.sha256(Path(network.onnx.path))
    session = onnxruntime.InferenceSession(network.onnx.path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: np.zeros((2, 1, 28, 28), np.float32)})
    assert outputs.shape == (2, 3)
    about = json.loads(session.get_modelmeta().custom_metadata_map["eustress"])
    assert about["classes"] == ["a", "b", "c"]


def test_a_damaged_file_is_told_not_retried(network: Network) -> None:
    Path(network.file.path).write_bytes(b"no network")
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert network.onnx_state == OnnxState.FAILED
    assert network.onnx_message
    assert network.state == Network.State.MEASURED


def test_a_bug_is_told_and_logged(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exports, "_export", lambda *_: 1 / 0)
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert network.onnx_state == OnnxState.FAILED
    assert "ZeroDivisionError" in caplog.text


def test_an_export_that_kills_its_workers_is_given_up(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_export", lambda *_: pytest.fail("it must not be tried again"))
    Network.objects.update(onnx_attempts=pace.ATTEMPTS)
    exports.export_onnx(network.pk)
    network.refresh_from_db()
    assert network.onnx_state == OnnxState.FAILED
    assert "want of memory" in network.onnx_message


@pytest.mark.parametrize(
    "fields",
    [
        {"onnx_state": OnnxState.READY},
        {"onnx_state": OnnxState.NONE},
        {"state": Network.State.LIVING},
        {"file": ""},
    ],
)
def test_nothing_is_made_that_nobody_asked_for(
    network: Network, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    monkeypatch.setattr(exports, "_export", lambda *_: pytest.fail("nobody asked"))
    Network.objects.update(**fields)
    exports.export_onnx(network.pk)
