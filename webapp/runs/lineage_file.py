"""lineage.json of a run, in the same shape as the engine's command line writes it."""

from __future__ import annotations

from typing import Any

from webapp.networks.models import Network

from .models import Run
from .snapshot import Lineage, Snapshot


def lineage_json(run: Run) -> dict[str, Any]:
    """{"spec", "networks": [record], "chosen"}: what the engine recorded of each network, as it recorded it.

    `file` names the network's file as it is offered for download. Networks without a record (still open, or stopped)
    are left out, as they are by the command line.
    """
    lineage = Lineage.of(run)
    records = dict(Network.objects.filter(run=run).values_list("name", "record"))
    networks = [
        _record(network, records.get(network.name) or {})
        for network in lineage.networks
        if network.state in (Network.State.MEASURED, Network.State.REFUSED)
    ]
    return {"spec": run.spec, "networks": networks, "chosen": lineage.chosen.name if lineage.chosen else None}


def _record(network: Snapshot, record: dict[str, Any]) -> dict[str, Any]:
    plain = {
        "id": network.name,
        "generation": network.generation,
        "parents": list(network.parents),
        "status": str(network.state),
        "validation_accuracy": network.validation_accuracy,
        "shock_accuracy": network.shock_accuracy,
        "test_accuracy": network.test_accuracy,
        "parameters": network.parameters,
        "macs": network.macs,
        "bytes": network.bytes,
        "latency_ms": network.latency_ms,
        "clusters": network.clusters,
    }
    metric = str(record.get("metric", "accuracy"))
    if metric != "accuracy":  # the engine names the keys by the task's metric
        plain = {name.replace("accuracy", metric): value for name, value in plain.items()}
    merged = {**plain, **record}
    if network.test_accuracy is not None:  # the test set is opened after the record was written
        merged[f"test_{metric}"] = network.test_accuracy
    merged["file"] = f"{network.name}.safetensors" if network.is_measured else None
    return merged
