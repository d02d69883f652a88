"""Every claim that is declared, by name."""

from __future__ import annotations

from evolution_core.spec import SpecError

from .ablation import ABLATION
from .colour import ALEXNET, RESNET
from .declared import Claim
from .detectors import ALEXNET_SPEED, YOLO, YOLO_QUARTER, YOLO_SPEED
from .lenets import FASHION, MNIST, SMALL

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (MNIST, FASHION, SMALL, ABLATION, ALEXNET, RESNET, ALEXNET_SPEED, YOLO_SPEED, YOLO, YOLO_QUARTER)
}


def find(name: str) -> Claim:
    """The claim of that name; SpecError, saying which there are, when there is none."""
    if name not in CLAIMS:
        raise SpecError({"claim": f"there is no {name!r}; there are {', '.join(CLAIMS)}"})
    return CLAIMS[name]
