"""Own networks: a trained ONNX file becomes a torch.fx module that can be evolved, or is refused by name.

The way of a file: :mod:`reading` (hostile until checked) -> :mod:`folding` (constants) -> :mod:`idioms`
(what exporters took apart) -> :mod:`operators` (one builder an operator, over :mod:`emission`) ->
:mod:`comparison` (against ONNX Runtime) -> :mod:`structure` (JSON that rebuilds the module, no pickle).
"""

from .comparison import TOLERANCE, deployed
from .heads import fitted
from .network import OwnNetwork, load_onnx
from .operators import supported
from .preprocessing import Normalisation, best_normalisation, candidate_normalisations
from .structure import from_structure, to_structure

__all__ = [
    "TOLERANCE",
    "Normalisation",
    "OwnNetwork",
    "best_normalisation",
    "candidate_normalisations",
    "deployed",
    "fitted",
    "from_structure",
    "load_onnx",
    "supported",
    "to_structure",
]
