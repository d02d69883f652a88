"""Grouped and depthwise convolutions, and normalisations that mix channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .table import Net, case


@case(cuttable="stem grouped", protected="head")
class GroupedConvolution(Net):
    """Each group keeps as many channels as the others, but its own."""

    def __init__(self) -> None:
        super().__init__(8)
        self.grouped = nn.Conv2d(12, 8, 3, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.grouped(F.relu(self.stem(x)))))


@case(cuttable="stem a b", protected="head")
class SeveralGroupConstraints(Net):
    """Twelve channels that must stay equal in two halves, in three thirds and in four quarters."""

    def __init__(self) -> None:
        super().__init__(12 + 6 + 8, stem=24)
        self.a = nn.Conv2d(24, 12, 3, padding=1, groups=2)
        self.b = nn.Conv2d(24, 6, 1, groups=3)
        self.c = nn.Conv2d(12, 8, 1, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        a = F.relu(self.a(x))
        return self.classify(torch.cat([a, self.b(x), self.c(a)], 1))


@case(cuttable="stem a", protected="head")
class GroupsOverConcat(Net):
    """A group that reaches over two layers' channels ties their counts."""

    def __init__(self) -> None:
        super().__init__(6)
        self.a, self.b = nn.Conv2d(12, 12, 3, padding=1), nn.Conv2d(24, 6, 1, groups=3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        return self.classify(self.b(torch.cat([x, F.relu(self.a(x))], 1)))


@case(cuttable="stem point", protected="head")
class Depthwise(Net):
    """Depthwise and pointwise convolutions."""

    def __init__(self) -> None:
        super().__init__(10)
        self.depth, self.norm = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12)
        self.point = nn.Conv2d(12, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu6(self.point(F.relu6(self.norm(self.depth(F.relu6(self.stem(x))))))))


@case(cuttable="stem", protected="head")
class DepthwiseMultiplied(Net):
    """Two filters for each channel, in functional form."""

    def __init__(self) -> None:
        super().__init__(24)
        self.weight = nn.Parameter(torch.randn(24, 1, 3, 3) * 0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(F.conv2d(F.relu(self.stem(x)), self.weight, groups=12)))


@case(cuttable="stem up grouped", protected="head")
class Transposed(Net):
    """Transposed convolutions, one of them grouped."""

    def __init__(self) -> None:
        super().__init__(6)
        self.up, self.grouped = nn.ConvTranspose2d(12, 8, 2, 2), nn.ConvTranspose2d(8, 6, 2, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.grouped(F.relu(self.up(F.relu(self.stem(x)))))))


@case(cuttable="stem", protected="head", mixes=True)
class GroupNormalised(Net):
    """Whole groups live or die."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.plain = nn.GroupNorm(4, 12), nn.GroupNorm(2, 12, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.plain(F.relu(self.norm(self.stem(x)))))


@case(cuttable="stem", protected="head", mixes=True)
class GroupNormalisedFunction(Net):
    """Group normalisation in functional form."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(12) + 0.5), nn.Parameter(torch.randn(12))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.group_norm(self.stem(x), 3, self.gamma, self.beta))


@case(cuttable="conv", protected="stem head", mixes=True)
class LayerNormalised(Net):
    """Mixes all of its channels: they stay."""

    def __init__(self) -> None:
        super().__init__(10)
        self.norm, self.conv = nn.LayerNorm(12), nn.Conv2d(12, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.classify(F.gelu(self.conv(x)))


@case(cuttable="stem", protected="head")
class InstanceNormalised(Net):
    """Instance normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(12, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.norm(self.stem(x))))


@case(cuttable="stem conv", protected="head")
class LocallyNormalised(Net):
    """Local response normalisation: proven with it bypassed, its own effect measured."""

    def __init__(self) -> None:
        super().__init__(10)
        self.norm, self.conv = nn.LocalResponseNorm(5, 1e-2), nn.Conv2d(12, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.conv(self.norm(F.relu(self.stem(x))))))
