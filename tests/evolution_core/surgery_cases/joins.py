"""Element-wise joins, concatenation, gates and masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .table import Net, case


@case(cuttable="stem inner", protected="head")
class Residual(Net):
    """A residual join."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Conv2d(12, 7, 3, padding=1), nn.Conv2d(7, 12, 3, padding=1)
        self.norm = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = x + self.norm(self.outer(F.relu(self.inner(x))))
        return self.classify(F.relu(x))


@case(cuttable="stem inner outer", protected="head")
class ResidualZeroPadded(Net):
    """A shortcut that subsamples and pads channels with zeros (ResNet for CIFAR, option A)."""

    def __init__(self) -> None:
        super().__init__(20)
        self.inner, self.outer = nn.Conv2d(12, 20, 3, 2, 1), nn.Conv2d(20, 20, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4))
        return self.classify(F.relu(self.outer(F.relu(self.inner(x))) + short))


@case(cuttable="stem inner outer", protected="head")
class ResidualConcatenatedZeros(Net):
    """The same shortcut written as a concatenation with new zeros."""

    def __init__(self) -> None:
        super().__init__(20)
        self.inner, self.outer = nn.Conv2d(12, 9, 3, 2, 1), nn.Conv2d(9, 20, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        y = self.outer(F.relu(self.inner(x)))
        short = F.avg_pool2d(x, 2)
        zeros = short.new_zeros(short.size(0), 8, short.size(2), short.size(3))
        return self.classify(F.relu(y + torch.cat([short, zeros], 1)))


@case(cuttable="stem a b", protected="head")
class DenseConcat(Net):
    """Dense concatenation."""

    def __init__(self) -> None:
        super().__init__(12 + 5 + 6)
        self.a, self.b = nn.Conv2d(12, 5, 3, padding=1), nn.Conv2d(17, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(23)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = torch.cat([x, F.relu(self.a(x))], 1)
        x = torch.cat([x, self.b(x)], dim=1)
        return self.classify(F.relu(self.norm(x)))


@case(cuttable="stem squeeze expand", protected="head")
class SqueezeExcite(Net):
    """Squeeze and excite by 1x1 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.expand = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.stem(x))
        gate = torch.sigmoid(self.expand(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        return self.classify(x * gate)


@case(cuttable="stem squeeze", protected="head")
class SqueezeExciteLinear(Net):
    """The gate by linear layers and view, as the first papers wrote it."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.expand = nn.Linear(12, 4), nn.Linear(4, 12)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        b, c, _, _ = x.size()
        gate = F.hardsigmoid(self.expand(F.relu(self.squeeze(F.avg_pool2d(x, 8).view(b, c)))))
        return self.classify(x * gate.view(b, c, 1, 1).expand_as(x))


@case(cuttable="stem", protected="mask head")
class SpatialMask(Net):
    """One map of attention over the image: broadcast over channels, not joined with them."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = nn.Conv2d(12, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        return self.classify(x * torch.sigmoid(self.mask(x)))


@case(cuttable="stem", protected="head")
class SpatialMaskFromStatistics(Net):
    """CBAM's: mean and maximum over channels, which mix them, so that those channels stay."""

    def __init__(self) -> None:
        super().__init__(9)
        self.map = nn.Conv2d(2, 1, 3, padding=1)
        self.conv = nn.Conv2d(12, 9, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(F.relu(self.stem(x)))
        pooled = torch.cat([y.mean(1, keepdim=True), y.max(1, keepdim=True)[0]], 1)
        return self.classify(y * torch.sigmoid(self.map(pooled)))


@case(cuttable="stem gate", protected="head")
class GatedByChunk(Net):
    """One half of the channels gates the other, by chunk."""

    def __init__(self) -> None:
        super().__init__(8)
        self.gate = nn.Conv2d(12, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.gate(F.relu(self.stem(x))).chunk(2, dim=1)
        return self.classify(value * torch.sigmoid(gate))


@case(cuttable="stem gate", protected="head")
class GatedLinearUnit(Net):
    """The same by F.glu."""

    def __init__(self) -> None:
        super().__init__(8)
        self.gate = nn.Conv2d(12, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.glu(self.gate(F.relu(self.stem(x))), dim=1))


@case(cuttable="stem", protected="head")
class ScaleAndShift(Net):
    """A learnt scale for each channel (layer scale), a shift by a constant, and a learnt picture."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(12, 1, 1) + 0.5)
        self.picture = nn.Parameter(torch.randn(1, 12, 8, 8))
        self.prelu = nn.PReLU(12)
        self.register_buffer("shift", torch.randn(1, 12, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.prelu(self.stem(x) * self.scale + self.shift) + self.picture)
