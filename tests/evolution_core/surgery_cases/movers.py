"""Operations that only move elements: split, slice, permute, view, fold, shuffle."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .table import Net, case


@case(cuttable="stem conv", protected="head")
class SplitUnevenly(Net):
    """Split into parts of unequal size."""

    def __init__(self) -> None:
        super().__init__(7)
        self.conv = nn.Conv2d(8, 7, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, rest = torch.split(F.relu(self.stem(x)), [4, 8], dim=1)
        return self.classify(F.relu(self.conv(rest)) * torch.sigmoid(first.mean((1, 2, 3), keepdim=True)))


@case(cuttable="stem conv", protected="head")
class SplitInEqualParts(Net):
    """Split into three, put together in another order."""

    def __init__(self) -> None:
        super().__init__(12)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = self.stem(x).split(4, 1)
        return self.classify(torch.cat((c, F.relu(self.conv(a)), b), 1))


@case(cuttable="stem conv", protected="head")
class Sliced(Net):
    """Slices of channels, also strided ones and from the end."""

    def __init__(self) -> None:
        super().__init__(17)
        self.conv = nn.Conv2d(6, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        a, b, c = x[:, :6], x[:, 1::2], x[..., -6:, :, :]
        return self.classify(torch.cat([self.conv(a), b, c.narrow(1, 0, 6)], 1))


@case(cuttable="stem fc", protected="head")
class PermuteToChannelsLast(nn.Module):
    """NHWC permute and flatten: the order that a converter from TensorFlow leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6 * 36, 9), nn.Linear(9, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x)).permute(0, 2, 3, 1).reshape(x.shape[0], -1)
        return self.head(F.relu(self.fc(x)))


