"""The base networks that can be chosen, in words and published figures. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ArchitectureCard:
    """A base network. `parameters` and `macs` are the published (or computed) counts at the
    reference input and classes; one multiply-add counts as one MAC."""

    name: str
    label: str
    task: str
    summary: str
    source: str
    reference_input: tuple[int, int, int]  # channels, height, width
    reference_classes: int
    parameters: int
    macs: int
    minimum_size: int = 8  # smallest square input that survives its strides
    size_multiple: int = 1
    notes: tuple[str, ...] = field(default=())


def _index(cards: tuple[ArchitectureCard, ...]) -> dict[str, ArchitectureCard]:
    return {card.name: card for card in cards}


ARCHITECTURES: dict[str, ArchitectureCard] = _index(
    (
        ArchitectureCard(
            "lenet5",
            "LeNet-5 (Caffe)",
            "classification",
            "Two convolutions and two full layers; for digits and other small gray images.",
            "https://github.com/BVLC/caffe/tree/master/examples/mnist",
            (1, 28, 28),
            10,
            431080,
            2293000,
            16,
        ),
        ArchitectureCard(
            "alexnet-small",
            "AlexNet for small images",
            "classification",
            "AlexNet's five grouped convolutions, LRN and dropout, on images of about 32 pixels.",
            "https://papers.nips.cc/paper/4824",
            (3, 32, 32),
            10,
            5726602,
            177453056,
            15,
        ),
    )
)

# The card of a network that the user brings (ONNX); its counts come from the file.
OWN = "own"
