"""Growth back: does it pay to shrink below the wanted size and then regrow clusters from the ancestor's genes?

    python -m benchmarks.growth_back --data /usr/share/datasets/fashion-mnist [--seeds 3]

LeNet-5 on a part of Fashion-MNIST. Every arm ends with the same number of clusters in each layer after three
generations of the same number of epochs, from the same ancestor of its seed:

* straight: two generations down to the wanted size, and one more that only trains;
* growth back: two generations down to half of the wanted size; then the offspring mates with the ancestor, and of the
  union as many of the ancestor's clusters as are wanted, the strongest first, live beside all of the offspring's
  (which keep their own weights, or meet the ancestor's half way); that network trains as long as any other.

Writes benchmarks/results/growth-back.json and prints the table that docs/benchmarks.md quotes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evolution_core.data import Data, load
from evolution_core.environment import share
from evolution_core.genome import cluster_probability, load_network
from evolution_core.life import Life
from evolution_core.life.measuring import network_path
from evolution_core.lineage import read_record
from evolution_core.records import ANCESTOR, NetworkRecord, Plan, ancestor_plan
from evolution_core.seeds import derive
from evolution_core.spec import RunSpec
from evolution_core.synthesis import Mating, cut, mate
from evolution_core.tasks import task_for
from evolution_core.training import train

ROOT = Path(__file__).resolve().parents[1]
OWN_WEIGHTS = 1e-9  # the ancestor's weight in synapses that the offspring has too: none that float32 would notice
BASE: dict[str, Any] = {
    "architecture": "lenet5",
    "limit": 8000,
    "validation_share": 0.25,
    "generations": 3,
    "offspring": 1,
    "epochs": 2.0,
    "stress": "death-list",
    "gestation": 0.4,
    "width_multiple": 1,  # so that every arm can reach the very same counts
}
WANTED = (0.25, 0.0625)  # shares of the ancestor's clusters at the end


def births(wanted: float) -> dict[str, list[float]]:
    """For each arm the share that each generation keeps of its parent's clusters; a missing third is a growth back."""
    down = math.sqrt(wanted)
    below = math.sqrt(wanted / 2)
    return {
        "straight": [down, down, 1.0],
        "growth back, own weights": [below, below],
        "growth back, weights half way": [below, below],
    }


def run(data: Data, seed: int, wanted: float, arm: str, ancestor: Path) -> dict[str, float]:
    """One arm with one seed; validation and test accuracy of its last network."""
    shares = births(wanted)[arm]
    environment = shares if len(shares) == 3 else [*shares, 1.0]
    spec = RunSpec(**BASE, seed=seed, environment=environment)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for ending in ("json", "safetensors"):
            os.link(ancestor / f"{ANCESTOR}.{ending}", here / f"{ANCESTOR}.{ending}")
        parent = ANCESTOR
        for generation in range(1, len(shares) + 1):
            assert share(spec, generation).share == shares[generation - 1]
            parent = _born(spec, Plan(f"{generation}-1", generation, (parent,)), data, here).id
        if len(shares) == 3:
            last = load_network(network_path(here, parent)).model
        else:
            last = _grown_back(spec, data, here, parent, wanted, 0.5 if "half way" in arm else OWN_WEIGHTS)
        task = task_for(data.task)
        with torch.no_grad():
            found = {
                part: task.evaluate(last, getattr(data, part), data)["accuracy"] for part in ("validation", "test")
            }
    return found | {"seed": seed, "parameters": sum(p.numel() for p in last.parameters())}


def _born(spec: RunSpec, plan: Plan, data: Data, folder: Path) -> NetworkRecord:
    for _ in Life(spec, plan, data, folder, latency_seconds=0.1).events():
        pass
    record = read_record(folder, plan.id)
    assert record is not None
    assert record.is_measured, record.message
    return record


