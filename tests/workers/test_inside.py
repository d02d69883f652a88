"""After its measurement a network is looked into: its wiring, its first filters, its answers on validation images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from webapp.datasets.models import Dataset, DatasetFile
from webapp.networks.inside_files import Answers, Questions, filters_name, index_name, pack_name, read_json
from webapp.networks.models import Network
from webapp.runs.models import Run
from workers import inside, inspections, materials, pace

from .pictures import picture_zip

pytestmark = pytest.mark.django_db(transaction=True)

READY = Network.Made.READY


@pytest.fixture
def run(team: Any, dispatched: list[Any], tmp_path: Path) -> Run:
    """A run on sixty inspected pictures of three classes."""
    from evolution_core.spec import RunSpec

    content = picture_zip(each=20)
    dataset = Dataset.objects.create(team=team, name="Shapes")
    file = DatasetFile(dataset=dataset, original_name="set.zip", size=len(content))
    file.file.save("set.zip", ContentFile(content))
    inspections.inspect_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == Dataset.State.READY, dataset.message
    spec = RunSpec(architecture="lenet5", width=0.25, validation_share=0.4)
    return Run.objects.create(team=team, dataset=dataset, name="Shapes", spec=spec.to_json())


@pytest.fixture
def network(run: Run, tmp_path: Path) -> Network:
    """A measured network of the run that nobody has looked into."""
    import torch

    from evolution_core.architectures import build
    from evolution_core.genome import Genome, save_network, trace_clusters

    data = materials.data_for(run, None, lambda: None)
    model = build("lenet5", len(data.classes), data.shape, width=0.25)
    clusters = trace_clusters(model, torch.zeros(2, *data.shape))
    mean, std = tuple(data.mean.tolist()), tuple(data.std.tolist())
    genome = Genome("lenet5", data.classes, "classification", data.shape, mean, std, width=0.25).of(clusters, model)
    save_network(tmp_path / "ancestor.safetensors", model, genome)
    made = Network.objects.create(
        run=run,
        name="ancestor",
        generation=0,
        state=Network.State.MEASURED,
        macs=1000,
        inside_state=Network.Made.REQUESTED,
    )
    made.file.save("ancestor.safetensors", ContentFile((tmp_path / "ancestor.safetensors").read_bytes()))
    return made


def looked_into(network: Network) -> Network:
    inside.look_inside(network.pk)
    network.refresh_from_db()
    assert (network.inside_state, network.inside_message, network.inside_attempts) == (READY, "", 0)
    return network


def test_what_is_kept_is_what_the_network_answers(network: Network) -> None:
    from evolution_core.genome import load_network
    from evolution_core.tasks import task_for

    looked_into(network)
    questions = Questions.of(network.run_id)
    assert questions is not None
    answers = Answers.of(network, questions)
    assert answers is not None
    data = materials.data_for(network.run, None, lambda: None)
    assert questions.labels == data.validation.targets.tolist()
    assert questions.images == len(data.validation)
    right = sum(label == said for label, said in zip(questions.labels, answers.classes, strict=True))
    accuracy = task_for("classification").evaluate(load_network(network.file.path).model, data.validation, data)
    assert right / len(questions.labels) == accuracy["accuracy"]
    assert all(1000 / len(questions.classes) - 1 <= sure <= 1000 for sure in answers.sure)


def test_doing_it_twice_leaves_the_same_files(network: Network) -> None:
    def content() -> list[bytes]:
        names = (network.answers.name, network.inside.name, index_name(network.run_id), pack_name(network.run_id))
        return [default_storage.open(str(name)).read() for name in names]

    looked_into(network)
    first = content()
    Network.objects.filter(pk=network.pk).update(inside_state=Network.Made.REQUESTED)
    looked_into(network)
    assert content() == first
    assert sorted(default_storage.listdir(f"runs/{network.run_id}/validation")[1]) == ["index.json", "pictures.pack"]


def test_nobody_waits_for_images_that_are_stored(network: Network) -> None:
    looked_into(network)
    Network.objects.update(inside_state=Network.Made.REQUESTED)
    with materials.alone(materials.run_folder(network.run), "validation"):  # another worker has them just now
        looked_into(network)


def test_thumbnails_are_the_images_that_were_asked_about(network: Network) -> None:
    looked_into(network)
    offsets = read_json(index_name(network.run_id))["offsets"]
    data = materials.data_for(network.run, None, lambda: None)
    with default_storage.open(pack_name(network.run_id)) as file:
        content = file.read()
    assert len(offsets) == len(data.validation) + 1
    for number in (0, len(data.validation) - 1):
        picture = np.asarray(Image.open(io.BytesIO(content[offsets[number] : offsets[number + 1]])))
        judged = data.validation.images[number].numpy()
        np.testing.assert_array_equal(picture, judged[0] if len(judged) == 1 else judged.transpose(1, 2, 0))


def test_wiring_and_filters_are_kept(network: Network) -> None:
    looked_into(network)
    found = read_json(network.inside.name)
    assert [part["name"] or part["kind"] for part in found["parts"]] == [
        "input",
        "conv1",
        "conv2",
        "fc1",
        "fc2",
        "output",
    ]
    filters = found["filters"]
    assert (filters["layer"], filters["alive"], filters["columns"]) == ("conv1", [True] * 5, 5)
    with default_storage.open(filters_name(network.run_id, "ancestor")) as file:
        assert Image.open(io.BytesIO(file.read())).size == (25, 5)


def test_large_networks_are_asked_less(network: Network) -> None:
    Network.objects.filter(pk=network.pk).update(macs=inside.WORK)
    inside.LEAST, before = 7, inside.LEAST
    try:
        looked_into(network)
    finally:
        inside.LEAST = before
    questions = Questions.of(network.run_id)
    assert questions is not None
    assert (len(questions.labels), questions.images > 7) == (7, True)


def test_large_images_become_small_jpegs() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 300, 200)).astype(np.uint8)
    content = inside.thumbnail(pixels)
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size) == ("JPEG", (64, 96))
    assert len(content) < 12_000


def test_a_reason_is_given_where_it_cannot_be_done(network: Network) -> None:
    network.file.save("ancestor.safetensors", ContentFile(b"nonsense"))
    inside.look_inside(network.pk)
    network.refresh_from_db()
    assert network.inside_state == Network.Made.FAILED
    assert "not readable as safetensors" in network.inside_message


def test_what_ends_its_worker_again_and_again_is_given_up(network: Network) -> None:
    Network.objects.filter(pk=network.pk).update(inside_attempts=pace.ATTEMPTS)
    inside.look_inside(network.pk)
    network.refresh_from_db()
    assert (network.inside_state, network.inside_attempts) == (Network.Made.FAILED, 0)
    assert "memory" in network.inside_message


def test_nobody_looks_into_what_was_not_asked_for(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_made", lambda *_: pytest.fail("nobody asked"))
    for changes in ({"inside_state": ""}, {"inside_state": "requested", "state": Network.State.LIVING}):
        Network.objects.filter(pk=network.pk).update(**changes)
        inside.look_inside(network.pk)
    inside.look_inside(999_999)
