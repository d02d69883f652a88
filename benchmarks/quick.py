"""First figures: what each part of the method is worth, in minutes, on LeNet-5 and a part of Fashion-MNIST.

    python -m benchmarks.quick --data /usr/share/datasets/fashion-mnist [--arms stress,parents] [--seeds 3]

Every arm breeds four generations at half of the clusters each, to some hundred times fewer parameters, from the same
ancestor (trained once for each seed); every network of every arm is given the same number of epochs, gestation
included. Per generation: the shock (validation accuracy right after synthesis, before any more training) and the
validation accuracy at the end of growth; at the end the test accuracy of the last generation's best network, opened
once. Mean and standard deviation over seeds. Writes benchmarks/results/quick.json and docs/benchmarks/quick.md.

These are first figures on a small network and few epochs, to choose defaults by; they are no claim.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from evolution_core import lineage
from evolution_core.data import Data, load
from evolution_core.evolution import evolve
from evolution_core.life import Life, open_test
from evolution_core.records import ANCESTOR, NetworkRecord, ancestor_plan
from evolution_core.spec import RunSpec

ROOT = Path(__file__).resolve().parents[1]
GENERATIONS = 4
BASE: dict[str, Any] = {
    "architecture": "lenet5",
    "limit": 8000,
    "validation_share": 0.25,
    "generations": GENERATIONS,
    "offspring": 1,
    "epochs": 2.0,
    "environment": 0.5,
    "stress": "death-list",
    "gestation": 0.4,
}


@dataclass(frozen=True)
class Arm:
    """One way to evolve: what differs from BASE."""

    group: str
    name: str
    fields: dict[str, Any]


def arms() -> list[Arm]:
    """Every arm. The base arm (death list, gestation 0.4, one parent, inherited) stands in several groups."""
    found = [
        Arm("stress", name, {"stress": name})
        for name in ("death-list", "rehearsal", "weakening", "pressure", "random", "none")
    ]
    found.append(Arm("stress", "none, no gestation", {"stress": "none", "gestation": 0.0}))
    found += [Arm("share of gestation", f"{share:g}", {"gestation": share}) for share in (0.2, 0.4, 0.6, 0.8)]
    found += [
        Arm("heredity", "inherited", {}),
        Arm("heredity", "newborn", {"inheritance": "newborn"}),
        Arm("heredity", "repair, death list", {"repair": True}),
        Arm("heredity", "repair, no stress", {"repair": True, "stress": "none"}),
        Arm("heredity", "repair, no gestation", {"repair": True, "stress": "none", "gestation": 0.0}),
    ]
    several = {"offspring": 3, "survivors": 3}
    found += [Arm("parents (three offspring)", str(count), {**several, "parents": count}) for count in (1, 2, 3)]
    found += [Arm("best of k", str(count), {"candidates": count}) for count in (1, 8)]
    found += [Arm("best of k, no stress", str(count), {"candidates": count, "stress": "none"}) for count in (1, 8)]
    found += [Arm("sharpness", f"{value:g}", {"sharpness": value}) for value in (1.0, 4.0, 16.0)]
    found += [Arm("strength", name, {"strength": name}) for name in ("sum", "l2", "taylor")]
    found += [Arm("floor", f"{count} clusters", {"minimum_clusters": count}) for count in (1, 2, 4)]
    at_once = {"generations": 1, "environment": 0.5**GENERATIONS, "epochs": BASE["epochs"] * GENERATIONS}
    found += [
        Arm("one generation, as small, as long", "death list", {**at_once, "ancestor_epochs": BASE["epochs"]}),
        Arm(
            "one generation, as small, as long",
            "no stress",
            {**at_once, "ancestor_epochs": BASE["epochs"], "stress": "none"},
        ),
        Arm(
            "one generation, as small, as long",
            "repair, no gestation",
            {**at_once, "ancestor_epochs": BASE["epochs"], "stress": "none", "gestation": 0.0, "repair": True},
        ),
    ]
    return found


# --- one run --------------------------------------------------------------------------------


@cache
def _data(source: str, seed: int) -> Data:
    return load(Path(source), spec=RunSpec(**BASE).replace(seed=seed))


def ancestor(source: str, seed: int, folder: str) -> float:
    """Train the seed's ancestor; its seconds."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    spec = RunSpec(**BASE).replace(seed=seed)
    for _ in Life(spec, ancestor_plan(), _data(source, seed), Path(folder), latency_seconds=0.3).events():
        pass
    return time.perf_counter() - started


