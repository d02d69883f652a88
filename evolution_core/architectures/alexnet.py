"""AlexNet: BVLC's reference for 227x227 pixels, and the same network for small images."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import LocalResponseNorm, scaled, window
from .registry import Shape, architecture


class AlexNet(nn.Module):
    """Five convolutions (2, 4 and 5 in two groups), LRN after the first two, three full layers with dropout .5.

    Krizhevsky et al. 2012 in the order of Caffe's `bvlc_alexnet`: the LRN comes before the pooling.
    """

    def __init__(self, classes: int, shape: Shape, width: float, *, kernel: int, stride: int, padding: int, full: int):
        super().__init__()
        c1, c2, c3, c4, c5 = (scaled(channels, width, 2) for channels in (96, 256, 384, 384, 256))
        fc = scaled(full, width)
        size = window(window(shape[1:], kernel, stride, padding), 3, 2)
        size = window(window(size, 3, 2), 3, 2)  # the other convolutions keep the size
        self.conv1 = nn.Conv2d(shape[0], c1, kernel, stride, padding)
        self.relu1, self.norm1, self.pool1 = nn.ReLU(), LocalResponseNorm(5, 1e-4, 0.75), nn.MaxPool2d(3, 2)
        self.conv2 = nn.Conv2d(c1, c2, 5, padding=2, groups=2)
        self.relu2, self.norm2, self.pool2 = nn.ReLU(), LocalResponseNorm(5, 1e-4, 0.75), nn.MaxPool2d(3, 2)
        self.conv3 = nn.Conv2d(c2, c3, 3, padding=1)
        self.relu3 = nn.ReLU()
        self.conv4 = nn.Conv2d(c3, c4, 3, padding=1, groups=2)
        self.relu4 = nn.ReLU()
        self.conv5 = nn.Conv2d(c4, c5, 3, padding=1, groups=2)
        self.relu5, self.pool5 = nn.ReLU(), nn.MaxPool2d(3, 2)
        self.flatten = nn.Flatten()
        self.fc6, self.relu6, self.drop6 = nn.Linear(c5 * size[0] * size[1], fc), nn.ReLU(), nn.Dropout(0.5)
        self.fc7, self.relu7, self.drop7 = nn.Linear(fc, fc), nn.ReLU(), nn.Dropout(0.5)
        self.fc8 = nn.Linear(fc, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.norm1(self.relu1(self.conv1(x))))
        x = self.pool2(self.norm2(self.relu2(self.conv2(x))))
        x = self.relu4(self.conv4(self.relu3(self.conv3(x))))
        x = self.flatten(self.pool5(self.relu5(self.conv5(x))))
        x = self.drop6(self.relu6(self.fc6(x)))
        x = self.drop7(self.relu7(self.fc7(x)))
        return self.fc8(x)


@architecture("alexnet-small", head="fc8")
def alexnet_small(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """conv1 96@5 stride 1 and full layers of 1024, the rest as published: 5,726,602 parameters at 32x32x3, K = 10."""
    return AlexNet(classes, shape, width, kernel=5, stride=1, padding=2, full=1024)


@architecture("alexnet", head="fc8")
def alexnet(classes: int, shape: Shape, width: float = 1.0) -> nn.Module:
    """conv1 96@11 stride 4 and full layers of 4096: 60,965,224 parameters at 227x227x3, K = 1000."""
    return AlexNet(classes, shape, width, kernel=11, stride=4, padding=0, full=4096)
