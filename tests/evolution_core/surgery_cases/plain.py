"""Plain chains, several outputs, shared weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .table import Net, case


@case(cuttable="stem conv", protected="head")
class Plain(Net):
    """Two convolutions and a head."""

    def __init__(self) -> None:
        super().__init__(10)
        self.conv = nn.Conv2d(12, 10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.conv(F.relu(self.stem(x)))))


@case(cuttable="stem conv fc", protected="head")
class BatchNormAndFlatten(Net):
    """Batch normalisation with and without scale, flatten, dropout."""

    def __init__(self) -> None:
        super().__init__(14)
        self.norm = nn.BatchNorm2d(12)
        self.conv = nn.Conv2d(12, 8, 3, stride=2, bias=False)
        self.norm2 = nn.BatchNorm2d(8, affine=False)
        self.fc = nn.Linear(8 * 3 * 3, 14)
        self.norm3 = nn.BatchNorm1d(14)
        self.drop = nn.Dropout(0.4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm2(self.conv(F.relu(self.norm(self.stem(x))))))
        return self.head(self.drop(F.sigmoid(self.norm3(self.fc(x.flatten(1))))))


@case(cuttable="w1 w2 w3", protected="w4")
class FunctionalForms(nn.Module):
    """Weights that no module holds, through F.conv2d, F.linear, F.batch_norm, F.dropout and matmul."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.randn(10, 3, 3, 3) * 0.3), nn.Parameter(torch.randn(10))
        self.w2 = nn.Parameter(torch.randn(8, 10, 3, 3) * 0.2)
        self.gamma, self.beta = nn.Parameter(torch.rand(10) + 0.5), nn.Parameter(torch.randn(10))
        self.register_buffer("mean", torch.randn(10) * 0.1)
        self.register_buffer("var", torch.rand(10) + 0.5)
        self.w3, self.w4 = nn.Parameter(torch.randn(8, 9) * 0.3), nn.Parameter(torch.randn(5, 9) * 0.3)
        self.b4 = nn.Parameter(torch.randn(5))
        self.scale = nn.Parameter(torch.rand(1, 10, 1, 1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.w1, self.b1, padding=1)
        x = F.batch_norm(x, self.mean, self.var, self.gamma, self.beta, self.training) * self.scale
        x = F.max_pool2d(F.conv2d(F.relu(x), self.w2), 2)
        x = torch.matmul(F.dropout(x.mean((2, 3)), 0.2, self.training), self.w3)
        return F.linear(F.leaky_relu(x), self.w4, self.b4)


@case(cuttable="stem conv", protected="head")
class ReusedLayer(Net):
    """The same convolution twice, so that what it reads and what it makes are one."""

    def __init__(self) -> None:
        super().__init__(12)
        self.conv = nn.Conv2d(12, 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        return self.classify(F.relu(self.conv(F.relu(self.conv(x)))))


@case(cuttable="stem embed", protected="head")
class TiedWeights(nn.Module):
    """Two layers that share one matrix, one of them transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.embed, self.head = nn.Linear(8, 10, bias=False), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.embed(self.stem(x).mean((2, 3))))
        return self.head(F.linear(x, self.embed.weight.t()))


@case(cuttable="stem", protected="a b")
class MultiOutput(Net):
    """Several outputs, nested."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(12, 4, 1), nn.Conv2d(12, 6, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor | tuple[Tensor, ...]]:
        x = F.relu(self.stem(x))
        return {"a": self.a(x), "both": (self.b(x), self.classify(x))}


@case(cuttable="hidden", protected="stem head")
class ActivationIsAnOutput(Net):
    """An inner activation is returned too."""

    def __init__(self) -> None:
        super().__init__(6)
        self.hidden = nn.Conv2d(12, 6, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        return x, self.classify(F.relu(self.hidden(x)))