def _grown_back(
    spec: RunSpec, data: Data, folder: Path, name: str, wanted: float, ancestors_weight: float
) -> torch.nn.Module:
    """The network `name` with clusters of the ancestor's regrown up to the wanted share, trained for one birth."""
    child, ancestor = load_network(network_path(folder, name)), load_network(network_path(folder, ANCESTOR))
    mating = mate(
        [(one.model, one.clusters, one.genome) for one in (child, ancestor)],
        [1.0 - ancestors_weight, ancestors_weight],
        spec,
        ancestor=(ancestor.model, ancestor.clusters),
    )
    strongest = cluster_probability(ancestor.model, ancestor.clusters, spec)
    alive = _union_of(mating, child.clusters.tags, strongest, wanted)
    model = cut(mating.model, mating.clusters, alive)
    for _ in train(
        model, task_for(data.task), data, spec, epochs=spec.epochs, phase="growth", seed=derive(spec.seed, "grown back")
    ):
        pass
    return model.eval()


def _union_of(mating: Mating, own: Tensor, strength: Tensor, wanted: float) -> Tensor:
    """[n] all clusters with the offspring's tags and, layer by layer, the strongest others up to the wanted share."""
    alive = torch.isin(mating.clusters.tags, own)
    for layer in mating.clusters.layers:
        ids = layer.clusters
        others = ids[~alive[ids]]
        missing = max(0, _count(len(ids), wanted) - int(alive[ids].sum()))
        alive[others[strength[mating.clusters.tags[others]].argsort(descending=True)][:missing]] = True
    return alive


def _count(of: int, wanted: float) -> int:
    return max(2, int(of * wanted + 1e-9))


def ancestor(data: Data, seed: int, folder: Path) -> float:
    spec = RunSpec(**BASE, seed=seed)
    _born(spec, ancestor_plan(), data, folder)
    record = read_record(folder, ANCESTOR)
    assert record is not None
    return float(record.validation_accuracy or 0.0)


def table(results: list[dict[str, Any]]) -> str:
    """The figures as Markdown: mean and standard deviation over seeds, in percent."""
    lines = ["| clusters left | arm | validation | test | parameters |", "|---|---|---|---|---|"]
    for result in results:
        runs = result["runs"]
        cells = []
        for part in ("validation", "test"):
            values = [100 * one[part] for one in runs]
            cells.append(f"{statistics.mean(values):.2f} ± {statistics.stdev(values) if len(values) > 1 else 0:.2f}")
        sizes = sorted({one["parameters"] for one in runs})
        span = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        lines.append(f"| {result['wanted']:.2%} | {result['arm']} | {cells[0]} | {cells[1]} | {span} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of Fashion-MNIST's idx files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "growth-back.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    found: dict[tuple[float, str], list[dict[str, float]]] = {(w, arm): [] for w in WANTED for arm in births(w)}
    ancestors = []
    for seed in range(options.seeds):
        data = load(Path(options.data), spec=RunSpec(**BASE, seed=seed))
        with tempfile.TemporaryDirectory() as folder:
            ancestors.append(ancestor(data, seed, Path(folder)))
            for wanted, arm in found:
                found[wanted, arm].append(run(data, seed, wanted, arm, Path(folder)))
                print(f"seed {seed}, {wanted:.2%}, {arm}: {found[wanted, arm][-1]}", flush=True)
    results = [{"wanted": wanted, "arm": arm, "runs": runs} for (wanted, arm), runs in found.items()]
    machine = {"cores": os.cpu_count(), "threads": 1, "python": platform.python_version(), "torch": torch.__version__}
    options.results.parent.mkdir(parents=True, exist_ok=True)
    everything = {
        "settings": BASE,
        "machine": machine,
        "seconds": round(time.perf_counter() - started, 1),
        "ancestors": ancestors,
        "results": results,
    }
    options.results.write_text(json.dumps(everything, indent=1) + "\n")
    print(f"ancestors: {ancestors}\n{table(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