def run(source: str, seed: int, fields: dict[str, Any], first: str) -> dict[str, Any]:
    """Evolve one arm with one seed from the ancestor in `first`, which is the same for every arm."""
    torch.set_num_threads(1)
    spec = RunSpec(**{**BASE, **fields, "seed": seed})
    data = _data(source, seed)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        lineage.claim(
            out, spec, {"data": None, "own": None, "weights": None, "fingerprint": data.fingerprint, "threads": 1}
        )
        for name in (f"{ANCESTOR}.json", f"{ANCESTOR}.safetensors"):
            shutil.copy(Path(first) / name, out / name)
        for _ in evolve(spec, data, out, threads=1, latency_seconds=0.3):
            pass
        records = lineage.read_networks(out)
        last = _best(records, max(record.generation for record in records))
        tested = open_test(spec, last, data, out)
        volume = json.loads((out / "lineage.json").read_text())["hypervolume"][-1]
    return {
        "seed": seed,
        "generations": [_generation(records, g) for g in range(1, spec.generations + 1)],
        "ancestor": records[0].validation_accuracy,
        "ancestor_test": records[0].test_accuracy,
        "test": tested.test_accuracy,
        "times_smaller": records[0].parameters / last.parameters,
        "times_fewer_macs": records[0].macs / last.macs,
        "hypervolume": volume,
        "seconds": time.perf_counter() - started,
    }


def _best(records: Iterable[NetworkRecord], generation: int) -> NetworkRecord:
    born = [record for record in records if record.generation == generation and record.is_measured]
    return max(born, key=lambda record: record.validation_accuracy)


def _generation(records: list[NetworkRecord], generation: int) -> dict[str, float]:
    """Of the generation's best network."""
    best = _best(records, generation)
    return {"shock": best.shock_accuracy, "accuracy": best.validation_accuracy, "parameters": best.parameters}


def dense(source: str, seed: int) -> dict[str, Any]:
    """The ancestor trained for as many epochs as it and all its generations together."""
    torch.set_num_threads(1)
    spec = RunSpec(**BASE).replace(seed=seed, ancestor_epochs=BASE["epochs"] * (GENERATIONS + 1))
    with tempfile.TemporaryDirectory() as folder:
        for _ in Life(spec, ancestor_plan(), _data(source, seed), Path(folder), latency_seconds=0.1).events():
            pass
        record = lineage.read_record(Path(folder), ANCESTOR)
        assert record is not None
        tested = open_test(spec, record, _data(source, seed), Path(folder))
    return {"seed": seed, "validation": record.validation_accuracy, "test": tested.test_accuracy}


# --- all of them ------------------------------------------------------------------------------


