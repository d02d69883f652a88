"""Starting points for the run form, in plain words. Each is a part of a spec over the defaults.

A task has defaults of its own: detectors learn longer than classifiers, on smaller batches of varied photographs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from evolution_core.spec import RunSpec

TASK_DEFAULTS: dict[str, dict[str, Any]] = {
    "classification": {},
    "detection": {
        "architecture": "tiny-yolov2",
        "width": 0.25,  # a sixteenth of the work: what a machine without a graphics card trains in reasonable time
        "epochs": 20,
        "batch_size": 16,
        "optimizer": "adamw",  # on batches this small Muon takes half of a step's time and learns no more in it
        "learning_rate": 0.003,
        "weight_decay": 0.05,
        "augmentation": "flip-shift",
        "max_drop": 3,
    },
}


@dataclass(frozen=True)
class Preset:
    name: str
    label: str
    summary: str
    changes: dict[str, Any]
    detection: dict[str, Any] = field(default_factory=dict)  # over `changes`, where the data have boxes

    @property
    def spec(self) -> RunSpec:
        return self.spec_for("classification")

    def spec_for(self, task: str) -> RunSpec:
        own = self.detection if task == "detection" else {}
        return RunSpec.from_json({**TASK_DEFAULTS.get(task, {}), **self.changes, **own})


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "quick",
            "Quick look",
            "Two short generations on at most 5,000 images: does it work on these data at all?",
            {"generations": 2, "offspring": 2, "epochs": 1, "limit": 5000, "environment": 0.5},
            {"epochs": 5},
        ),
        Preset(
            "balanced",
            "Balanced",
            "Four generations of two offspring, each 60 % of the last, and twice as long for the last to grow.",
            {"last_epochs": 4},
            {"last_epochs": 40},
        ),
        Preset(
            "smallest",
            "Smallest",
            "Aims at forty times fewer parameters: harsh generations, the best of several draws, a long last growth, "
            "with the ancestor as a teacher.",
            {
                "generations": 5,
                "offspring": 3,
                "candidates": 4,
                "environment": "40x",
                "resource": "parameters",
                "repair": True,
                "distillation": 0.5,
                "last_epochs": 6,
                "max_drop": 2,
            },
            {"last_epochs": 40, "max_drop": 5},
        ),
        Preset(
            "paper",
            "Paper",
            "The published form of probability, whole clusters, one parent: forty times smaller (detectors 33 times).",
            {
                "generations": 5,
                "offspring": 3,
                "environment": "40x",
                "resource": "parameters",
                "encoding": "cluster",
                "strength": "sum",
                "sharpness": 1,
                "stress": "death-list",
                "epochs": 4,
                "last_epochs": 12,
                "max_drop": 1,
            },
            {"environment": "33x", "epochs": 30, "last_epochs": 60, "max_drop": 2},
        ),
        Preset(
            "careful",
            "Careful",
            "Small steps, more training, refitted layers, the ancestor as a teacher: for when half a point matters.",
            {
                "generations": 6,
                "offspring": 3,
                "epochs": 3,
                "environment": 0.75,
                "repair": True,
                "distillation": 0.5,
                "last_epochs": 6,
                "elitism": True,
                "max_drop": 0.5,
            },
            {"epochs": 30, "last_epochs": 60, "max_drop": 1},
        ),
    )
}
