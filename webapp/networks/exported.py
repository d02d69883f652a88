"""How good a network is in its ONNX form, as a worker measured it, in figures and in words.

`Network.onnx_figures` holds {"validation": {...}, "test": {...}}, each as evolution_core's ExportedFigures: the task's
measure of the file in ONNX Runtime ("onnx"; "boxes" of a detector's other file) and of the network in PyTorch ("torch")
on the same "images" of the "of" that there are; and over the first "compared" of them the largest "difference" of
outputs beside the "largest" output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.networks.models import Network
from webapp.runs.templatetags.figures import percent, tiny

NO_BREAK = "\u00a0"
VALIDATION, TEST = "validation", "test"
PARTS = {"validation_accuracy": VALIDATION, "test_accuracy": TEST}  # by the figure that it stands beside
_WHERE = {VALIDATION: "validation", TEST: "unseen"}
_NUMBERS = ("images", "of", "torch", "onnx", "compared", "difference", "largest")


def figures_of(network: Network | None) -> dict[str, dict[str, Any]]:
    """What was measured, by part; parts that cannot be read are left out."""
    kept = network.onnx_figures if network is not None and isinstance(network.onnx_figures, dict) else {}
    return {part: found for part in _WHERE if (found := readable(kept.get(part))) is not None}


def readable(kept: Any) -> dict[str, Any] | None:
    """The figures of one part, if that is what they are."""
    whole = isinstance(kept, dict) and all(isinstance(kept.get(name), (int, float)) for name in _NUMBERS)
    return kept if whole else None


def beside(figures: dict[str, Any]) -> str:
    """The file's figure in a few words, to stand below PyTorch's: "ONNX file 97.67 %"; of few images, both."""
    said = [f"ONNX file {percent(figures['onnx'], 2)}"]
    if isinstance(figures.get("boxes"), (int, float)):
        said.append(f"with boxes {percent(figures['boxes'], 2)}")
    if figures["images"] < figures["of"]:
        said.append(f"PyTorch {percent(figures['torch'], 2)}, all on {figures['images']:,} of {figures['of']:,} images")
    return ", ".join(said)


def sentences(network: Network, metric: str, form: str = "onnx") -> Iterator[str]:
    """What one of the two files ("onnx" or "boxes") is worth beside PyTorch, and how closely it agrees."""
    found = {part: row for part, row in figures_of(network).items() if isinstance(row.get(form), (int, float))}
    if not found:
        return
    told = [
        f"{percent(row[form], 2)} {metric} on {of_images(row)} {_WHERE[part]} images "
        f"(PyTorch {percent(row['torch'], 2)})"
        for part, row in found.items()
    ]
    yield f"In ONNX Runtime {', '.join(told)}."
    if form == "onnx":
        yield agreement(list(found.values())[-1])


def of_images(figures: dict[str, Any]) -> str:
    whole = figures["images"] == figures["of"]
    return f"all {figures['of']:,}" if whole else f"{figures['images']:,} of {figures['of']:,}"


def agreement(figures: dict[str, Any]) -> str:
    """How closely both forms agree, number by number."""
    difference = tiny(figures["difference"]).replace(" ", NO_BREAK)
    return f"Outputs, up to {figures['largest']:.3g}, differ by at most {difference} (on {figures['compared']} images)."
