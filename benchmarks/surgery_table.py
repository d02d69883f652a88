"""The table of surgery cases, run by Eustress and by Torch-Pruning under the same check.

Both remove about half of the channels of each small network in `tests/evolution_core/surgery_cases`, three times
over. The check asks neither of them: every weight is a number of its own, so that what is left of a parameter tells
which synapses were removed; those are set to zero in the whole network, and both must then compute the same.

    python benchmarks/surgery_table.py        writes benchmarks/results/surgery_table.json and docs/surgery.md
"""

from __future__ import annotations

import copy
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evolution_core.genome import trace_clusters  # noqa: E402
from evolution_core.genome.trials import random_death  # noqa: E402
from evolution_core.spec import NetworkError  # noqa: E402
from evolution_core.synthesis import cut  # noqa: E402
from evolution_core.synthesis.proof import evaluating, lrn_bypassed  # noqa: E402
from tests.evolution_core.surgery_cases import CASES, Case  # noqa: E402

SEEDS = (0, 1, 2)
TOLERANCE = 1e-4
PATIENCE = 30  # seconds of processor time
ORDER = ("exact", "left whole", "crashes", "differs")  # from best to worst
Surgeon = Callable[[nn.Module, Case, int], nn.Module]


def network(case: Case) -> nn.Module:
    """The case's network, every one of its parameters a different number."""
    torch.manual_seed(0)
    model = case.make()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.rand(parameter.shape, generator=generator)
            parameter.add_(noise * 0.2 + 0.1 if parameter.ndim == 1 else noise * 0.01)
    values = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert values.unique().numel() == values.numel()
    return model.eval()


def eustress(model: nn.Module, case: Case, seed: int) -> nn.Module:
    clusters = trace_clusters(model, torch.zeros(1, *case.shape))
    alive = random_death(clusters, torch.Generator().manual_seed(seed), 0.5)
    return cut(model, clusters, alive)


def torch_pruning(model: nn.Module, case: Case, seed: int) -> nn.Module:
    """Its general pruner at a ratio of one half; it is told which layers give the outputs."""
    import torch_pruning as tp

    torch.manual_seed(seed)
    clusters = trace_clusters(model, torch.zeros(1, *case.shape))
    outputs = [
        model.get_submodule(layer.name)
        for layer in clusters.layers
        if layer.protected == "it is an output of the network" and layer.name in dict(model.named_modules())
    ]
    pruned = copy.deepcopy(model)
    ignored = [pruned.get_submodule(name) for name, part in model.named_modules() if any(part is x for x in outputs)]
    pruner = tp.pruner.BasePruner(
        pruned,
        torch.randn(2, *case.shape),
        importance=tp.importance.RandomImportance(),
        pruning_ratio=0.5,
        ignored_layers=ignored,
        output_transform=_sum,
    )
    pruner.step()
    return pruned


def _sum(outputs: Any) -> Tensor:
    return sum(part.sum() for part in _tensors(outputs))  # type: ignore[return-value]


def _tensors(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for part in parts for tensor in _tensors(part)]


