"""Claim: a YOLOv2 at a quarter of its width, trained on 205 photographs of blood cells, finds them usefully; and an
offspring at least 5 times smaller stays within 3 points of its mAP@.5.

    python -m benchmarks.detection_bccd --data bccd-voc.zip --out DIR [--input 416|256] [--seed 7]
    python -m benchmarks.detection_bccd --read --out DIR [--input 416|256]

The data are BCCD as Pascal VOC (364 photographs, 3 classes, MIT licence), with their own training, validation and test
parts. The run is made through the command line, as a user would; it lies in DIR, and the same command goes on where it
was interrupted. The offspring is given fewer epochs than its ancestor, at the same settings, gestation included; it is
chosen on validation images, and the test images are opened once. Writes benchmarks/results/detection-bccd.json (at 256
pixels detection-bccd-256.json) and its section in docs/benchmarks.md. With --read nothing is trained: both are written
from the finished run in DIR, if that was made with these very settings; machine and versions are then the reader's.

The run at 256 pixels came first and missed the mAP@.5 asked for, mostly by its smallest objects, the platelets; 416
pixels, the published size, were taken after its test figures were known. It was made before three changes that touch
neither training nor the cut: it lacks precision and recall class by class, its latencies are of an older harness, and
its floor was 2 clusters instead of 4, which did not bind (no layer kept fewer than 4).
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
SIZES: dict[int, dict[str, Any]] = {  # the input, and the share of each training that is spent on smaller images
    416: {"input": 416, "progressive-size": 256, "progressive-share": 0.6},
    256: {"input": 256, "progressive-size": 192, "progressive-share": 0.5},
}
SETTINGS: dict[str, Any] = {
    "architecture": "yolov2",
    "width": 0.25,
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
TITLES = {416: "## YOLOv2 on blood cells", 256: "## YOLOv2 on blood cells at 256 pixels"}
FIGURES = ("id", "generation", "parents", "parameters", "macs", "bytes", "latency_ms", "ancestor_latency_ms")
MEASURES = ("whole_latency_ms", "ancestor_whole_latency_ms", "shock_map50", "metrics", "test_metrics", "seconds")


def command(side: int, data: str, out: str, seed: int, threads: int) -> list[str]:
    """The run as it is typed, after `python -m evolution_core`."""
    settings = [part for name, value in (SETTINGS | SIZES[side]).items() for part in (f"--{name}", str(value))]
    where = ["--data", data, "--out", out]
    return ["evolve", *where, *settings, "--seed", str(seed), "--threads", str(threads)]


def unlike(lineage: dict[str, Any], side: int, seed: int, threads: int) -> list[str]:
    """The settings in which a finished run is not the one that `command` types."""
    spec = lineage["spec"]
    made = {
        **{name.replace("-", "_"): value for name, value in spec.items()},
        "input": spec["input_size"],
        "target": f"{spec['environment']['parameters']['times']:g}x",
        "threads": lineage["threads"],
    }
    wanted = SETTINGS | SIZES[side] | {"seed": seed, "threads": threads}
    return [name for name, value in wanted.items() if made.get(name.replace("-", "_")) != value]


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


def result_of(lineage: dict[str, Any], side: int, seed: int, threads: int) -> dict[str, Any]:
    """All that is kept of a run."""
    return {
        "claim": f"mAP@.5 of {USEFUL:g} on test images; an offspring {SMALLER:g}x smaller within {POINTS:g} points",
        "command": ["python", "-m", "evolution_core", *command(side, "bccd-voc.zip", "DIR", seed, threads)],
        "settings": SETTINGS | SIZES[side],
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
    settings = result["settings"]
    side = settings["input"]
    option = "" if side == max(SIZES) else f" --input {side}"
    networks = {network["id"]: network for network in result["networks"]}
    chosen = networks[result["chosen"]]
    lines = [
        TITLES[side],
        "",
        f"`python -m benchmarks.detection_bccd --data bccd-voc.zip --out DIR{option}` (BCCD as Pascal VOC: "
        f"{data['train']} training, {data['validation']} validation and {data['test']} test photographs of "
        f"{len(data['classes'])} classes; YOLOv2 at width {settings['width']}, {side} pixels, from random "
        "weights; AdamW; one seed, one thread).",
        f"The ancestor trains {settings['ancestor-epochs']} epochs, its offspring {settings['epochs']} from its "
        f"ancestor's weights, {settings['gestation']:.0%} of them under stress before the cut; both spend "
        f"{settings['progressive-share']:.0%} of a training on images of {settings['progressive-size']} pixels. "
        "Classes are mAP@.5 on the test images, which were opened once, after the choice.",
        "",
        *_figures(result, networks),
        "",
        f"The chosen {result['chosen']} has {result['times_smaller']:.1f}× fewer parameters and "
        f"{result['times_fewer_macs']:.1f}× fewer multiply-adds than its ancestor and is "
        f"{result['times_faster']:.1f}× faster in ONNX Runtime ({result['times_faster_with_boxes']:.1f}× with decoding "
        f"and suppression; one image, one thread). It loses {_points(lost['validation'])} on validation and "
        f"{_points(lost['test'])} on test. Right after synthesis it stood at {_percent(chosen['shock_map50'])}. "
        f"Asked was an ancestor of {USEFUL:.0%} on test: {'met' if result['useful'] else 'missed'}; and an offspring "
        f"at least {SMALLER:g}× smaller within {POINTS:g} points: {'met' if result['holds'] else 'missed'}.",
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
    whole = re.compile(rf"^{re.escape(part.splitlines()[0])}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if whole.search(text):
        return whole.sub(lambda _: part + "\n", text).rstrip() + "\n"
    return f"{text.rstrip()}\n\n{part.rstrip()}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="BCCD as Pascal VOC, zipped or not")
    parser.add_argument("--out", type=Path, required=True, help="keep the run here; go on with it if it is there")
    parser.add_argument("--read", action="store_true", help="train nothing: write down the finished run in --out")
    parser.add_argument("--input", type=int, choices=SIZES, default=max(SIZES), help="pixels of a side")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, help="default: below benchmarks/results")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    run = (options.input, options.seed, options.threads)
    if not options.read:
        if options.data is None:
            parser.error("--data is needed to make the run")
        typed = command(options.input, str(options.data), str(options.out), options.seed, options.threads)
        subprocess.run([sys.executable, "-m", "evolution_core", *typed], check=True, cwd=ROOT)
    lineage = json.loads((options.out / "lineage.json").read_text())
    if others := unlike(lineage, *run):
        parser.error(f"the run in {options.out} has another {', '.join(others)}")
    result = result_of(lineage, *run)
    name = "detection-bccd.json" if options.input == max(SIZES) else f"detection-bccd-{options.input}.json"
    (options.results or ROOT / "benchmarks" / "results" / name).write_text(json.dumps(result, indent=1) + "\n")
    text = options.document.read_text()
    options.document.write_text(replaced(text, section(result)))
    print(section(result))
    return 0 if result["useful"] and result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
