"""Readable names for layers, from whatever the exporter kept of the originals.

PyTorch's exporters keep `layer1.0.conv1.weight` in the weights' names, or, where they folded a batch
normalisation in, `/layer1/layer1.0/conv1/Conv` in the node's; TensorFlow's keep `block1_conv1/Conv2D`.
Only letters, digits and underscores go through: the names become part of generated Python code.
"""

from __future__ import annotations

import re

from torch import fx

_MEANINGLESS = re.compile(
    r"^(onnx|val_\d+|node|const\w*|t?\d+|_v_\d+|weight|bias|sub_?\d*|graph\d*|mobilenetv?\d?)$", re.I
)
_TAILS = (
    "weight",
    "bias",
    "kernel",
    "gamma",
    "scale",
    "ReadVariableOp",
    "BiasAdd",
    "Conv2D",
    "MatMul",
    "depthwise",
    "w",
)
_DROPPED = {"model", "module", "sequential", "functional", "StatefulPartitionedCall", "PartitionedCall", "torch_jit"}
_LONGEST = 60


class Names:
    """Gives every layer, held tensor and node a name of its own; a layer's name is never inside another's."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.nodes: set[str] = {"image", "output"}
        self.counts: dict[str, int] = {}

    def module(self, kind: str, node: str, weights: tuple[str, ...]) -> str:
        """A layer's name: from its weights' names, else from its node's. Layers without weights get flat names,
        since the scope that called a plain function has layers inside."""
        if not weights:
            flat = from_node(node).replace(".", "_")
            return self._free(flat if not flat or flat.endswith(kind) else f"{flat}_{kind}", kind)
        wishes = [wish for wish in (*map(from_weight, weights), from_node(node)) if wish]
        return self._free(next((wish for wish in wishes if not self._clashes(wish)), (*wishes, "")[0]), kind)

    def tensor(self, kind: str, name: str) -> str:
        parts = _parts(name.replace("/", ".")) if not _generated(name) else []
        return self._free(".".join(parts), kind)

    def node(self, target: str) -> str:
        base = target.replace(".", "_")
        base = base if base[:1].isalpha() else f"layer_{base}"
        name, number = base, 1
        while name in self.nodes:
            number += 1
            name = f"{base}_{number}"
        self.nodes.add(name)
        return name

    def _free(self, wished: str, kind: str) -> str:
        if wished and not self._clashes(wished):
            self.taken.add(wished)
            return wished
        base = f"{wished.replace('.', '_')}_{kind}" if wished else kind
        if wished and not self._clashes(base):
            self.taken.add(base)
            return base
        while True:
            self.counts[base] = self.counts.get(base, 0) + 1
            name = f"{base}{self.counts[base]}" if not wished else f"{base}_{self.counts[base] + 1}"
            if not self._clashes(name):
                self.taken.add(name)
                return name

    def _clashes(self, name: str) -> bool:
        """Whether `name` is taken, lies inside a taken one, or has one inside."""
        if any(other == name or other.startswith(f"{name}.") for other in self.taken):
            return True
        parts = name.split(".")
        return any(".".join(parts[:length]) in self.taken for length in range(1, len(parts)))


def _generated(name: str) -> bool:
    return not name or "::" in name or bool(_MEANINGLESS.match(name)) or not re.search(r"[A-Za-z]", name)


def _parts(name: str) -> list[str]:
    cleaned = (re.sub(r"[^A-Za-z0-9_]", "_", part).strip("_") for part in name.split("."))
    parts = [part for part in cleaned if part]
    return parts if len(".".join(parts)) <= _LONGEST else []


def from_weight(name: str) -> str:
    """The layer's name in its weights' name: 'layer1.0.conv1.weight' -> 'layer1.0.conv1'; '' when it tells nothing."""
    if "/" in name:
        return from_node(name)
    if _generated(name) or "." not in name:
        return ""
    parts = _parts(re.sub(r"_bias$", "", name))
    while parts and parts[-1] in _TAILS:
        parts.pop()
    return ".".join(parts) if parts and not _reserved(parts) else ""


def from_node(name: str) -> str:
    """The layer's name in a node's path: '/layer1/layer1.0/conv1/Conv' -> 'layer1.0.conv1'."""
    path = [part.split(":")[0] for part in name.split("/") if part]
    if len(path) < 2:
        return ""
    scopes: list[str] = []
    for part in path[:-1] if not name.endswith("ReadVariableOp") else path:
        if part in _TAILS or re.match(r"^(Conv2D|BiasAdd|MatMul|ReadVariableOp|FusedBatchNorm)", part):
            continue
        if part in _DROPPED or re.match(r"^(model|sequential|functional)(_\d+)?$", part):
            continue
        if scopes and part.startswith(f"{scopes[-1]}."):
            scopes[-1] = part
        else:
            scopes.append(part)
    parts = _parts(".".join(scopes))
    return ".".join(parts) if parts and not _reserved(parts) else ""


def _reserved(parts: list[str]) -> bool:
    """Names that nn.Module or the graph itself needs."""
    return any(hasattr(fx.GraphModule, part) or part in ("graph", "code", "training") for part in parts)
