"""One JSON file for each unit: what was asked, of which machine, by which command, and what came of it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from evolution_core.records import NetworkRecord, read_json, write_json
from evolution_core.spec import RunSpec

from .declared import Arm, Claim
from .places import RESULTS, ROOT

LIBRARIES = ("torch", "onnxruntime", "numpy", "torch-pruning")


def path_of(claim: Claim, arm: Arm, seed: int, results: Path = RESULTS) -> Path:
    return results / claim.name / f"{arm.name}-{seed}.json"


def read(claim: Claim, arm: Arm, seed: int, results: Path = RESULTS) -> dict[str, Any] | None:
    return read_json(path_of(claim, arm, seed, results))


def measured(claim: Claim, arm: Arm, results: Path = RESULTS) -> dict[int, dict[str, Any]]:
    """seed -> result, of what has been measured so far."""
    return dict(sorted(_measured(claim, arm, results)))


def _measured(claim: Claim, arm: Arm, results: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for path in (results / claim.name).glob(f"{arm.name}-*.json"):
        seed = path.stem.removeprefix(f"{arm.name}-")
        if seed.isdigit() and int(seed) < claim.seeds:
            yield int(seed), read_json(path)


def write(claim: Claim, arm: Arm, seed: int, spec: RunSpec, found: Mapping[str, Any], results: Path = RESULTS) -> None:
    """Keep a unit's result, with all that is needed to judge it and to get it again."""
    path = path_of(claim, arm, seed, results)
    path.parent.mkdir(parents=True, exist_ok=True)
    value = {
        "claim": claim.name,
        "arm": arm.name,
        "kind": arm.kind,
        "of": arm.of,
        "options": arm.options,
        "seed": seed,
        "command": command(claim, arm, seed),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "data": claim.data,
        "settings": spec.to_json(),
        **found,
    }
    write_json(path, value)


def command(claim: Claim, arm: Arm, seed: int) -> str:
    return f"python -m benchmarks.claims run {claim.name} --arms {arm.name} --seeds {seed}"


def machine() -> dict[str, Any]:
    """The machine, in what times depend on; one thread is used of it."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "commit": _commit()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def network(record: NetworkRecord, ancestor: NetworkRecord) -> dict[str, Any]:
    """A network's figures, without the table of its layers; ratios are the ancestor's over its own."""
    fast, slow = record.latency_ms, record.ancestor_latency_ms
    return {
        "id": record.id,
        "parameters": record.parameters,
        "living_synapses": record.living_synapses,
        "macs": record.macs,
        "bytes": record.bytes,
        "clusters": record.clusters,
        "validation": record.validation_accuracy,
        "test": record.test_accuracy,
        "latency_ms": fast,
        "ancestor_latency_ms": slow,
        "times_smaller": _ratio(ancestor.parameters, record.parameters),
        "times_smaller_convolutions": _ratio(_convolutions(ancestor), _convolutions(record)),
        "times_fewer_macs": _ratio(ancestor.macs, record.macs),
        "times_faster": _ratio(slow, fast),
        "clock": "thread",  # by which both were timed: results without it have the wall's, under other work
    }


def _convolutions(record: NetworkRecord) -> int:
    """Parameters in convolutions alone: large full layers flatter a factor."""
    return sum(row["parameters"] for row in record.layers if str(row["kind"]).startswith(("conv", "depthwise")))


def _ratio(whole: float | None, part: float | None) -> float | None:
    return round(whole / part, 4) if whole and part else None
