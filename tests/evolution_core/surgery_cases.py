"""The table of surgery cases: small networks, one for each way that channels flow. Tests and a benchmark run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGE = (3, 8, 8)


@dataclass(frozen=True)
class Case:
    """A network to cut. `cuttable` names layers that must be cuttable, `protected` those that must not be. `mixes`: an
    operation mixes all channels by nature, so that no cut before it can be exact."""

    name: str
    make: Callable[[], nn.Module]
    cuttable: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    shape: tuple[int, ...] = IMAGE
    mixes: bool = False


CASES: dict[str, Case] = {}


def case(*, cuttable: str = "", protected: str = "", mixes: bool = False) -> Callable[[type], type]:
    """Decorator: the class's name, in lower case with hyphens, is the case's."""

    def bind(kind: type) -> type:
        name = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).strip("-").replace("_", "-")
        CASES[name] = Case(name, kind, tuple(cuttable.split()), tuple(protected.split()), mixes=mixes)
        return kind

    return bind


class Net(nn.Module):
    """Convolution `stem` from the image to 12 channels, and a linear `head` on the mean over the image."""

    def __init__(self, out: int = 12, stem: int = 12) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, stem, 3, padding=1)
        self.head = nn.Linear(out, 5)

    def classify(self, x: Tensor) -> Tensor:
        return self.head(x.mean((2, 3)))


# --- plain ------------------------------------------------------------------------------------------------------------


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


# --- joins ------------------------------------------------------------------------------------------------------------


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


# --- groups -----------------------------------------------------------------------------------------------------------


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


# --- movers -----------------------------------------------------------------------------------------------------------


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


# --- attention --------------------------------------------------------------------------------------------------------


class _Attention(nn.Module):
    """Tokens of 16 numbers from patches, four heads of six."""

    heads, size = 4, 6

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 2, 2)
        inner = self.heads * self.size
        self.qkv, self.out = nn.Linear(16, 3 * inner), nn.Linear(inner, 16)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 20), nn.Linear(20, 16)
        self.head = nn.Linear(16, 5)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ((q @ k.transpose(-2, -1)) * self.size**-0.5).softmax(-1) @ v

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        b, n, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, self.size).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.out(self.attend(q, k, v).transpose(1, 2).reshape(b, n, -1))
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(x.mean(1))


@case(cuttable="qkv up", protected="stem head", mixes=True)
class SelfAttention(_Attention):
    """A transformer block, one projection for queries, keys and values."""


@case(cuttable="qkv up", protected="stem head", mixes=True)
class SelfAttentionFused(_Attention):
    """The same with scaled_dot_product_attention."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


@case(cuttable="q v up", protected="stem head", mixes=True)
class SelfAttentionSeparate(_Attention):
    """Three projections; the scale computed from a size of the tensor; sizes hard-coded."""

    def __init__(self) -> None:
        super().__init__()
        inner = self.heads * self.size
        self.q, self.k, self.v = (nn.Linear(16, inner, bias=i != 1) for i in range(3))
        del self.qkv

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        q, k, v = (part(x).view(-1, 16, 4, 6).transpose(1, 2) for part in (self.q, self.k, self.v))
        weights = torch.softmax(torch.matmul(q, k.permute(0, 1, 3, 2)) / (q.shape[-1] ** 0.5), -1)
        x = x + self.out((weights @ v).transpose(1, 2).contiguous().view(-1, 16, 24))
        x = self.norm(x + self.down(F.relu(self.up(x))))
        return self.head(x[:, 0])


@case(cuttable="qkv up", protected="stem head", mixes=True)
class SelfAttentionEinsum(_Attention):
    """The same by einsum."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = torch.einsum("bhid,bhjd->bhij", q, k * self.size**-0.5).softmax(-1)
        return torch.einsum("bhij, bhjd -> bhid", weights, v)


@case(cuttable="stem", protected="head")
class BilinearPooling(Net):
    """Outer products of channels with channels cannot be cut; einsum that gates them can."""

    def __init__(self) -> None:
        super().__init__(12 + 36)
        self.small = nn.Conv2d(12, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        small = self.small(x).flatten(2)
        outer = torch.einsum("bin,bjn->bij", small, small).flatten(1)
        gated = torch.einsum("bchw,bc->bchw", x, torch.sigmoid(x.mean((2, 3))))
        return self.head(torch.cat([gated.mean((2, 3)), outer], 1))


@case(cuttable="up", protected="stem head", mixes=True)
class AttentionModule(_Attention):
    """torch's own module is not taken apart: what flows into it stays."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        del self.qkv, self.out

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, x)[0]
        return self.head((x + self.down(F.gelu(self.up(x)))).mean(1))


@case(cuttable="up", protected="stem head", mixes=True)
class VisionTransformer(_Attention):
    """A class token and learnt positions."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(self.norm(x)[:, 0])


@case(cuttable="mix up", protected="head")
class MixerTokens(nn.Module):
    """Linear layers over positions, then over channels (MLP-Mixer without normalisation)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 10, 2, 2)
        self.mix, self.back = nn.Linear(16, 9), nn.Linear(9, 16)
        self.up, self.down, self.head = nn.Linear(10, 14), nn.Linear(14, 10), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2)
        x = x + self.back(F.gelu(self.mix(x)))
        x = x.transpose(1, 2)
        return self.head((x + self.down(F.gelu(self.up(x)))).mean(1))


# --- not understood ---------------------------------------------------------------------------------------------------


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
