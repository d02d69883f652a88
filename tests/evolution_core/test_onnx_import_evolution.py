"""Own networks through the whole engine: evolved, cut with proof, measured, exported and brought again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evolution_core.architectures.onnx_import import deployed, load_onnx
from evolution_core.evolution import evolve
from evolution_core.export import export_onnx
from evolution_core.genome import load_network
from evolution_core.spec import NetworkError, RunSpec
from tests.evolution_core.own_networks import SIDE, exported_design, saved
from tests.evolution_core.tiny import tiny_data

pytestmark = pytest.mark.usefixtures("quick_latency")


def lineage(out: Path) -> dict[str, dict]:
    return {network["id"]: network for network in json.loads((out / "lineage.json").read_text())["networks"]}


@pytest.mark.parametrize("name", ["mobilenet", "efficientnet", "transformer"])
def test_an_own_network_evolves_and_is_exported_again(name: str, tmp_path: Path) -> None:
    path = saved(exported_design(name, "opset17"), tmp_path)
    network = load_onnx(path)
    data = tiny_data(classes=5, size=SIDE, channels=3, train=40, others=20)
    spec = RunSpec(
        architecture="own",
        own=network.digest,
        generations=1,
        offspring=1,
        epochs=1,
        batch_size=8,
        seed=1,
        width_multiple=1,
        repair_images=16,
    )
    list(evolve(spec, data, tmp_path / "run", own=path))
    networks = lineage(tmp_path / "run")
    assert networks["1-1"]["parameters"] < networks["ancestor"]["parameters"] == network.parameters
    assert networks["1-1"]["proof"]["ok"]
    child = load_network(tmp_path / "run" / "1-1.safetensors")
    content = export_onnx(deployed(child.model, child.genome.final), child.genome)
    again = load_onnx(content)
    assert again.parameters == networks["1-1"]["parameters"]
    assert again.classes == data.classes
    assert again.normalisation is not None
    assert again.normalisation.std[0] == pytest.approx(1 / 255)  # the file takes pixels and normalises them itself


def test_an_own_network_of_other_sizes_is_refused(tmp_path: Path) -> None:
    path = saved(exported_design("mobilenet", "opset17"), tmp_path)
    spec = RunSpec(architecture="own", own=load_onnx(path).digest, generations=1)
    with pytest.raises(NetworkError, match=r"net\.onnx takes inputs of 3x24x24"):
        list(evolve(spec, tiny_data(classes=5, size=16, channels=1), tmp_path / "run", own=path))
