"""Starting points for the run form, in plain words. Each is a part of a spec over the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evolution_core.spec import RunSpec


@dataclass(frozen=True)
class Preset:
    name: str
    label: str
    summary: str
    changes: dict[str, Any]

    @property
    def spec(self) -> RunSpec:
        return RunSpec.from_json(self.changes)


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "quick",
            "Quick look",
            "Two short generations on at most 5,000 images: does it work on these data at all?",
            {"generations": 2, "offspring": 2, "epochs": 1, "limit": 5000, "environment": 0.5},
        ),
        Preset("balanced", "Balanced", "The defaults: four generations of two offspring, each 60 % of the last.", {}),
        Preset(
            "smallest",
            "Smallest",
            "Aims at forty times fewer parameters: harsh generations, the best of several draws, a long last growth.",
            {
                "generations": 5,
                "offspring": 3,
                "candidates": 4,
                "environment": "40x",
                "resource": "parameters",
                "repair": True,
                "last_epochs": 6,
                "max_drop": 2,
            },
        ),
        Preset(
            "careful",
            "Careful",
            "Small steps, more training and refitted layers: for when half a point of accuracy matters.",
            {
                "generations": 6,
                "offspring": 3,
                "epochs": 3,
                "environment": 0.75,
                "repair": True,
                "last_epochs": 6,
                "elitism": True,
                "max_drop": 0.5,
            },
        ),
    )
}
