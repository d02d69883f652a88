"""Claim: 60,000 JPEG images in a zip are inspected in well under a minute, and decoded once into a store that later
runs map in a moment, without holding the originals in memory.

    python benchmarks/reading.py --data IMAGES.zip [--results FILE.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from evolution_core.data import inspect, load
from evolution_core.spec import RunSpec


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch)
        found, inspecting = timed(lambda: inspect(options.data))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _, decoding = timed(lambda: load(options.data, spec=RunSpec(), cache=cache, inspection=found))
        _, mapping = timed(lambda: load(options.data, spec=RunSpec(), cache=cache, inspection=found))
    result = {
        "claim": "60,000 JPEGs are inspected in well under a minute",
        "images": found.images,
        "bytes": options.data.stat().st_size,
        "seconds_to_inspect": round(inspecting, 2),
        "images_per_second": round(found.images / inspecting),
        "peak_mb_while_inspecting": round(memory),  # the interpreter and PyTorch included
        "seconds_to_decode_once": round(decoding, 2),
        "seconds_from_the_store": round(mapping, 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one used",
        "n": 1,
    }
    print(json.dumps(result, indent=1))
    if options.results:
        options.results.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
