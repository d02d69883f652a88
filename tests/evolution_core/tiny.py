"""Data and specs so small that a whole evolution takes a second or two."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from evolution_core.data import Data, Split, statistics
from evolution_core.events import Event
from evolution_core.evolution import evolve
from evolution_core.spec import RunSpec


def tiny_data(
    *, classes: int = 3, size: int = 16, channels: int = 1, train: int = 48, others: int = 24, seed: int = 0
) -> Data:
    """Images of noise with one bright block for each class in a place of its own: learnt within an epoch or two."""
    luck = torch.Generator().manual_seed(seed)

    def part(count: int) -> Split:
        targets = torch.arange(count) % classes
        images = torch.randint(0, 80, (count, channels, size, size), generator=luck, dtype=torch.uint8)
        cell = max(2, size // 4)
        for index, label in enumerate(targets.tolist()):
            row, column = divmod(label, size // cell)
            images[index, :, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] += 150
        return Split(images, targets)

    parts = [part(train), part(others), part(others)]
    mean, std = statistics(parts[0].images)
    names = tuple(f"class {number}" for number in range(classes))
    return Data("classification", names, (channels, size, size), *parts, mean, std, f"tiny-{seed}-{size}-{train}")


def tiny_spec(**fields: Any) -> RunSpec:
    """LeNet-5 at a quarter of its width, two generations of one offspring, a few steps each."""
    values = {
        "architecture": "lenet5",
        "width": 0.25,
        "generations": 2,
        "offspring": 1,
        "epochs": 2,
        "batch_size": 16,
        "seed": 7,
        "width_multiple": 1,
        "repair_images": 16,
        "minimum_clusters": 2,
    }
    return RunSpec(**{**values, **fields})


def evolved(spec: RunSpec, out: Path, data: Data | None = None) -> list[Event]:
    """Every event of the whole run, on one thread."""
    return list(evolve(spec, data or tiny_data(), out))


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every network file."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob("*.safetensors"))
        if not path.name.startswith(".")
    }


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]
