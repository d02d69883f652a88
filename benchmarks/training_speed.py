"""Claim: our training loop is faster than a plain DataLoader loop over the same network, batches and optimizer.

    python -m benchmarks.training_speed [--architecture lenet5] [--rounds 7] [--threads 1]

The plain loop is what a tutorial shows, at its best: a TensorDataset of images normalised beforehand, a shuffling
DataLoader without worker processes (for tensors in memory they only cost), torch's default AdamW, the loss read at
each step. Ours starts from uint8 images and normalises each batch, and is run in mixed bfloat16 too. All train in
turns on the same machine, each round the same number of steps; the ratio is of the two times of one round, and its
median over rounds is printed. The first round only warms up. Writes
benchmarks/results/training-speed-ARCHITECTURE-threads.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from evolution_core.architectures import build
from evolution_core.data import Data, Split
from evolution_core.data import statistics as pixel_statistics
from evolution_core.spec import RunSpec, catalogue
from evolution_core.tasks import pixels, task_for
from evolution_core.training import train

RESULTS = Path(__file__).parent / "results"
OURS: dict[str, dict[str, str]] = {
    "adamw": {"optimizer": "adamw"},
    "muon": {"optimizer": "muon"},
    "adamw, bfloat16": {"optimizer": "adamw", "precision": "bfloat16"},
    "muon, bfloat16": {"optimizer": "muon", "precision": "bfloat16"},
}


def noise(shape: tuple[int, int, int], count: int, classes: int = 10) -> Data:
    """Images of noise: speed does not depend on what they show."""
    luck = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=luck)
    part = Split(images, torch.randint(0, classes, (count,), generator=luck))
    mean, std = pixel_statistics(images)
    names = tuple(str(number) for number in range(classes))
    return Data("classification", names, shape, part, part, part, mean, std, "noise")


def ours(data: Data, spec: RunSpec, epochs: float) -> Callable[[], None]:
    model = build(spec.architecture, len(data.classes), data.shape)

    def work() -> None:
        for _ in train(model, task_for("classification"), data, spec, epochs=epochs, phase="ancestor", seed=0):
            pass

    return work


def plain(data: Data, spec: RunSpec, steps: int) -> Callable[[], None]:
    model = build(spec.architecture, len(data.classes), data.shape)
    images = pixels.normalise(data.train.images, data.mean, data.std)
    loader = DataLoader(TensorDataset(images, data.train.targets), batch_size=spec.batch_size, shuffle=True)

    def work() -> None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        model.train()
        done, total = 0, 0.0
        while done < steps:
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(inputs), targets)
                loss.backward()
                optimizer.step()
                total += loss.item()
                done += 1
                if done == steps:
                    return

    return work


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(architecture: str, *, steps: int, batch_size: int, rounds: int) -> dict:
    shape = catalogue.ARCHITECTURES[architecture].reference_input
    data = noise(shape, steps * batch_size)
    arms: dict[str, Callable[[], None]] = {"plain": None}  # type: ignore[dict-item]
    for name, fields in OURS.items():
        spec = RunSpec(architecture=architecture, batch_size=batch_size, **fields)
        arms[name] = ours(data, spec, epochs=1.0)
    arms["plain"] = plain(data, spec, steps)
    times: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(rounds + 1):
        for name, work in arms.items():
            taken = seconds(work)
            if turn:
                times[name].append(taken)
    images = steps * batch_size
    rates = {name: images / statistics.median(taken) for name, taken in times.items()}
    ratios = {name: [base / own for base, own in zip(times["plain"], times[name], strict=True)] for name in OURS}
    return {"times": times, "images_per_second": rates, "ratios": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="lenet5", choices=sorted(catalogue.ARCHITECTURES))
    parser.add_argument("--steps", type=int, default=40, help="of one arm in one round; at least 20")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = compare(
        options.architecture, steps=max(20, options.steps), batch_size=options.batch_size, rounds=options.rounds
    )
    print(f"{options.architecture}, batches of {options.batch_size}, {options.threads} thread(s)")
    print(f"{'plain loop, AdamW':24} {found['images_per_second']['plain']:8.0f} images/s")
    for name, ratios in found["ratios"].items():
        rate = found["images_per_second"][name]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{'ours, ' + name:24} {rate:8.0f} images/s   {statistics.median(ratios):.2f} x ({spread})")
    RESULTS.mkdir(exist_ok=True)
    about = {**vars(options), "torch": torch.__version__, "processor": platform.processor() or platform.machine()}
    path = RESULTS / f"training-speed-{options.architecture}-{options.threads}.json"
    path.write_text(json.dumps({"about": about, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