@case(cuttable="stem conv fc", protected="head")
class HardCodedView(nn.Module):
    """Sizes written into the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3)
        self.fc, self.head = nn.Linear(128, 10), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(F.relu(self.stem(x)).view(-1, 6, 36).view(-1, 6, 6, 6)))
        x = F.relu(self.fc(x.view(-1, 8 * 4 * 4)))
        return self.head(torch.reshape(x, (x.shape[0], 10)))


@case(cuttable="stem fc", protected="head")
class ViewByArithmetic(nn.Module):
    """The batch's size computed from a count of numbers, and a mean divided out by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.fc, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8 * 36, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x / (x.shape[1] * x.shape[2])
        x = F.relu(self.fc(x.view(x.numel() // 288, 288)))
        return self.head(x)


@case(cuttable="conv", protected="stem head")
class CountsImagesAndChannels(Net):
    """Divides by a number that both the batch and the channels are part of: what it counts stays."""

    def __init__(self) -> None:
        super().__init__(8)
        self.conv = nn.Conv2d(12, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x * x.shape[0] / x.numel()
        return self.classify(F.relu(self.conv(x)))


@case(cuttable="stem conv", protected="head")
class UnflattenAndView(nn.Module):
    """Flatten and unflatten modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.flat, self.un = nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Unflatten(1, (8, 6, 6))
        self.conv, self.head = nn.Conv2d(8, 6, 1), nn.Linear(6 * 36, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(self.un(self.flat(self.stem(x)))))
        return self.head(torch.flatten(x, 1))


class _SpaceToDepth(Net):
    def __init__(self) -> None:
        super().__init__(10)
        self.conv = nn.Conv2d(48, 10, 3, padding=1)

    def fold(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.conv(self.fold(F.relu(self.stem(x))))))


@case(cuttable="stem conv", protected="head")
class SpaceToDepthSlices(_SpaceToDepth):
    """Space to depth by strided slices and concatenation."""

    def fold(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., i::2, j::2] for i in range(2) for j in range(2)], 1)


@case(cuttable="stem conv", protected="head")
class SpaceToDepthView(_SpaceToDepth):
    """Darknet's order, by view and permute, sizes asked of the tensor."""

    def fold(self, x: Tensor) -> Tensor:
        b, c, h, w = x.size()
        x = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).contiguous()
        return x.view(b, c * 4, h // 2, w // 2)


@case(cuttable="stem conv", protected="head")
class SpaceToDepthConstants(_SpaceToDepth):
    """The same with every size written out."""

    def fold(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 12, 4, 2, 4, 2).permute(0, 3, 5, 1, 2, 4).reshape(-1, 48, 4, 4)


@case(cuttable="stem conv", protected="head")
class SpaceToDepthUnfold(_SpaceToDepth):
    """By sliding windows (im2col)."""

    def fold(self, x: Tensor) -> Tensor:
        return F.unfold(x, 2, stride=2).view(x.size(0), -1, 4, 4)


@case(cuttable="stem conv", protected="head")
class PixelUnshuffled(_SpaceToDepth):
    """Pixel unshuffle."""

    def fold(self, x: Tensor) -> Tensor:
        return F.pixel_unshuffle(x, 2)


@case(cuttable="stem", protected="head")
class PixelShuffled(Net):
    """Four channels become one of twice the size: they live or die together."""

    def __init__(self) -> None:
        super().__init__(6)
        self.shuffle, self.conv = nn.PixelShuffle(2), nn.Conv2d(3, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.conv(self.shuffle(F.relu(self.stem(x))))))


@case(cuttable="stem conv", protected="head")
class ChannelShuffleView(Net):
    """Grouped convolutions around a shuffle written by view and transpose (ShuffleNet)."""

    def __init__(self) -> None:
        super().__init__(12)
        self.conv, self.last = nn.Conv2d(12, 12, 1, groups=3), nn.Conv2d(12, 12, 1, groups=3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.relu(self.stem(x)))
        b, c, h, w = x.shape
        x = x.view(b, 3, c // 3, h, w).transpose(1, 2).reshape(b, c, h, w)
        return self.classify(F.relu(self.last(x)))


@case(cuttable="stem conv", protected="head")
class ChannelShuffleModule(Net):
    """torch's channel shuffle between grouped convolutions."""

    def __init__(self) -> None:
        super().__init__(12)
        self.conv, self.shuffle = nn.Conv2d(12, 12, 1, groups=2), nn.ChannelShuffle(2)
        self.last = nn.Conv2d(12, 12, 1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(F.relu(self.last(self.shuffle(self.conv(F.relu(self.stem(x)))))))


@case(cuttable="stem", protected="head")
class ShuffleByIndex(Net):
    """Channels put in another order by a buffer of positions."""

    def __init__(self) -> None:
        super().__init__(6)
        self.register_buffer("order", torch.tensor([3, 0, 7, 1, 11, 2, 9, 4, 10, 5, 8, 6]))
        self.conv = nn.Conv2d(12, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        return self.classify(F.relu(self.conv(x[:, self.order] + x.index_select(1, self.order))))


@case(cuttable="left right", protected="head")
class ShuffleUnit(Net):
    """ShuffleNet V2: split, transform one half, concatenate, shuffle, twice."""

    def __init__(self) -> None:
        super().__init__(12)
        self.left, self.right = nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        for layer in (self.left, self.right):
            keep, change = x.chunk(2, 1)
            x = self.shuffle(torch.cat([keep, F.relu(layer(change))], 1))
        return self.classify(x)


@case(cuttable="stem conv", protected="head")
class StackedBranches(Net):
    """Stack and sum over the new dimension; repeat and flip of channels."""

    def __init__(self) -> None:
        super().__init__(24)
        self.conv = nn.Conv2d(12, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = torch.stack([x, self.conv(x)], 1).sum(1)
        return self.classify(x.repeat(1, 2, 1, 1).flip(1))


@case(cuttable="stem", protected="head")
class RolledChannels(Net):
    """A circular shift over channels cannot follow a cut in place: protected, or rewritten as an index."""

    def __init__(self) -> None:
        super().__init__(12)
        self.conv = nn.Conv2d(12, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.conv(torch.roll(F.relu(self.stem(x)), 1, 1)))
