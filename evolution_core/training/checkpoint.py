"""What a training under way needs to be taken up again, in one file: safetensors, with JSON in its metadata.

A checkpoint is written whole or not at all, carries the spec it was made under and a digest of its own content, and
is believed only if all of that is as expected; otherwise it is left aside, and says why. No pickle anywhere.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..spec import RunSpec

FORMAT = "eustress-checkpoint-1"


@dataclass(frozen=True)
class Saved:
    """A checkpoint's content. `model` and `optimizer` are tensors by name, `numbers` the optimizer's plain values;
    `notes` and `tensors` are the caller's own. The training stood before step `step` of `steps` in `phase`."""

    phase: str
    seed: int
    step: int
    steps: int
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


def spec_digest(spec: RunSpec) -> str:
    """SHA-256 of the spec's full form."""
    return hashlib.sha256(json.dumps(spec.to_json(), sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """The checkpoint file of one network's life.

    `identity` is whatever else must be the same for a continuation to be exact: the network's id, the data's
    fingerprint. Torch's version and the thread count are added. `notes` (JSON) and `tensors` are the caller's: set them
    before training and they are in every write; after a read, find them in :attr:`Saved`. `every` is in seconds of
    work.
    Random states are not kept: every random number is a function of (seed, phase, step).
    """

    def __init__(
        self, path: Path, spec: RunSpec, *, identity: Mapping[str, Any] | None = None, every: float = 30.0
    ) -> None:
        self.path, self.spec, self.every = Path(path), spec, every
        self.notes: dict[str, Any] = {}
        self.tensors: dict[str, Tensor] = {}
        self.reason: str | None = None  # why the file at `path` was not believed; None if it was, or there is none
        self._identity = {
            **(identity or {}),
            "format": FORMAT,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "spec": spec_digest(spec),
        }

    def write(
        self,
        *,
        phase: str,
        seed: int,
        step: int,
        steps: int,
        model: Mapping[str, Tensor],
        optimizer: Mapping[str, Tensor] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        """Replace the file, atomically and durably: whoever reads finds the old one or this one."""
        groups: dict[str, Mapping[str, Tensor]] = {"model": model, "optimizer": optimizer or {}, "own": self.tensors}
        tensors = {
            f"{group}/{name}": tensor.detach().cpu().contiguous()
            for group, named in groups.items()
            for name, tensor in named.items()
        }
        about = {
            "identity": self._identity,
            "phase": phase,
            "seed": seed,
            "step": step,
            "steps": steps,
            "numbers": dict(numbers or {}),
            "notes": self.notes,
            "spec": self.spec.to_json(),
        }
        text = json.dumps(about, sort_keys=True)
        content = save(tensors, {"about": text, "digest": _digest(text, tensors)})
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with open(temporary, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self) -> Saved | None:
        """The content if the file is whole and belongs to this very life; otherwise None, and `reason` says why."""
        self.reason = None
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as stream:
                metadata = stream.metadata() or {}
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a mapping)
            about = json.loads(metadata["about"])
            if metadata.get("digest") != _digest(metadata["about"], tensors):
                return self._doubt("its content was altered after it was written")
            if (differs := self._difference(about["identity"])) is not None:
                return self._doubt(differs)
            groups: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "own": {}}
            for key, tensor in tensors.items():
                group, name = key.split("/", 1)
                groups[group][name] = tensor
            counters = {name: about[name] for name in ("phase", "seed", "step", "steps", "numbers", "notes")}
            return Saved(**counters, model=groups["model"], optimizer=groups["optimizer"], tensors=groups["own"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return self._doubt(f"it is no checkpoint of ours ({type(error).__name__})")

    def delete(self) -> None:
        """Remove the file, and what a process killed while writing may have left beside it."""
        for path in (self.path, *self.path.parent.glob(f".{glob.escape(self.path.name)}.*.part")):
            path.unlink(missing_ok=True)

    def _doubt(self, reason: str) -> Saved | None:
        self.reason = reason
        return None

    def _difference(self, identity: Mapping[str, Any]) -> str | None:
        if dict(identity) == self._identity:
            return None
        names = sorted({*identity, *self._identity})
        other = [name for name in names if identity.get(name) != self._identity.get(name)]
        return f"it was made with another {' and '.join(other)}"


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the JSON text and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
