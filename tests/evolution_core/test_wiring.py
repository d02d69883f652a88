"""What feeds what: chains, residual joins, concatenation, and what is no path at all; over every base network too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evolution_core.architectures import build
from evolution_core.measurement.wiring import wiring
from evolution_core.spec import NetworkError, catalogue


def told(model: nn.Module, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    return [(part.name or part.kind, part.sources) for part in wiring(model, shape)]


def test_a_chain_is_a_chain() -> None:
    assert told(build("lenet5", 3, (1, 28, 28)), (1, 28, 28)) == [
        ("input", ()),
        ("conv1", (0,)),
        ("conv2", (1,)),
        ("fc1", (2,)),
        ("fc2", (3,)),
        ("output", (4,)),
    ]


class Forked(nn.Module):
    """A residual join, a gate that comes from the same place, and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.bare = nn.Parameter(torch.ones(4, 8))
        self.bias = nn.Parameter(torch.ones(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.norm(self.second(x)).relu()
        x = x + y
        x = x * x.sigmoid()
        z = torch.cat([x, y], 1) + self.bias
        return nn.functional.linear(z.mean((2, 3)).view(z.size(0), 8), self.bare)


def test_joins_are_where_different_paths_meet() -> None:
    assert told(Forked(), (3, 8, 8)) == [
        ("input", ()),
        ("first", (0,)),
        ("second", (1,)),
        ("add", (1, 2)),
        ("concat", (3, 2)),
        ("bare", (4,)),
        ("output", (5,)),
    ]


def test_shapes_are_those_of_one_image() -> None:
    parts = wiring(Forked(), (3, 8, 8))
    assert [part.output for part in parts][:3] == [(3, 8, 8), (4, 8, 8), (4, 8, 8)]
    assert parts[1].kind == "conv 3x3"
    assert parts[1].to_json() == {"name": "first", "kind": "conv 3x3", "sources": [0], "output": [4, 8, 8]}


def test_what_does_not_run_is_refused() -> None:
    with pytest.raises(NetworkError, match="does not run"):
        wiring(Forked(), (5, 8, 8))


@pytest.mark.parametrize("name", [name for name in catalogue.ARCHITECTURES if name != catalogue.OWN])
def test_every_base_network_can_be_drawn(name: str) -> None:
    shape = catalogue.ARCHITECTURES[name].reference_input
    parts = wiring(build(name, 3, shape, width=0.25), shape)
    assert (parts[0].kind, parts[-1].kind) == ("input", "output")
    assert all(source < place for place, part in enumerate(parts) for source in part.sources)
    fed = {source for part in parts for source in part.sources}
    assert fed == set(range(len(parts) - 1))  # nothing hangs loose
    if name.startswith("resnet"):
        assert sum(part.kind == "add" for part in parts) >= 8
