"""Networks as files: what is saved comes back bit for bit, and nothing hostile comes in."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from evolution_core.architectures import build
from evolution_core.architectures.onnx_import import load_onnx, to_structure
from evolution_core.genome import (
    ClusterMap,
    Genome,
    ancestor_of,
    load_network,
    read_genome,
    save_network,
    trace_clusters,
)
from evolution_core.genome.trials import random_death
from evolution_core.spec import NetworkError
from evolution_core.synthesis import cut, dropout_rates
from tests.evolution_core.own_networks import DESIGNS, exported_design


def genome_of(architecture: str, shape: tuple[int, int, int], classes: int = 3) -> Genome:
    names = tuple(f"class {index}" for index in range(classes))
    return Genome(architecture, names, "classification", shape, (0.5,) * shape[0], (0.25,) * shape[0])


def offspring_of(model: nn.Module, genome: Genome, times: int = 2) -> tuple[nn.Module, ClusterMap, Genome]:
    clusters = trace_clusters(model, torch.zeros(1, *genome.shape))
    for generation in range(times):
        alive = random_death(clusters, torch.Generator().manual_seed(generation), 0.6)
        model = cut(model, clusters, alive)
        clusters = trace_clusters(model, torch.zeros(0))
    return model, clusters, genome.of(clusters, model, id=f"{times}-1", generation=times, parents=("1-1",))


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [("lenet5", (1, 28, 28)), ("alexnet-small", (3, 32, 32)), ("resnet20", (3, 32, 32)), ("mobilenet-v2", (3, 32, 32))],
)
def test_a_network_comes_back_bit_for_bit(architecture: str, shape: tuple[int, int, int], tmp_path: Path) -> None:
    ancestor = build(architecture, 3, shape, seed=3)
    for times in (0, 2):
        model, clusters, genome = offspring_of(ancestor, genome_of(architecture, shape), times)
        path = tmp_path / f"{times}.safetensors"
        save_network(path, model, genome)
        loaded = load_network(path)
        assert loaded.genome == genome == read_genome(path)
        assert loaded.clusters.counts() == clusters.counts()
        assert torch.equal(loaded.clusters.tags, clusters.tags)
        assert dropout_rates(loaded.model) == dropout_rates(model)
        images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
        assert torch.equal(loaded.model(images), model.eval()(images))
        save_network(tmp_path / "again.safetensors", loaded.model, loaded.genome)
        assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
        model.train()


def test_a_loaded_network_evolves_on(tmp_path: Path) -> None:
    model, _, genome = offspring_of(build("alexnet-small", 3, (3, 32, 32)), genome_of("alexnet-small", (3, 32, 32)))
    save_network(tmp_path / "n", model, genome)
    loaded = load_network(tmp_path / "n")
    alive = random_death(loaded.clusters, torch.Generator().manual_seed(9))
    one, other = cut(model, trace_clusters(model, torch.zeros(0)), alive), cut(loaded.model, loaded.clusters, alive)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert dropout_rates(one) == dropout_rates(other)


def test_tensors_apart_from_buffers_are_the_parameters(tmp_path: Path) -> None:
    model, _, genome = offspring_of(build("resnet20", 3, (3, 32, 32)), genome_of("resnet20", (3, 32, 32)))
    masks = {"conv1.weight": torch.rand(model.get_parameter("conv1.weight").shape) > 0.5}
    save_network(tmp_path / "n", model, genome, masks)
    tensors = load_file(tmp_path / "n")
    held = sum(tensor.numel() for name, tensor in tensors.items() if not name.startswith("buffer:"))
    assert held == sum(parameter.numel() for parameter in model.parameters())
    loaded = load_network(tmp_path / "n")
    assert set(loaded.masks) == {"conv1.weight"}
    assert torch.equal(loaded.masks["conv1.weight"], masks["conv1.weight"])


@pytest.mark.parametrize("name", DESIGNS)
def test_own_networks_carry_their_structure(name: str, tmp_path: Path) -> None:
    own = load_onnx(exported_design(name, "opset17"))
    genome = dataclasses.replace(
        genome_of("own", own.shape, own.outputs), structure=to_structure(own.module), digest=own.digest
    )
    model, clusters, genome = offspring_of(own.module, genome)
    save_network(tmp_path / "n", model, genome)
    loaded = load_network(tmp_path / "n")
    images = torch.randn(2, *own.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.model(images), model.eval()(images))
    assert loaded.clusters.counts() == clusters.counts()
    assert dropout_rates(loaded.model) == dropout_rates(model)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor], dict[str, Any]]:
    model, _, genome = offspring_of(build("lenet5", 3, (1, 28, 28)), genome_of("lenet5", (1, 28, 28)))
    save_network(tmp_path / "n", model, genome)
    return tmp_path / "n", load_file(tmp_path / "n"), json.loads(genome.to_json())


@pytest.mark.parametrize(
    "content", [b"", b"{}", pickle.dumps({"a": 1}), b"\xff" * 100, b"\x10\0\0\0\0\0\0\0" + b"[" * 16]
)
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(NetworkError, match="not readable as safetensors"):
        load_network(tmp_path / "bad")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no file nowhere"):
        load_network(tmp_path / "nowhere")
    with pytest.raises(NetworkError, match="not readable"):
        load_network(tmp_path)


def test_a_file_without_a_genome_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "n")
    with pytest.raises(NetworkError, match="no genome"):
        read_genome(tmp_path / "n")


TAMPERED: dict[str, tuple[dict[str, Any], str]] = {
    "architecture": ({"architecture": "__import__('os')"}, "not a base network"),
    "no text": ({"architecture": 5}, "must be a text"),
    "version": ({"version": 99}, "another version"),
    "unknown": ({"surprise": 1}, "unknown field"),
    "shape": ({"shape": [1, 28]}, "shape must be"),
    "huge": ({"shape": [1, 10**9, 28]}, "shape must be"),
    "small": ({"shape": [1, 4, 4]}, "at least"),
    "width": ({"width": 1e9}, "width must be"),
    "no number": ({"width": None}, "width must be"),
    "classes": ({"classes": []}, "classes must be"),
    "many classes": ({"classes": ["x"] * 20_000}, "classes must be"),
    "mean": ({"mean": ["a"]}, "mean must be"),
    "std": ({"std": [0.0]}, "std must be"),
    "genes missing": ({"genes": {}}, "genes must be"),
    "genes negative": ({"genes": {"conv1": [-1], "conv2": [0], "fc1": [0], "fc2": [0, 1, 2]}}, "genes must be"),
    "genes beyond": ({"genes": {"conv1": [99], "conv2": [0], "fc1": [0], "fc2": [0, 1, 2]}}, "genes must be"),
    "genes unordered": ({"genes": {"conv1": [3, 1], "conv2": [0], "fc1": [0], "fc2": [0, 1, 2]}}, "genes must be"),
    "genes of the head": ({"genes": {"conv1": [1], "conv2": [0], "fc1": [0], "fc2": [0, 1]}}, "protected"),
    "other ancestor": ({"ancestor": {"conv1": 21, "conv2": 50, "fc1": 500, "fc2": 3}}, "not those of its ancestor"),
    "dropout": ({"dropout": {"conv1": 0.5}}, "is no dropout"),
    "rate": ({"dropout": {"conv1": 5}}, "dropout is no rates"),
    "own": ({"architecture": "own", "structure": "{}"}, "structure is broken"),
    "not an object": ({}, ""),
}


@pytest.mark.parametrize("name", [name for name, (_, sentence) in TAMPERED.items() if sentence])
def test_a_tampered_genome_is_refused(name: str, saved: tuple[Path, dict, dict]) -> None:
    path, tensors, genome = saved
    changes, sentence = TAMPERED[name]
    save_file(tensors, path, {"genome": json.dumps({**genome, **changes})})
    with pytest.raises(NetworkError, match=sentence):
        load_network(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "nul", '"x"', "[" * 5000, '{"classes": 3}', '{"genes": 3, "shape": [1,1,1]}']
)
def test_text_that_is_no_genome_is_refused(text: str, saved: tuple[Path, dict, dict]) -> None:
    path, tensors, _ = saved
    save_file(tensors, path, {"genome": text})
    with pytest.raises(NetworkError):
        load_network(path)


def test_tensors_must_be_those_of_the_network(saved: tuple[Path, dict, dict]) -> None:
    path, tensors, genome = saved
    text = {"genome": json.dumps(genome)}
    for changed, sentence in (
        ({k: v for k, v in tensors.items() if k != "fc1.bias"}, "lacks the tensor 'fc1.bias'"),
        ({**tensors, "extra": torch.zeros(1)}, "'extra' that the network does not know"),
        ({**tensors, "fc1.bias": torch.zeros(3)}, "'fc1.bias' is"),
        ({**tensors, "fc1.bias": tensors["fc1.bias"].double()}, "float64"),
        ({**tensors, "buffer:mask:fc1.bias": torch.zeros(2, dtype=torch.bool)}, "mask of 'fc1.bias'"),
    ):
        save_file(changed, path, text)
        with pytest.raises(NetworkError, match=sentence):
            load_network(path)


def test_a_failed_save_leaves_the_old_file(saved: tuple[Path, dict, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _, _ = saved
    before = path.read_bytes()
    loaded = load_network(path)

    def full_disk(source: str, target: str) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("evolution_core.genome.files.os.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_network(path, loaded.model, loaded.genome)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["n"]


def test_an_ancestor_is_rebuilt_without_numbers() -> None:
    """A claim of a very large network must cost no memory before its numbers are seen."""
    model, clusters = ancestor_of(genome_of("vgg16-bn", (3, 224, 224), 1000))
    assert all(parameter.device.type == "meta" for parameter in model.parameters())
    assert clusters.cost("parameters") == 138_365_992
