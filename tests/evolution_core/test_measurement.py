"""Counts against sums by hand and against torch's own counter; latency figures that are medians in turns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from evolution_core.architectures import build, names
from evolution_core.export import export_onnx
from evolution_core.measurement import (
    count_bytes,
    count_macs,
    count_parameters,
    latency_ms,
    layer_table,
    measure,
    peak_activation_bytes,
)
from evolution_core.measurement import latency as latency_module
from evolution_core.spec import NetworkError
from evolution_core.spec.base_networks import ARCHITECTURES

CLASSIFIERS = tuple(name for name in names() if ARCHITECTURES[name].task == "classification")


class Mixed(nn.Module):
    """Functional forms, a parameter of its own, a layer used twice and attention: what a table must not lose."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.twice = nn.Linear(4, 4, bias=False)
        self.mixing = nn.Parameter(torch.eye(4))
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.conv(x)).flatten(2).transpose(1, 2)  # [N, 25, 4]
        tokens = self.twice(self.twice(tokens)) @ self.mixing
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens).mean(1)


def test_macs_by_hand():
    layer = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(54, 7))
    assert count_macs(layer, (4, 5, 5)) == 6 * 9 * 2 * 9 + 54 * 7
    assert count_macs(nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2)), (4, 5, 5)) == 4 * 25 * 6 * 9
    assert count_macs(Mixed(), (4, 5, 5)) == 4 * 25 * 18 + 2 * 25 * 16 + 25 * 16 + 2 * 25 * 25 * 4


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_macs_are_half_of_torchs_flops(name):
    size = ARCHITECTURES[name].minimum_size
    model = build(name, 3, (1, size, size), width=0.125).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 1, size, size))
    assert 2 * count_macs(model, (1, size, size)) == counter.get_total_flops()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_tables_sum_to_the_whole(name):
    size = ARCHITECTURES[name].minimum_size
    model = build(name, 3, (1, size, size), width=0.125)
    rows = layer_table(model, (1, size, size))
    assert sum(row["parameters"] for row in rows) == count_parameters(model)
    assert sum(row["macs"] for row in rows) == count_macs(model, (1, size, size))
    assert len({row["layer"] for row in rows}) == len(rows)
    first = rows[0]["layer"]
    assert first.startswith("conv1")
    assert rows[0]["clusters"] == model.get_submodule(first).out_channels
    assert model.training


def test_a_traced_network_has_the_same_table():
    model = build("lenet5", 3, (1, 16, 16))
    assert layer_table(fx.symbolic_trace(model), (1, 16, 16)) == layer_table(model, (1, 16, 16))


def test_the_table_says_what_each_layer_is():
    rows = {row["layer"]: row for row in layer_table(Mixed(), (4, 5, 5))}
    assert rows["conv"] == {
        "layer": "conv",
        "kind": "conv 3x3, 2 groups",
        "clusters": 4,
        "parameters": 76,
        "macs": 1800,
        "output": [4, 5, 5],
    }
    assert (rows["norm"]["kind"], rows["norm"]["parameters"], rows["norm"]["macs"]) == ("batch norm", 8, 0)
    assert (rows["twice"]["parameters"], rows["twice"]["macs"]) == (16, 800)  # its numbers once, its work twice
    assert (rows["mixing"]["kind"], rows["mixing"]["parameters"], rows["mixing"]["clusters"]) == ("tensor", 16, None)
    assert sum(row["parameters"] for row in rows.values()) == count_parameters(Mixed())
    kinds = [row["kind"] for row in layer_table(build("mobilenet-v2", 2, (1, 16, 16), width=0.125), (1, 16, 16))]
    assert kinds[:3] == ["conv 3x3 /2", "batch norm", "depthwise 3x3"]
    assert kinds[-1] == "full"


def test_bytes_are_what_is_saved(tmp_path):
    from safetensors.torch import save_file

    model = build("resnet20", 10, (3, 32, 32))
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    header = int.from_bytes((tmp_path / "w.safetensors").read_bytes()[:8], "little")
    assert count_bytes(model) == (tmp_path / "w.safetensors").stat().st_size - 8 - header
    tied = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    tied[1].weight = tied[0].weight
    assert (count_parameters(tied), count_bytes(tied)) == (9, 36)


