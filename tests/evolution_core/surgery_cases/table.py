"""The table of surgery cases: small networks, one for each way that channels flow. Tests and a benchmark run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