def measure(source: str, chosen: list[Arm], seeds: int, processes: int) -> dict[str, Any]:
    started = time.perf_counter()
    results: dict[tuple[str, str], list[dict[str, Any]]] = {(arm.group, arm.name): [] for arm in chosen}
    with (
        tempfile.TemporaryDirectory() as firsts,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        folders = [str(Path(firsts) / str(seed)) for seed in range(seeds)]
        list(pool.map(ancestor, [source] * seeds, range(seeds), folders))
        whole = [pool.submit(dense, source, seed) for seed in range(seeds)]
        waiting: dict[str, Any] = {}  # equal arms are run once
        for arm in chosen:
            key = json.dumps(arm.fields | _defaults(arm.fields), sort_keys=True)
            if key not in waiting:
                waiting[key] = [pool.submit(run, source, s, arm.fields, folders[s]) for s in range(seeds)]
        futures = [future for each in waiting.values() for future in each]
        for number, _ in enumerate(as_completed(futures), start=1):
            print(f"\r{number} of {len(futures)} runs, {time.perf_counter() - started:.0f} s", end="", flush=True)
        print()
        for arm in chosen:
            key = json.dumps(arm.fields | _defaults(arm.fields), sort_keys=True)
            results[arm.group, arm.name] = [future.result() for future in waiting[key]]
        longer = [future.result() for future in whole]
    return {
        "settings": BASE,
        "seeds": seeds,
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "processes": processes,
            "threads_each": 1,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "seconds": round(time.perf_counter() - started, 1),
        "dense": longer,
        "arms": [
            {"group": a.group, "name": a.name, "fields": a.fields, "runs": results[a.group, a.name]} for a in chosen
        ],
    }


def _defaults(fields: dict[str, Any]) -> dict[str, Any]:
    """BASE's values, so that an arm that spells a default out is the same as one that does not."""
    plain = RunSpec(**BASE).to_json()
    return {
        name: plain[name]
        for name in ("sharpness", "strength", "candidates", "gestation", "minimum_clusters")
        if name not in fields
    } | {"stress": fields.get("stress", BASE["stress"])}


# --- the table ----------------------------------------------------------------------------------


def spread(values: Iterable[float]) -> str:
    """Mean and standard deviation, in percent."""
    found = [100 * value for value in values]
    deviation = statistics.stdev(found) if len(found) > 1 else 0.0
    return f"{statistics.mean(found):.1f} ± {deviation:.1f}"


def report(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    ancestors = result["arms"][0]["runs"]
    lines = [
        "# First figures",
        "",
        f"LeNet-5 on {BASE['limit']:,} images of Fashion-MNIST, a quarter of them for validation; {GENERATIONS} "
        f"generations at half of the clusters each; {BASE['epochs']:g} epochs for each network, gestation included; "
        f"{result['seeds']} seeds: mean ± standard deviation, in percent. *Shock* is validation accuracy right after "
        "synthesis; *grown* is validation accuracy at the end of growth; the test set was opened once, for the last "
        "generation's best network. Where a generation has several offspring, the row shows its best.",
        "",
        f"Ancestor: {spread(run['ancestor'] for run in ancestors)} on validation, "
        f"{spread(run['ancestor_test'] for run in ancestors)} on test. The same dense network trained as long as it "
        f"and all generations together: {spread(run['validation'] for run in result['dense'])} on validation, "
        f"{spread(run['test'] for run in result['dense'])} on test.",
        "",
        "These are first figures, of a small network and few epochs, to choose defaults by. They are no claim.",
    ]
    for group in dict.fromkeys(arm["group"] for arm in result["arms"]):
        lines += ["", f"## {group.capitalize()}", ""]
        lines += _table([arm for arm in result["arms"] if arm["group"] == group])
    machine = result["machine"]
    lines += [
        "",
        f"Made by `python -m benchmarks.quick` in {result['seconds'] / 60:.0f} minutes on {machine['cores']} cores "
        f"({machine['processor']}), {machine['processes']} processes of one thread, torch {machine['torch']}. "
        "Every run, with its seeds and settings, is in `benchmarks/results/quick.json`.",
        "",
    ]
    return "\n".join(lines)


def _table(found: list[dict[str, Any]]) -> list[str]:
    generations = max(len(arm["runs"][0]["generations"]) for arm in found)
    head = [
        "arm",
        *(f"shock {g}" for g in range(1, generations + 1)),
        *(f"grown {g}" for g in range(1, generations + 1)),
    ]
    head += ["test", "smaller", "seconds"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for arm in found:
        runs = arm["runs"]
        cells = [arm["name"]]
        for key in ("shock", "accuracy"):
            cells += [spread(run["generations"][g][key] for run in runs) for g in range(generations)]
        smaller = math.exp(statistics.mean(math.log(run["times_smaller"]) for run in runs))
        cells += [spread(run["test"] for run in runs), f"{smaller:.0f}x"]
        cells.append(f"{statistics.mean(run['seconds'] for run in runs):.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of Fashion-MNIST's idx files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", help="only groups whose name holds one of these words (comma-separated)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "quick.json")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "benchmarks" / "quick.md")
    options = parser.parse_args()
    words = options.arms.split(",") if options.arms else [""]
    chosen = [arm for arm in arms() if any(word in arm.group for word in words)]
    result = measure(options.data, chosen, options.seeds, options.processes)
    text = report(result)
    print(text)
    for path, content in ((options.results, json.dumps(result, indent=1) + "\n"), (options.table, text)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
