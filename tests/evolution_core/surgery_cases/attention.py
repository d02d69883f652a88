"""Products of activations: attention, mixers, pooling by outer products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .table import Net, case


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
