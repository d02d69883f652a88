"""JSON whose order means something keeps it, on every database."""

from __future__ import annotations

from typing import Any

import pytest

from webapp.datasets.models import Dataset
from webapp.networks.models import Network

pytestmark = pytest.mark.django_db
FORWARD = ["conv1", "conv2", "fc6", "a"]  # neither by length nor by alphabet


def test_layers_stay_in_forward_order(run: Any) -> None:
    counts = dict.fromkeys(FORWARD, 8)
    made = Network.objects.create(run=run, name="1-1", generation=1, clusters=counts, record={"clusters": counts})
    found = Network.objects.get(pk=made.pk)
    assert list(found.clusters) == list(found.record["clusters"]) == FORWARD


def test_classes_of_boxes_stay_in_the_order_of_their_labels(dataset: Dataset) -> None:
    dataset.report["boxes"] = {"classes": {name: {"boxes": 1} for name in FORWARD}}
    dataset.save()
    assert list(Dataset.objects.get(pk=dataset.pk).report["boxes"]["classes"]) == FORWARD
