"""What no rule understands: protected, and the rest evolves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .table import Net, case


@case(cuttable="conv", protected="stem head", mixes=True)
class UnknownOperation(Net):
    """A Fourier transform over channels is nobody's known operation."""

    def __init__(self) -> None:
        super().__init__(8)
        self.conv = nn.Conv2d(12, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fft.fft(self.stem(x), dim=1).real
        return self.classify(F.relu(self.conv(x)))


@case(cuttable="conv", protected="stem head", mixes=True)
class SoftmaxOverChannels(Net):
    """Softmax over channels."""

    def __init__(self) -> None:
        super().__init__(8)
        self.conv = nn.Conv2d(12, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.conv(self.stem(x).softmax(1))))


@case(cuttable="conv", protected="stem head", mixes=True)
class Recurrent(Net):
    """An LSTM."""

    def __init__(self) -> None:
        super().__init__(6)
        self.lstm, self.conv = nn.LSTM(12, 7, batch_first=True), nn.Conv1d(7, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.lstm(self.stem(x).flatten(2).transpose(1, 2))
        return self.head(F.relu(self.conv(x.transpose(1, 2))).mean(2))


@case(cuttable="conv", protected="stem head", mixes=True)
class DataDependent(Net):
    """Reads numbers out of activations: those activations stay whole."""

    def __init__(self) -> None:
        super().__init__(8)
        self.conv = nn.Conv2d(12, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        best = x.topk(3, 1)[0].sum(1, keepdim=True)
        return self.classify(F.relu(self.conv(x)) / (1 + best.abs()))


@case(cuttable="stem conv", protected="head")
class WrittenInPlace(Net):
    """A number written into a slice."""

    def __init__(self) -> None:
        super().__init__(8)
        self.conv = nn.Conv2d(12, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x[:, :2].fill_(0.5)
        return self.classify(F.relu(self.conv(x)))


@case(cuttable="conv", protected="stem head")
class WeightNormalised(Net):
    """A layer whose weight is computed from others: its own channels stay, its neighbours' too."""

    def __init__(self) -> None:
        super().__init__(8)
        self.mid = nn.utils.parametrizations.weight_norm(nn.Conv2d(12, 10, 1))
        self.conv = nn.Conv2d(10, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.conv(F.relu(self.mid(self.stem(x))))))
