"""Networks made up at random from everything that the table holds: whatever they are, a cut is exact or refused."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from evolution_core.genome import trace_clusters
from evolution_core.genome.trials import random_death
from evolution_core.synthesis import cut, prove

Step = Callable[[list[Tensor]], Tensor]


class Made(nn.Module):
    """A program over a list of tensors [N, C, 8, 8], each step adding one; then the last ones are classified."""

    def __init__(self, seed: int, length: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.layers = nn.ModuleList()
        self.program: list[tuple[str, list[int], Step]] = []
        self.widths = [3]
        self.sides = [8]
        self._conv(12)
        while len(self.program) < length:
            getattr(self, self.dice.choice(STEPS))()
        self.used = [index for index in range(len(self.widths)) if not self._is_read(index)]
        self.heads = nn.ModuleList(nn.Linear(self.widths[index], 3) for index in self.used)

    def forward(self, x: Tensor) -> Tensor:
        tensors = [x]
        for _, _, step in self.program:
            tensors.append(step(tensors))
        scores = [head(tensors[index].mean((2, 3))) for index, head in zip(self.used, self.heads, strict=True)]
        return torch.cat(scores, 1)

    # -- steps

    def _is_read(self, index: int) -> bool:
        return index == 0 or any(index in reads for _, reads, _ in self.program)

    def _add(self, name: str, reads: list[int], width: int, step: Step, side: int | None = None) -> None:
        self.program.append((name, reads, step))
        self.widths.append(width)
        self.sides.append(self.sides[reads[0]] if side is None else side)

    def _layer(self, layer: nn.Module) -> nn.Module:
        self.layers.append(layer)
        return layer

    def _pick(self, want: Callable[[int], bool] = lambda index: True) -> int | None:
        found = [index for index in range(1, len(self.widths)) if want(index)]
        return self.dice.choice(found[-4:]) if found else None

    def _conv(self, width: int | None = None) -> None:
        i = self.dice.randrange(max(0, len(self.widths) - 3), len(self.widths))
        width = width or self.dice.choice([4, 6, 8, 12])
        groups = self.dice.choice([g for g in (1, 1, 2, 3, 4) if self.widths[i] % g == 0 and width % g == 0])
        kernel = self.dice.choice([1, 3])
        layer = self._layer(nn.Conv2d(self.widths[i], width, kernel, padding=kernel // 2, groups=groups))
        self._add(f"conv g{groups}", [i], width, lambda t: layer(t[i]))

    def _depthwise(self) -> None:
        i = self._pick()
        times = self.dice.choice([1, 1, 2])
        if i is not None and self.widths[i] * times <= 24:
            layer = self._layer(nn.Conv2d(self.widths[i], self.widths[i] * times, 3, padding=1, groups=self.widths[i]))
            self._add("depthwise", [i], self.widths[i] * times, lambda t: layer(t[i]))

    def _activate(self) -> None:
        i = self._pick()
        if i is not None:
            function = self.dice.choice([F.relu, torch.sigmoid, torch.tanh, F.gelu, lambda x: x * 0.5 + 1, torch.cos])
            self._add("activate", [i], self.widths[i], lambda t: function(t[i]))

    def _normalise(self) -> None:
        i = self._pick()
        if i is not None:
            width = self.widths[i]
            groups = self.dice.choice([g for g in (1, 2, 4) if width % g == 0])
            kinds: list[nn.Module] = [nn.BatchNorm2d(width), nn.GroupNorm(groups, width), nn.InstanceNorm2d(width)]
            layer = self._layer(self.dice.choice(kinds))
            self._add("normalise", [i], width, lambda t: layer(t[i]))

    def _join(self) -> None:
        i = self._pick()
        j = (
            None
            if i is None
            else self._pick(lambda k: (self.widths[k], self.sides[k]) == (self.widths[i], self.sides[i]))
        )
        if i is not None and j is not None:
            function = self.dice.choice([torch.add, torch.mul, torch.maximum, lambda a, b: a * torch.sigmoid(b)])
            self._add("join", [i, j], self.widths[i], lambda t: function(t[i], t[j]))

    def _concat(self) -> None:
        i = self._pick(lambda k: self.widths[k] <= 12)
        j = None if i is None else self._pick(lambda k: self.sides[k] == self.sides[i] and self.widths[k] <= 12)
        if i is not None and j is not None:
            self._add("concat", [i, j], self.widths[i] + self.widths[j], lambda t: torch.cat([t[i], t[j]], 1))

    def _gate(self) -> None:
        i = self._pick()
        if i is not None:
            width = self.widths[i]
            layer = self._layer(nn.Linear(width, width))
            gate: Step = lambda t: t[i] * torch.sigmoid(layer(t[i].mean((2, 3))))[:, :, None, None]  # noqa: E731
            self._add("gate", [i], width, gate)

    def _mask(self) -> None:
        i = self._pick()
        if i is not None:
            layer = self._layer(nn.Conv2d(self.widths[i], 1, 1))
            self._add("mask", [i], self.widths[i], lambda t: t[i] * layer(t[i]))

    def _part(self) -> None:
        i = self._pick(lambda k: self.widths[k] % 2 == 0 and self.widths[k] >= 4)
        if i is not None:
            half, which = self.widths[i] // 2, self.dice.randrange(4)
            parts: list[Step] = [
                lambda t: t[i].chunk(2, 1)[1],
                lambda t: t[i][:, :half],
                lambda t: t[i][:, 1::2],
                lambda t: torch.split(t[i], half, 1)[0],
            ]
            self._add(f"part {which}", [i], half, parts[which])

    def _shuffle(self) -> None:
        i = self._pick(lambda k: self.widths[k] % 2 == 0)
        if i is not None:
            width, side = self.widths[i], self.sides[i]
            ways: list[Step] = [
                lambda t: t[i].view(-1, 2, width // 2, side, side).transpose(1, 2).reshape(-1, width, side, side),
                lambda t: F.channel_shuffle(t[i], 2),
                lambda t: t[i].flip(1),
                lambda t: torch.cat(t[i].chunk(2, 1)[::-1], 1),
                lambda t: t[i].permute(0, 2, 3, 1).flip(-1).permute(0, 3, 1, 2),
            ]
            self._add("shuffle", [i], width, self.dice.choice(ways))

    def _fold(self) -> None:
        i = self._pick(lambda k: self.widths[k] <= 6 and self.sides[k] == 8)
        if i is not None:
            width = self.widths[i]
            ways: list[Step] = [
                lambda t: F.pixel_unshuffle(t[i], 2),
                lambda t: torch.cat([t[i][..., a::2, b::2] for a in range(2) for b in range(2)], 1),
                lambda t: t[i].view(-1, width, 4, 2, 4, 2).permute(0, 3, 5, 1, 2, 4).reshape(-1, 4 * width, 4, 4),
            ]
            self._add("fold", [i], 4 * width, self.dice.choice(ways), 4)

    def _unfold(self) -> None:
        i = self._pick(lambda k: self.widths[k] % 4 == 0 and self.sides[k] == 4)
        if i is not None:
            self._add("unfold", [i], self.widths[i] // 4, lambda t: F.pixel_shuffle(t[i], 2), 8)

    def _attend(self) -> None:
        i = self._pick(lambda k: self.widths[k] % 2 == 0)
        if i is not None:
            width, side = self.widths[i], self.sides[i]
            layer = self._layer(nn.Linear(width, 3 * width))

            def attend(t: list[Tensor]) -> Tensor:
                qkv = layer(t[i].flatten(2).transpose(1, 2)).view(-1, side * side, 3, 2, width // 2)
                q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
                x = (q @ k.transpose(-1, -2)).softmax(-1) @ v
                return x.transpose(1, 2).reshape(-1, side * side, width).transpose(1, 2).unflatten(2, (side, side))

            self._add("attend", [i], width, attend)

    def _pad(self) -> None:
        i = self._pick(lambda k: self.widths[k] <= 12)
        if i is not None:
            before, after = self.dice.choice([(1, 1), (0, 3), (2, 0)])
            self._add("pad", [i], self.widths[i] + before + after, lambda t: F.pad(t[i], (0, 0, 0, 0, before, after)))


STEPS = (
    ["_conv"] * 4 + ["_join"] * 3 + ["_depthwise", "_activate", "_activate", "_normalise", "_concat", "_gate", "_mask"]
)
STEPS += ["_part", "_shuffle", "_shuffle", "_fold", "_unfold", "_attend", "_pad"]


def check(seed: int, length: int) -> int:
    """Two generations of one made-up network; returns how many clusters died."""
    torch.manual_seed(seed)
    parent: nn.Module = Made(seed, length).eval()
    for parameter in parent.parameters():
        with torch.no_grad():
            parameter.add_(0.1 * torch.rand_like(parameter))
    example = torch.zeros(1, 3, 8, 8)
    clusters = trace_clusters(parent, example)
    generator, died = torch.Generator().manual_seed(seed), 0
    for share in (0.7, 0.5):
        alive = random_death(clusters, generator, share)
        offspring = cut(parent, clusters, alive)
        proof = prove(parent, offspring, clusters, alive, example)
        assert proof.ok, proof
        died += int((~alive).sum())
        parent, clusters = offspring, trace_clusters(offspring, example)
        assert clusters.cost("parameters") == sum(p.numel() for p in offspring.parameters())
    return died


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_made_up_networks_are_cut_exactly(seed: int, length: int) -> None:
    check(seed, length)


def test_most_made_up_networks_can_be_cut() -> None:
    """Protection is the exception, or the test above would say nothing."""
    assert sum(check(seed, 6) > 0 for seed in range(10)) >= 8