def test_peak_memory_frees_what_nothing_needs():
    chain = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    assert peak_activation_bytes(chain, (1, 8, 8)) == 2 * 4 * 64 * 4  # in and out of the ReLU; no input any more
    assert peak_activation_bytes(nn.Sequential(nn.Conv2d(1, 4, 1), nn.Flatten()), (1, 8, 8)) == (1 + 4) * 64 * 4

    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.b(self.a(x))

    assert peak_activation_bytes(Skip(), (4, 8, 8)) == 3 * 4 * 64 * 4  # the input waits for the sum


def test_measuring_does_not_change_the_model():
    model = build("resnet20", 3, (1, 8, 8))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure(model, (1, 8, 8), seconds=0.01)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_network_that_does_not_run_is_refused():
    with pytest.raises(NetworkError, match="does not run on inputs of 2x8x8"):
        count_macs(build("lenet5", 2, (1, 28, 28)), (2, 8, 8))

    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(NetworkError, match=r"torch\.fx cannot follow"):
        count_macs(Branching(), (1, 8, 8))


def test_a_step_that_needs_numbers_is_counted_with_zeros():
    class Numbers(nn.Module):
        def __init__(self):
            super().__init__()
            self.full = nn.Linear(4, 2)
            self.register_buffer("places", torch.tensor([3, 2, 1, 0]))

        def forward(self, x: Tensor) -> Tensor:
            return self.full(x[:, self.places.tolist()] if isinstance(self.places, list) else x[:, self.places])

    assert count_macs(Numbers(), (4,)) == 8


# --- latency ----------------------------------------------------------------------------


def test_networks_take_turns_and_the_median_counts(monkeypatch):
    """With a clock of our own: the network under a passing slowdown is still judged by its median burst."""
    now = [0.0]
    calls: list[str] = []

    def runner(network, image):
        def run():
            calls.append(network)
            now[0] += {"fast": 0.001, "slow": 0.004}[network] * (10 if len(calls) % 17 == 0 else 1)

        return run

    monkeypatch.setattr(latency_module, "_runner", runner)
    monkeypatch.setattr(latency_module, "clock", lambda: now[0])
    times = latency_ms({"ours": "fast", "theirs": "slow"}, rounds=9, seconds=100, warm_up=0.01)
    assert times["theirs"] == pytest.approx(4.0)
    assert 0.999 < times["ours"] < 4.0
    timed = [name for position, name in enumerate(calls) if position and calls[position - 1] != name]
    assert timed[-8:] == ["fast", "slow"] * 4


def test_time_is_capped(monkeypatch):
    now = [0.0]

    def runner(network, image):
        def run():
            now[0] += 1.0

        return run

    monkeypatch.setattr(latency_module, "_runner", runner)
    monkeypatch.setattr(latency_module, "clock", lambda: now[0])
    assert latency_ms({"huge": "x"}, rounds=1000, seconds=3, warm_up=0.1) == {"huge": pytest.approx(1000.0)}
    assert now[0] <= 7


def test_a_busy_machine_does_not_make_a_network_slow(monkeypatch):
    """Time in which the thread does not work, because others do, is not counted."""
    monkeypatch.setattr(latency_module, "_runner", lambda network, image: lambda: latency_module.time.sleep(0.02))
    assert latency_ms({"x": "x"}, rounds=5, seconds=0.001, warm_up=0.0001)["x"] < 10


def test_measurement_of_a_real_network_beside_its_ancestor(tmp_path):
    model = build("lenet5", 10, (1, 28, 28))
    export_onnx(model, (1, 28, 28), tmp_path / "ancestor.onnx")
    found = measure(build("lenet5", 10, (1, 28, 28), width=0.25), (1, 28, 28), tmp_path / "ancestor.onnx", seconds=0.05)
    assert found.latency_ms > 0
    assert found.ancestor_latency_ms > 0
    assert found.speed_up == found.ancestor_latency_ms / found.latency_ms
    assert found.macs == sum(row["macs"] for row in found.layers)
    alone = measure(model, (1, 28, 28), seconds=0.01)
    assert alone.latency_ms == alone.ancestor_latency_ms
    assert (alone.parameters, alone.bytes) == (431_080, 4 * 431_080)


def test_sessions_have_one_thread():
    session = latency_module.session(export_onnx(build("lenet5", 2, (1, 16, 16)), (1, 16, 16)))
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_a_file_that_cannot_be_run_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"hello")
    with pytest.raises(NetworkError, match="ONNX Runtime cannot run this network"):
        latency_ms({"x": tmp_path / "x.onnx"})
