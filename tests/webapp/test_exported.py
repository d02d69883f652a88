"""What a network is worth in its ONNX form: beside PyTorch's figure on its page, its downloads and its model card."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.base import ContentFile

from tests.webapp.factories import make_box_dataset, make_detection, make_evolution
from webapp.networks.exported import beside, figures_of, sentences
from webapp.networks.models import Network
from webapp.runs.models import Run

READY, REQUESTED, FAILED = Network.Made.READY, Network.Made.REQUESTED, Network.Made.FAILED
FIGURES = {
    "metric": "accuracy",
    "images": 480,
    "of": 480,
    "torch": 0.9155,
    "onnx": 0.9151,
    "boxes": None,
    "compared": 64,
    "difference": 3.8e-6,
    "largest": 21.34,
}


@pytest.fixture
def finished(team: Any, dataset: Any) -> Run:
    return make_evolution(team, dataset, finished=True)


def exported(run: Run, name: str, **figures: Any) -> Network:
    """The network with an ONNX file that was measured, if `figures` are given."""
    network = Network.objects.get(run=run, name=name)
    network.onnx.save(f"{name}.onnx", ContentFile(b"onnx"))
    network.onnx_state, network.onnx_sha256 = READY, "d" * 64
    network.onnx_figures, network.onnx_figures_state = figures, READY if figures else ""
    network.save()
    return network


def page(client: Any, network: Network) -> str:
    return client.get(f"/runs/{network.run_id}/networks/{network.name}/").content.decode()


def test_the_page_says_what_the_file_is_worth(client_of: Any, vic: Any, finished: Run) -> None:
    test = FIGURES | {"onnx": 0.9105, "torch": 0.9105, "images": 4, "of": 1200}
    network = exported(finished, "5-2", validation=FIGURES, test=test)
    response = client_of(vic).get(f"/runs/{finished.pk}/networks/5-2/")
    notes = {row["label"]: row.get("note") for row in response.context["figures"]}
    assert notes["on validation"] == "ONNX file 91.51 %"
    assert notes["on unseen images"] == "ONNX file 91.05 %, PyTorch 91.05 %, all on 4 of 1,200 images"
    words = response.content.decode()
    assert (
        "In ONNX Runtime 91.51 % accuracy on all 480 validation images (PyTorch 91.55 %), "
        "91.05 % accuracy on 4 of 1,200 unseen images (PyTorch 91.05 %)." in words
    )
    assert "Outputs, up to 21.3, differ by at most 3.8\u00a0×\u00a010⁻⁶ (on 64 images)." in words
    assert "Measure it" not in words
    assert figures_of(network) == {"validation": FIGURES, "test": test}


def test_what_cannot_be_read_is_left_out(finished: Run) -> None:
    network = exported(finished, "5-2", validation=FIGURES, test={"onnx": "much"}, more=FIGURES)
    assert set(figures_of(network)) == {"validation"}
    network.onnx_figures = None
    assert figures_of(network) == {}
    assert list(sentences(network, "accuracy")) == []


@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_not_measured_can_be_asked_about(
    client_of: Any, eve: Any, vic: Any, finished: Run, dispatched: list[Any]
) -> None:
    network = exported(finished, "5-2")
    address = f"/runs/{finished.pk}/networks/5-2/measure/"
    assert f'action="{address}"' in page(client_of(eve), network)
    assert f'action="{address}"' not in page(client_of(vic), network)
    assert client_of(vic).post(address).status_code == 403
    for _ in range(2):
        client_of(eve).post(address)
    assert dispatched == [("workers.measure_onnx", network.pk)]
    words = page(client_of(vic), network)
    assert "being measured" in words
    assert "data-refresh=" in words
    Network.objects.update(onnx_figures_state=FAILED, onnx_figures_message="The file <is> gone.")
    words = page(client_of(eve), network)
    assert "The file &lt;is&gt; gone." in words
    assert f'action="{address}"' in words
    client_of(eve).post(f"/runs/{finished.pk}/networks/4-1/measure/")  # it has no such form
    assert len(dispatched) == 1


def test_what_failed_on_test_images_can_be_asked_for_again_beside_what_is_known(
    client_of: Any, eve: Any, finished: Run
) -> None:
    """A choice asks for unseen images, too; the figures on validation images are there before."""
    network = exported(finished, "5-2", validation=FIGURES)
    again = f'action="/runs/{finished.pk}/networks/5-2/measure/"'
    words = page(client_of(eve), network)
    assert "In ONNX Runtime 91.51 %" in words
    assert again not in words
    Network.objects.update(onnx_figures_state=REQUESTED)
    words = page(client_of(eve), network)
    assert "In ONNX Runtime 91.51 %" in words
    assert "being measured" in words
    Network.objects.update(onnx_figures_state=FAILED, onnx_figures_message="The disk was full.")
    words = page(client_of(eve), network)
    assert "In ONNX Runtime 91.51 %" in words
    assert "The disk was full." in words
    assert again in words


def test_the_card_tells_it_beside_pytorchs_and_the_ancestors(client_of: Any, vic: Any, finished: Run) -> None:
    exported(finished, "ancestor", validation=FIGURES | {"onnx": 0.92})
    exported(finished, "5-2", validation=FIGURES, test=FIGURES | {"images": 100, "torch": 0.9})
    address = f"/runs/{finished.pk}/networks/5-2"
    found = json.loads(client_of(vic).get(f"{address}/card-json").content)
    assert found["onnx"]["own"]["validation"]["onnx"] == 0.9151
    assert found["onnx"]["ancestor"]["validation"]["onnx"] == 0.92
    card = client_of(vic).get(f"{address}/card").content.decode()
    assert "| Accuracy on validation, ONNX file | 91.51 % | 92.00 % |" in card
    assert "| Accuracy on unseen images, ONNX file | 91.51 % |  |" in card
    assert "The ONNX file was measured in ONNX Runtime on 480 of 480 validation images. Outputs, up to 21.3," in card
    assert "on 100 of 480 test images. PyTorch’s figure on the same images: 90.00 %." in card


def test_a_card_without_it_says_nothing_of_it(client_of: Any, vic: Any, finished: Run) -> None:
    card = client_of(vic).get(f"/runs/{finished.pk}/networks/5-2/card").content.decode()
    assert "ONNX file" not in card
    assert "| Memory of activations, one image |" in card
    assert "## Limits" in card
    assert "it was never tested" not in card
    untested = client_of(vic).get(f"/runs/{finished.pk}/networks/4-1/card").content.decode()
    assert "it was never tested" in untested


def test_both_files_of_a_detector_are_told(client_of: Any, ada: Any, team: Any) -> None:
    run = make_detection(make_box_dataset(team))
    network = exported(run, "1-1", validation=FIGURES | {"onnx": 0.64, "boxes": 0.639, "torch": 0.64})
    assert beside(network.onnx_figures["validation"]) == "ONNX file 64.00 %, with boxes 63.90 %"
    network.onnx_nms.save("1-1.nms.onnx", ContentFile(b"onnx"))
    words = page(client_of(ada), network)
    assert "In ONNX Runtime 64.00 % mAP@.5 on all 480 validation images" in words
    assert "In ONNX Runtime 63.90 % mAP@.5 on all 480 validation images" in words
    Network.objects.filter(pk=network.pk).update(onnx_nms_sha256="e" * 64)
    card = client_of(ada).get(f"/runs/{run.pk}/networks/1-1/card").content.decode()
    assert "| mAP@.5 on validation, ONNX file with boxes | 63.90 % |" in card
    assert f"`{'e' * 64}`" in card
