"""The peer: Torch-Pruning cuts, our loop trains. Same ancestor, same sizes, same epochs, same order of images."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evolution_core.data import Data
from evolution_core.evolution import describe
from evolution_core.genome import load_network, trace_clusters
from evolution_core.life import images
from evolution_core.life.measuring import network_path
from evolution_core.life.offspring import epochs_of
from evolution_core.measurement.counts import count_parameters
from evolution_core.records import ANCESTOR
from evolution_core.seeds import derive
from evolution_core.spec import EustressError, RunSpec
from evolution_core.tasks import task_for

from . import results
from .ancestors import ancestor_spec, trained
from .declared import Arm, Claim, epochs_in_all, size_of, told_size
from .growing import grow, recorded
from .places import WORK, data_for

HALVINGS = 20  # of the interval of ratios that is searched


def importance(name: str) -> Any:
    """magnitude (L2), group-norm (DepGraph's, normalised by the layer's largest) or taylor, as the library has them."""
    import torch_pruning as tp

    kinds = {
        "magnitude": lambda: tp.importance.MagnitudeImportance(p=2),
        "group-norm": lambda: tp.importance.GroupMagnitudeImportance(p=2, normalizer="max"),
        "taylor": lambda: tp.importance.TaylorImportance(),
    }
    return kinds[name]()


def cut_to(model: nn.Module, data: Data, spec: RunSpec, told: dict[str, Any], options: dict[str, Any]) -> nn.Module:
    """The smallest network with no fewer parameters than ours (`told`; multiply-adds, where these are the resource)
    that the pruner leaves: the peer is never given less than we take. options: `importance`; `share` is "uniform"
    (every layer alike), "global" (the weakest of all) or "ours" (the widths that our network has)."""
    size = told_size(told, spec)
    if options["share"] == "ours":
        same = _pruned(model, data, spec, told["clusters"], options)
        if same is None or size_of(same, data.shape, spec) != size:
            raise EustressError("Torch-Pruning cannot cut this network to our widths")
        return same
    low, high, best = 0.0, 1.0, copy.deepcopy(model)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried = _pruned(model, data, spec, middle, options)
        if tried is not None and size_of(tried, data.shape, spec) >= size:
            low = middle
            if size_of(tried, data.shape, spec) <= size_of(best, data.shape, spec):
                best = tried
        else:
            high = middle
    return best


def _pruned(
    model: nn.Module, data: Data, spec: RunSpec, wanted: float | dict[str, int], options: dict[str, Any]
) -> nn.Module | None:
    """`wanted` is a ratio, or each layer's clusters. None where it leaves a network that cannot run."""
    import torch_pruning as tp

    smaller = copy.deepcopy(model)
    for parameter in smaller.parameters():
        parameter.requires_grad_(True)
    heads = list(output_layers(smaller, data.shape))
    ratios = _ratios(smaller, wanted) if isinstance(wanted, dict) else {}
    pruner = tp.pruner.BasePruner(
        smaller,
        torch.zeros(2, *data.shape),
        importance=importance(options["importance"]),
        pruning_ratio=0.0 if isinstance(wanted, dict) else wanted,
        pruning_ratio_dict=ratios,
        max_pruning_ratio=0.99,
        global_pruning=options["share"] == "global",
        ignored_layers=heads,
    )
    if options["importance"] == "taylor":
        _accumulate(smaller, data, spec)
    try:
        pruner.step()
        smaller.zero_grad(set_to_none=True)
        with torch.no_grad():
            smaller.eval()(torch.zeros(2, *data.shape))
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return smaller


def _ratios(model: nn.Module, counts: dict[str, int]) -> dict[nn.Module, float]:
    """Ratios that leave each layer so many channels; a quarter more, because the library rounds down."""
    named = dict(model.named_modules())
    return {
        named[name]: 1 - (count + 0.25) / named[name].weight.shape[0] for name, count in counts.items() if name in named
    }


def output_layers(model: nn.Module, shape: tuple[int, int, int]) -> Iterator[nn.Module]:
    """The layers that give the network's outputs, which no pruner may touch; read from our own trace."""
    names = dict(model.named_modules())
    for layer in trace_clusters(model, torch.zeros(2, *shape)).layers:
        if layer.protected and layer.name in names:
            yield names[layer.name]


def _accumulate(model: nn.Module, data: Data, spec: RunSpec) -> None:
    """Gradients over the very images that our own Taylor strength is measured on."""
    task = task_for(data.task)
    few = images.sample(data, spec.repair_images, spec.seed, "taylor")
    model.eval()
    for batch, targets in images.batches(few, data, task):
        loss: Tensor = task.loss(model(batch), targets, model)
        loss.backward()  # type: ignore[no-untyped-call]


def pruned(
    claim: Claim, arm: Arm, spec: RunSpec, folder: Path, tell: Any, *, reference: Any = None, work: Path = WORK
) -> dict[str, Any]:
    """As many rounds as the arm has generations, each to that generation's size; all of a round's epochs are growth.
    A round sees the images in the order that our own network of its place saw in growth."""
    data = data_for(claim.data, spec)
    task = task_for(data.task)
    ancestor, first = trained(ancestor_spec(spec), data, work)
    model: nn.Module = load_network(network_path(first, ANCESTOR)).model
    rounds = []
    for told in reference["generations"]:
        model = cut_to(model, data, spec, told, arm.options)
        shock = task.evaluate(model, data.validation, data)[task.metric]
        epochs = epochs_of(spec, told["generation"]).whole
        seed = derive(spec.seed, "life", told["id"])
        kept = folder / f"{told['id']}.checkpoint.safetensors"
        growth = grow(model, data, spec, epochs=epochs, seed=seed, checkpoint=kept)
        rounds.append(
            {
                "id": told["id"],
                "generation": told["generation"],
                "parameters": count_parameters(model),
                "shock": shock,
                "validation": growth.validation,
                "epochs": {"gestation": 0.0, "growth": epochs},
                "history": growth.history,
                "seconds": {"growth": growth.seconds},
            }
        )
        tell(f"round {told['generation']}: {rounds[-1]['parameters']:,} parameters, {growth.validation}")
    record = recorded(model, data, growth)
    trained_for = sum(part["seconds"]["growth"] for part in rounds) + sum(ancestor.seconds.values())
    return {
        "about_data": describe(data),
        "epochs": epochs_in_all(spec),
        "seconds": round(trained_for, 1),
        "metric": record.metric,
        "ancestor": results.network(ancestor, ancestor),
        "generations": rounds,
        "networks": [],
        "chosen": results.network(record, ancestor) | {"layers": record.layers},
    }
