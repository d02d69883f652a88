"""Every registered base network evolves: two generations, each cut proven, really smaller, saved and read back.

The test walks the registry, so a new network tests itself.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from evolution_core import architectures, lineage
from evolution_core.data import Data, load
from evolution_core.genome import load_network
from evolution_core.measurement import count_parameters
from evolution_core.spec.base_networks import ARCHITECTURES
from tests.evolution_core import boxes
from tests.evolution_core.tiny import evolved, of_kind, tiny_data, tiny_spec

pytestmark = pytest.mark.usefixtures("quick_latency")

WIDTH = 0.1  # of the published widths: a few seconds for all of them


def data_for(name: str, folder: Path) -> Data:
    """Thirty-two images of the smallest size that the network takes, for its task."""
    card = ARCHITECTURES[name]
    size = -(-max(card.minimum_size, 8) // card.size_multiple) * card.size_multiple
    if card.task == "classification":
        return tiny_data(size=size, channels=card.reference_input[0], train=32, others=12)
    archive = boxes.zipped(folder / "boxes.zip", boxes.voc(boxes.scenes(24)))
    return load(archive, spec=tiny_spec(architecture=name, width=WIDTH, input_size=size))


@pytest.mark.parametrize("name", architectures.names())
def test_it_evolves_two_generations_with_surgery_proven(tmp_path, name):
    data = data_for(name, tmp_path)
    spec = tiny_spec(architecture=name, width=WIDTH, epochs=0.5, batch_size=16, minimum_clusters=1)
    out = tmp_path / "run"
    events = evolved(spec, out, data)
    assert [event.network for event in of_kind(events, "measured")] == ["ancestor", "1-1", "2-1"]
    assert all(event.data["proof"]["ok"] for event in of_kind(events, "cut"))
    assert len(of_kind(events, "cut")) == 2

    records = lineage.read_networks(out)
    for parent, child in itertools.pairwise(records):
        assert (child.parameters or 0) < (parent.parameters or 0)
        assert (child.macs or 0) < (parent.macs or 0)
        assert all(child.clusters[layer] <= count for layer, count in parent.clusters.items())

    last = load_network(out / "2-1.safetensors")
    assert count_parameters(last.model) == records[-1].parameters
    with torch.no_grad():
        outputs = last.model(torch.zeros(1, *data.shape))
    assert torch.isfinite(outputs).all()
    assert (
        outputs.shape[1]
        == architectures.build(name, len(data.classes), data.shape, WIDTH)(torch.zeros(2, *data.shape)).shape[1]
    )


def test_every_card_has_its_network_and_every_network_its_card():
    assert set(architectures.names()) == set(ARCHITECTURES)
