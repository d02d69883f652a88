"""Claim: a YOLOv2 at a quarter of its width, trained on 205 photographs of blood cells, finds them usefully; and an
offspring at least 5 times smaller stays within 3 points of its mAP@.5.

    python -m benchmarks.detection_bccd --data bccd-voc.zip --out DIR [--seed 7]

The data are BCCD as Pascal VOC (364 photographs, 3 classes, MIT licence), with their own training, validation and test
parts. The run is made through the command line, as a user would; it lies in DIR, and the same command goes on where it
was interrupted. The offspring is given fewer epochs than its ancestor, at the same settings, gestation included; it is
chosen on validation images, and the test images are opened once. Writes benchmarks/results/detection-bccd.json and its
section in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SETTINGS: dict[str, Any] = {
    "architecture": "yolov2",
    "width": 0.25,
    "input": 416,
    "progressive-size": 256,  # six tenths of each training on smaller images
    "progressive-share": 0.6,
    "augmentation": "photo",
    "optimizer": "adamw",
    "learning-rate": 0.003,
    "weight-decay": 0.05,
    "batch-size": 16,
    "ancestor-epochs": 100,
    "epochs": 60,
    "gestation": 0.2,
    "generations": 1,
    "offspring": 1,
    "target": "6x",
    "resource": "parameters",
    "max-drop": 3,
}
USEFUL, SMALLER, POINTS = 0.75, 5.0, 3.0
TITLE = "## YOLOv2 on blood cells"
FIGURES = ("id", "generation", "parents", "parameters", "macs", "bytes", "latency_ms", "ancestor_latency_ms")
MEASURES = ("whole_latency_ms", "ancestor_whole_latency_ms", "shock_map50", "metrics", "test_metrics", "seconds")


def command(data: str, out: str, seed: int, threads: int) -> list[str]:
    """The run as it is typed, after `python -m evolution_core`."""
    settings = [part for name, value in SETTINGS.items() for part in (f"--{name}", str(value))]
    where = ["--data", data, "--out", out]
    return ["evolve", *where, *settings, "--seed", str(seed), "--threads", str(threads)]


def judge(lineage: dict[str, Any]) -> dict[str, Any]:
    """What the lineage says of the claim. The smallest network within the allowed drop stands for the offspring."""
    networks = {network["id"]: network for network in lineage["networks"]}
    ancestor, chosen = networks["ancestor"], networks[lineage["chosen"]]
    lost = {part: 100 * (ancestor[f"{part}_map50"] - chosen[f"{part}_map50"]) for part in ("validation", "test")}
    smaller = ancestor["parameters"] / chosen["parameters"]
    return {
        "chosen": chosen["id"],
        "times_smaller": smaller,
        "times_fewer_macs": ancestor["macs"] / chosen["macs"],
        "times_faster": chosen["ancestor_latency_ms"] / chosen["latency_ms"],
        "times_faster_with_boxes": chosen["ancestor_whole_latency_ms"] / chosen["whole_latency_ms"],
        "points_lost": lost,
        "useful": ancestor["test_map50"] >= USEFUL,
        "holds": smaller >= SMALLER and max(lost.values()) <= POINTS,
    }


def result_of(lineage: dict[str, Any], seed: int, threads: int) -> dict[str, Any]:
    """All that is kept of a run."""
    return {
        "claim": f"mAP@.5 of {USEFUL:g} on test images; an offspring {SMALLER:g}x smaller within {POINTS:g} points",
        "command": ["python", "-m", "evolution_core", *command("bccd-voc.zip", "DIR", seed, threads)],
        "settings": SETTINGS,
        "seed": seed,
        "threads": threads,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("torch", "onnxruntime", "faster-coco-eval", "numpy")},
        "data": lineage["data"],
        **judge(lineage),
        "networks": [
            {name: network.get(name) for name in (*FIGURES, *MEASURES)} | {"curve": network["history"]}
            for network in lineage["networks"]
        ],
    }


# --- the section in docs/benchmarks.md --------------------------------------------------------


def section(result: dict[str, Any]) -> str:
    machine, data, lost = result["machine"], result["data"], result["points_lost"]
    side = data["shape"][-1]
    networks = {network["id"]: network for network in result["networks"]}
    chosen = networks[result["chosen"]]
    lines = [
        TITLE,
        "",
        f"`python -m benchmarks.detection_bccd --data bccd-voc.zip --out DIR` (BCCD as Pascal VOC: {data['train']} "
        f"training, {data['validation']} validation and {data['test']} test photographs of {len(data['classes'])} "
        f"classes; YOLOv2 at width {SETTINGS['width']}, {side} pixels, from random weights; AdamW; one seed, one "
        "thread).",
        f"The ancestor trains {SETTINGS['ancestor-epochs']} epochs, its offspring {SETTINGS['epochs']} from its "
        f"ancestor's weights, {SETTINGS['gestation']:.0%} of them under stress before the cut; both spend half of a "
        f"training on images of {SETTINGS['progressive-size']} pixels. Classes are mAP@.5 on the test images, which "
        "were opened once, after the choice.",
        "",
        *_figures(result, networks),
        "",
        f"The chosen {result['chosen']} has {result['times_smaller']:.1f}× fewer parameters and "
        f"{result['times_fewer_macs']:.1f}× fewer multiply-adds than its ancestor and is "
        f"{result['times_faster']:.1f}× faster in ONNX Runtime ({result['times_faster_with_boxes']:.1f}× with decoding "
        f"and suppression; one image, one thread). It loses {_points(lost['validation'])} on validation and "
        f"{_points(lost['test'])} on test. Its shock was {_percent(chosen['shock_map50'])}.",
        "",
        f"The curve, mAP@.5 on validation after so many epochs of each phase ({machine['cores']} cores, torch "
        f"{result['versions']['torch']}):",
        "",
        *_curves(result["networks"]),
        "",
    ]
    return "\n".join(lines)


def _figures(result: dict[str, Any], networks: dict[str, Any]) -> list[str]:
    classes = result["data"]["classes"]
    head = ["network", "parameters", "multiply-adds", "ms", "ms with boxes", "validation", "test", "test mAP@.5:.95"]
    lines = [f"| {' | '.join([*head, *classes])} |", f"|{'---|' * (len(head) + len(classes))}"]
    for name in ("ancestor", result["chosen"]):
        network = networks[name]
        tested = network["test_metrics"]
        cells = [
            name,
            f"{network['parameters']:,}",
            f"{network['macs']:,}",
            f"{network['latency_ms']:.2f}",
            f"{network['whole_latency_ms']:.2f}",
            _percent(network["metrics"]["map50"]),
            _percent(tested["map50"]),
            _percent(tested["map"]),
            *(_percent(tested.get(f"map50/{each}")) for each in classes),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _curves(networks: list[dict[str, Any]]) -> list[str]:
    """A row a phase, a column for every tenth of it."""
    tenths = range(1, 11)
    lines = [f"| | {' | '.join(f'{10 * tenth} %' for tenth in tenths)} |", f"|---|{'---|' * len(tenths)}"]
    for network in networks:
        phases = dict.fromkeys(point["phase"] for point in network["curve"])
        for phase in phases:
            points = [point for point in network["curve"] if point["phase"] == phase]
            last = points[-1]["epoch"]
            cells = [
                _percent(min(points, key=lambda point: abs(point["epoch"] - last * tenth / 10))["map50"])
                for tenth in tenths
            ]
            name = network["id"] if phase == "ancestor" else f"{network['id']}, {phase}"
            lines.append(f"| {name} ({last:.0f} epochs) | {' | '.join(cells)} |")
    return lines


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _points(lost: float) -> str:
    """`lost` reads as loss; a gain is said as one."""
    return f"{lost:.1f} points" if lost >= 0 else f"−{-lost:.1f} points (it gains)"


def replaced(text: str, part: str) -> str:
    """The document with the section of the same title replaced, or put at its end."""
    whole = re.compile(rf"^{re.escape(TITLE)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if whole.search(text):
        return whole.sub(lambda _: part + "\n", text).rstrip() + "\n"
    return f"{text.rstrip()}\n\n{part.rstrip()}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="BCCD as Pascal VOC, zipped or not")
    parser.add_argument("--out", type=Path, required=True, help="keep the run here; go on with it if it is there")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "detection-bccd.json")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    typed = command(str(options.data), str(options.out), options.seed, options.threads)
    subprocess.run([sys.executable, "-m", "evolution_core", *typed], check=True, cwd=ROOT)
    result = result_of(json.loads((options.out / "lineage.json").read_text()), options.seed, options.threads)
    options.results.write_text(json.dumps(result, indent=1) + "\n")
    text = options.document.read_text()
    options.document.write_text(replaced(text, section(result)))
    print(section(result))
    return 0 if result["useful"] and result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
