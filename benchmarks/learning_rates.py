"""Peak learning rates, tried: which of them learn, and which diverge, on data sets and base networks that differ.

    python -m benchmarks.learning_rates --data DIRECTORY --architecture lenet5 --limit 5000 --epochs 1

Prints validation accuracy for each optimizer and rate (the mean over seeds) and writes
benchmarks/results/learning-rates-NAME.json. The defaults in evolution_core/training/optimizers.py were chosen from it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from evolution_core.architectures import build
from evolution_core.data import Data, load
from evolution_core.spec import EustressError, RunSpec
from evolution_core.tasks import task_for
from evolution_core.training import train

RESULTS = Path(__file__).parent / "results"
RATES = {
    "muon": (0.003, 0.01, 0.02, 0.04, 0.1),
    "adamw": (3e-4, 1e-3, 2e-3, 5e-3, 1e-2),
    "sgd": (0.01, 0.03, 0.05, 0.1, 0.3),
}


def accuracy(data: Data, spec: RunSpec, epochs: float) -> float | None:
    """Validation accuracy of a newborn network after `epochs`; None when it went astray."""
    task = task_for("classification")
    model = build(spec.architecture, task.outputs(len(data.classes)), data.shape, spec.width, spec.seed)
    try:
        for _ in train(model, task, data, spec, epochs=epochs, phase="ancestor", seed=spec.seed):
            pass
    except EustressError:
        return None
    return task.evaluate(model, data.validation, data)["accuracy"]


def sweep(
    data: Data, spec: RunSpec, epochs: float, seeds: int, optimizers: list[str], rates: list[float]
) -> Iterator[dict]:
    for optimizer in optimizers:
        for rate in rates or RATES[optimizer]:
            started = time.perf_counter()
            chosen = [spec.replace(optimizer=optimizer, learning_rate=rate, seed=seed) for seed in range(seeds)]
            reached = [accuracy(data, each, epochs) for each in chosen]
            learnt = [each for each in reached if each is not None]
            mean = statistics.mean(learnt) if learnt else None
            shown = "astray" if mean is None else f"{100 * mean:.2f} %"
            print(f"{optimizer:6} {rate:<7g} {shown:>9}  {time.perf_counter() - started:.0f} s", flush=True)
            yield {"optimizer": optimizer, "rate": rate, "accuracies": reached, "mean": mean}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", help="of the result file; default: the data's and the network's names")
    parser.add_argument("--architecture", default="lenet5")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--optimizers", default=",".join(RATES))
    parser.add_argument("--cache", type=Path, help="folder for decoded images, so that a second run starts at once")
    parser.add_argument("--rates", default="", help="joined by commas; default: five for each optimizer")
    parser.add_argument("--validation-share", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    spec = RunSpec(
        architecture=options.architecture,
        width=options.width,
        limit=options.limit,
        batch_size=options.batch_size,
        validation_share=options.validation_share,
    )
    data = load(options.data, spec=spec, cache=options.cache)
    rates = [float(rate) for rate in options.rates.split(",") if rate]
    name = options.name or f"{options.data.stem}-{options.architecture}"
    RESULTS.mkdir(exist_ok=True)
    about = {
        key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items() if key != "cache"
    }
    about["data"] = options.data.name
    result = {"about": about, "images": len(data.train), "torch": torch.__version__, "rows": []}
    for row in sweep(data, spec, options.epochs, options.seeds, options.optimizers.split(","), rates):
        result["rows"].append(row)
        (RESULTS / f"learning-rates-{name}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
