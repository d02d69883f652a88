"""A world small enough to train in: sixteen-pixel pictures of bars, a network with everything that makes resuming hard
(batch norm, dropout, groups), and its clusters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evolution_core.data import Data, Split
from evolution_core.genome import ClusterMap, trace_clusters


def bars(count: int, seed: int = 0, channels: int = 1, size: int = 16) -> Split:
    """Four classes: a bright bar that lies, stands, falls or rises, on noise."""
    luck = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 4, (count,), generator=luck)
    images = torch.randint(0, 80, (count, channels, size, size), generator=luck, dtype=torch.uint8)
    line = torch.arange(size)
    offset = torch.randint(-size // 4, size // 4 + 1, (count,), generator=luck)
    for image, target, shift in zip(images, targets.tolist(), offset.tolist(), strict=True):
        middle = (torch.full_like(line, size // 2) + shift).clamp(0, size - 1)
        moved = (line + shift).clamp(0, size - 1)
        rows, columns = [(middle, line), (line, middle), (line, moved), (line, moved.flip(0))][target]
        image[:, rows, columns] = 250
    return Split(images, targets)


def world(train: int = 96, validation: int = 40, channels: int = 1, size: int = 16) -> Data:
    return Data(
        task="classification",
        classes=("lying", "standing", "falling", "rising"),
        shape=(channels, size, size),
        train=bars(train, 1, channels, size),
        validation=bars(validation, 2, channels, size),
        test=bars(validation, 3, channels, size),
        mean=torch.full((channels,), 0.2),
        std=torch.full((channels,), 0.2),
        fingerprint="bars",
    )


class Small(nn.Module):
    """conv 6 - batch norm - conv 8 in two groups - full 10 - dropout - full 4; takes any image of 8 pixels or more."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1, groups=2)
        self.fc1, self.drop, self.fc2 = nn.Linear(8 * 4, 10), nn.Dropout(0.3), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        x = nn.functional.adaptive_max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(self.drop(torch.relu(self.fc1(torch.flatten(x, 1)))))


def small(seed: int = 0, channels: int = 1) -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Small(channels)


def clusters(model: nn.Module, size: int = 16) -> ClusterMap:
    """The clusters of `Small`: conv1's six filters (0..5), conv2's eight (6..13), fc1's ten neurons (14..23), and the
    four outputs (24..27), which are protected."""
    return trace_clusters(model, torch.zeros(1, model.conv1.in_channels, size, size))
