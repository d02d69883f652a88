"""A network's form in 8-bit integers, made and measured by a worker where somebody asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from evolution_core.measurement.latency import session
from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import materials, pace, quantized
from workers.stopping import stopping

from .test_exported import made  # noqa: F401  (fixtures)
from .test_inside import network, run  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTED, READY, FAILED = Network.Made.REQUESTED, Network.Made.READY, Network.Made.FAILED


@pytest.fixture
def asked(made: Network) -> Network:  # noqa: F811
    """Its ONNX file is there, and somebody wants it in integers."""
    Network.objects.update(int8_state=REQUESTED)
    return made


def quantize(network: Network) -> Network:  # noqa: F811
    quantized.quantize(network.pk)
    network.refresh_from_db()
    return network


def test_it_is_made_of_the_other_form_and_measured_beside_it(asked: Network) -> None:
    found = quantize(asked)
    assert (found.int8_state, found.int8_message, found.int8_attempts) == (READY, "", 0)
    assert found.int8.size < 0.6 * found.onnx.size
    assert materials.sha256(Path(found.int8.path)) == found.int8_sha256
    assert session(found.int8.path).get_modelmeta().custom_metadata_map.keys() == {"eustress"}
    data = materials.data_for(found.run, None, lambda: None)
    figures = found.int8_figures
    assert figures["validation"]["of"] == len(data.validation)
    assert figures["validation"]["onnx"] == pytest.approx(figures["validation"]["torch"], abs=0.2)
    assert 0 < figures["validation"]["difference"] < figures["validation"]["largest"]
    assert not list(settings.WORK_ROOT.glob("int8-*"))
    assert figures["images"] == len(data.train)  # there are not 256 of them
    assert figures["latency_ms"] > 0 < figures["onnx_latency_ms"]
    Network.objects.update(int8_state=REQUESTED)
    assert quantize(asked).int8_sha256 == found.int8_sha256


@pytest.mark.parametrize(("sha256", "said"), [("", "cannot run this network"), ("as it was", "damaged")])
def test_a_file_that_cannot_be_read_is_told(asked: Network, sha256: str, said: str) -> None:
    Path(asked.onnx.path).write_bytes(b"no file")
    if not sha256:
        Network.objects.update(onnx_sha256="")
    found = quantize(asked)
    assert (found.onnx_state, found.int8_state) == (READY, FAILED)
    assert said in found.int8_message


def test_nothing_is_left_of_a_run_that_is_deleted_meanwhile(asked: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    made_of = quantized._made

    def deleting(network: Network) -> dict[str, Any]:  # noqa: F811
        found = made_of(network)
        assert default_storage.exists(found["int8"])
        Run.objects.all().delete()
        return found

    monkeypatch.setattr(quantized, "_made", deleting)
    name = f"runs/{asked.run_id}/{asked.name}.int8.onnx"
    quantized.quantize(asked.pk)
    assert not default_storage.exists(name)


def test_an_orderly_stop_is_no_failure_and_what_kills_its_workers_is_given_up(
    asked: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping.set()
    try:
        found = quantize(asked)
    finally:
        stopping.clear()
    assert (found.int8_state, found.int8_attempts) == (REQUESTED, 0)
    monkeypatch.setattr(quantized, "_made", lambda *_: pytest.fail("it must not be tried again"))
    Network.objects.update(int8_attempts=pace.ATTEMPTS)
    found = quantize(asked)
    assert (found.int8_state, found.int8_attempts) == (FAILED, 0)
    assert "want of memory" in found.int8_message


@pytest.mark.parametrize("fields", [{"int8_state": ""}, {"onnx_state": REQUESTED}, {"onnx": ""}])
def test_nothing_is_made_that_nobody_asked_for_or_of_nothing(
    asked: Network, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    monkeypatch.setattr(quantized, "_made", lambda *_: pytest.fail("it must not be made"))
    Network.objects.update(**fields)
    quantize(asked)
    quantized.quantize(asked.pk + 1)  # one that is gone is no error