def judged(model: nn.Module, surgeon: Surgeon, case: Case, seed: int) -> dict[str, Any]:
    """One operation: its verdict, the share of parameters that it removed, and the difference in outputs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _patience():
                smaller = surgeon(copy.deepcopy(model), case, seed).eval()
        before = sum(parameter.numel() for parameter in model.parameters())
        removed = 1 - sum(parameter.numel() for parameter in smaller.parameters()) / before
        images = torch.randn(4, *case.shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad(), evaluating(smaller), lrn_bypassed(smaller):
            got = _tensors(smaller(images))
    except Exception as error:
        text = str(error).splitlines()[0][:120] if str(error) else ""
        name = "refused" if isinstance(error, NetworkError) else type(error).__name__
        return {"verdict": "crashes", "removed": 0.0, "detail": f"{name}: {text}"}
    whole = _with_zeros(model, smaller)
    with torch.no_grad(), evaluating(whole), lrn_bypassed(whole):
        wanted = _tensors(whole(images))
    if removed == 0:
        return {"verdict": "left whole", "removed": 0.0, "detail": ""}
    same_shapes = [part.shape for part in got] == [part.shape for part in wanted]
    scale = max(float(part.abs().max()) for part in wanted)
    difference = max(float((g - w).abs().max()) for g, w in zip(got, wanted, strict=True)) if same_shapes else None
    exact = difference is not None and difference <= TOLERANCE * max(scale, 1e-6)
    detail = "" if exact else f"outputs differ by {difference:.3g} of {scale:.3g}" if same_shapes else "other shape"
    return {"verdict": "exact" if exact else "differs", "removed": round(removed, 4), "detail": detail}


@contextmanager
def _patience() -> Iterator[None]:
    """TimeoutError after PATIENCE seconds of work: a surgeon that never ends has failed too."""

    def give_up(number: int, frame: Any) -> None:
        raise TimeoutError(f"no result after {PATIENCE} s of work")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _with_zeros(model: nn.Module, smaller: nn.Module) -> nn.Module:
    """The whole network with every synapse at zero that the smaller one no longer has."""
    left = torch.cat([parameter.detach().flatten() for parameter in smaller.parameters()])
    whole = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.mul_(torch.isin(parameter, left))
    return whole


def run() -> dict[str, Any]:
    table = []
    for case in CASES.values():
        what = " ".join((case.make.__doc__ or "").split()).rstrip(".")
        row: dict[str, Any] = {"case": case.name, "what": what, "mixes": case.mixes}
        for name, surgeon in (("eustress", eustress), ("torch-pruning", torch_pruning)):
            results = [judged(network(case), surgeon, case, seed) for seed in SEEDS]
            worst = max(results, key=lambda result: ORDER.index(result["verdict"]))
            row[name] = {**worst, "removed": round(max(result["removed"] for result in results), 4)}
        table.append(row)
        print(f"{case.name:32} {row['eustress']['verdict']:12} {row['torch-pruning']['verdict']}")
    versions = {name: version(name) for name in ("torch", "torch-pruning")}
    return {"versions": versions, "seeds": list(SEEDS), "tolerance": TOLERANCE, "cases": table}


def markdown(results: dict[str, Any]) -> str:
    """The page for docs/."""
    names = ("eustress", "torch-pruning")
    counts = {
        name: {verdict: sum(row[name]["verdict"] == verdict for row in results["cases"]) for verdict in ORDER}
        for name in names
    }
    lines = [
        "# Surgery, case by case",
        "",
        "Cutting channels out of a network is where pruning tools fail: they crash on shapes that they do not know, or",
        "give a network that computes something else. This table holds one small network for each way that channels",
        "flow. Eustress and [Torch-Pruning](https://github.com/VainF/Torch-Pruning) each remove about half of the",
        "channels, three times over, and the same check judges both: the whole network, with exactly those synapses at",
        "zero that were removed, must give the same outputs (within 1e-4 of the largest; local response normalisation",
        "bypassed). Random weights, no training: this is about structure, not accuracy.",
        "",
        "*exact*: smaller and the same. *left whole*: nothing was removed. *crashes*: an exception while cutting or in",
        "the first forward pass after it, or no end within 30 s of work. *differs*: no error, other outputs. The worst",
        "of three runs is shown.",
        "A * marks networks in which an operation mixes all channels by nature (layer normalisation, softmax over",
        "channels). No cut before it can be exact: Eustress leaves those channels whole and cuts elsewhere; a tool",
        "that cuts them differs by choice, and may count on training to mend it. Torch-Pruning ran as its",
        "documentation starts, told only which layers give the outputs; for some of these networks it offers settings",
        "by hand (heads of attention, dimensions of loose parameters), which were not used.",
        "",
        "| | " + " | ".join(ORDER) + " |",
        "|---|" + "---|" * len(ORDER),
    ]
    labels = {
        "eustress": "Eustress",
        "torch-pruning": f"Torch-Pruning {results['versions']['torch-pruning']}",
    }
    for name in names:
        lines.append(f"| {labels[name]} | " + " | ".join(str(counts[name][verdict]) for verdict in ORDER) + " |")
    lines += [
        "",
        f"torch {results['versions']['torch']}; `removed` is the share of parameters.",
        "",
        f"| case | what flows | {labels['eustress']} | removed | {labels['torch-pruning']} | removed |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["cases"]:
        cells = [row["case"] + (" *" if row["mixes"] else ""), row["what"]]
        for name in names:
            verdict = row[name]["verdict"]
            cells += [f"**{verdict}**" if verdict in ORDER[2:] else verdict, f"{100 * row[name]['removed']:.0f} %"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Made by `python benchmarks/surgery_table.py`; details of every failure are in",
        "`benchmarks/results/surgery_table.json`, the networks in `tests/evolution_core/surgery_cases`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)
    found = run()
    (ROOT / "benchmarks" / "results" / "surgery_table.json").write_text(json.dumps(found, indent=1) + "\n")
    (ROOT / "docs" / "surgery.md").write_text(markdown(found))


if __name__ == "__main__":
    main()
