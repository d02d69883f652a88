"""Claim: 8-bit integers cost little accuracy and make a file about four times smaller.

    python -m benchmarks.integers [CLAIM ...] [--evolved CLAIM ...]

The ancestors of claims (benchmarks/claims; seed 0, trained now unless they are there), and with `--evolved` the network
that the headline arm of a claim comes to, bred again from the same seed: each as ONNX in float32 and in 8-bit integers,
on the claim's validation images, with its time for one image (one thread, in turns). Writes
benchmarks/results/integers.json. Whether it is faster depends on the processor: the file says which.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.claims import register, results, units
from benchmarks.claims.ancestors import ancestor_spec, trained
from benchmarks.claims.declared import Claim
from benchmarks.claims.places import data_for
from evolution_core.data import Data
from evolution_core.export import export_onnx, quantize
from evolution_core.genome import load_network
from evolution_core.measurement import latency_ms
from evolution_core.measurement.exported import Exported, measure_exported, training_images
from evolution_core.records import ANCESTOR, read_json, write_json
from evolution_core.spec import RunSpec
from evolution_core.tasks import task_for

OUT = Path(__file__).parent / "results" / "integers.json"
ANCESTORS = ("lenet-mnist", "lenet-fashion", "alexnet-cifar", "resnet20-cifar", "yolo-half")
IMAGES = 256
SECONDS = 3.0


def compared(file: Path, data: Data) -> dict[str, Any]:
    """A network's two ONNX forms: bytes, the task's measure, milliseconds."""
    loaded = load_network(file)
    whole = export_onnx(loaded.model, loaded.genome, pixels=False)
    batches = training_images(data, Exported(whole, loaded.model), IMAGES, seed=0, batch=16)
    small = quantize(whole, batches, whole_last=data.task == "detection")
    found = measure_exported(small, loaded.model, task_for(data.task), data.validation, data)
    times = latency_ms({"whole": whole, "small": small}, seconds=SECONDS)
    return {
        "bytes": len(whole),
        "bytes_int8": len(small),
        "metric": found.metric,
        "float32": found.torch,
        "int8": found.onnx,
        "images": found.images,
        "latency_ms": times["whole"],
        "latency_ms_int8": times["small"],
    }


def ancestor(claim: Claim, spec: RunSpec) -> dict[str, Any]:
    data = data_for(claim.data, spec)
    _, folder = trained(ancestor_spec(spec), data)
    return compared(folder / f"{ANCESTOR}.safetensors", data)


def evolved(claim: Claim, spec: RunSpec) -> dict[str, Any]:
    data = data_for(claim.data, spec)
    with tempfile.TemporaryDirectory() as scratch:
        found = units.evolved(claim, claim.arm("evolved"), spec, Path(scratch), lambda _: None)
        return compared(Path(scratch) / "run" / f"{found['chosen']['id']}.safetensors", data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("claims", nargs="*", default=list(ANCESTORS), help="whose ancestors are measured")
    parser.add_argument("--evolved", nargs="*", default=[], metavar="CLAIM", help="whose evolved networks are, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = (read_json(OUT) or {}).get("rows", {})
    asked = [(name, "ancestor", ancestor) for name in options.claims]
    for name, which, measure in [*asked, *((name, "evolved", evolved) for name in options.evolved)]:
        claim = register.find(name)
        row = measure(claim, claim.spec(claim.arm("evolved"), 0))
        row |= {"machine": results.machine(), "versions": results.versions()}
        rows[f"{name}, {which}"] = row
        print(
            f"{name}, {which}: {row['bytes'] / row['bytes_int8']:.1f}x smaller, {row['metric']} "
            f"{100 * row['float32']:.2f} -> {100 * row['int8']:.2f} % of {row['images']} images, "
            f"{row['latency_ms'] / row['latency_ms_int8']:.2f}x as fast",
            flush=True,
        )
        write_json(OUT, {"rows": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
