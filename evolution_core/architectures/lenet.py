"""LeNet-5, as Caffe's example has it and as LeCun et al. published it (1998)."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import scaled, window
from .registry import Shape, architecture


class LeNet5(nn.Module):
    """conv 20@5 - max 2 - conv 50@5 - max 2 - full 500 - ReLU - full K: 431,080 parameters at 28x28x1, K = 10.

    The convolutions have no activation of their own: the maximum is their only non-linearity.
    """

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        first, second, hidden = (scaled(channels, width) for channels in (20, 50, 500))
        size = window(window(window(window(shape[1:], 5), 2, 2), 5), 2, 2)
        self.conv1 = nn.Conv2d(shape[0], first, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(first, second, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(second * size[0] * size[1], hidden)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.conv1(x))
        x = self.pool2(self.conv2(x))
        return self.fc2(self.relu(self.fc1(self.flatten(x))))


@architecture("lenet5", head="fc2", gain=1.0)
def lenet5(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return LeNet5(classes, shape, width)


class LeNet5Classic(nn.Module):
    """The network of LeCun et al. 1998 as it is taught today: 61,706 parameters at 28x28x1, K = 10.

    conv 6@5 (padded by 2) - average 2 - conv 16@5 - average 2 - full 120 - full 84 - full K, tanh between.
    The original's trainable pooling, sparse second convolution and radial outputs have left common use.
    """

    def __init__(self, classes: int, shape: Shape, width: float):
        super().__init__()
        first, second, third, fourth = (scaled(channels, width) for channels in (6, 16, 120, 84))
        size = window(window(window(window(shape[1:], 5, padding=2), 2, 2), 5), 2, 2)
        self.conv1, self.tanh1, self.pool1 = nn.Conv2d(shape[0], first, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)
        self.conv2, self.tanh2, self.pool2 = nn.Conv2d(first, second, 5), nn.Tanh(), nn.AvgPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1, self.tanh3 = nn.Linear(second * size[0] * size[1], third), nn.Tanh()
        self.fc2, self.tanh4 = nn.Linear(third, fourth), nn.Tanh()
        self.fc3 = nn.Linear(fourth, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.tanh1(self.conv1(x)))
        x = self.flatten(self.pool2(self.tanh2(self.conv2(x))))
        return self.fc3(self.tanh4(self.fc2(self.tanh3(self.fc1(x)))))


@architecture("lenet5-classic", head="fc3", gain=1.0)
def lenet5_classic(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    return LeNet5Classic(classes, shape, width)
