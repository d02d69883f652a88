"""Which weights are moved how: parameter groups, learning rates, and an optimizer's state as plain tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..spec import RunSpec
from .muon import Muon
from .precision import products

# Peak learning rates that neither stall nor diverge on LeNet-5 and AlexNet (benchmarks/learning_rates.py).
RATES = {"muon": 0.02, "adamw": 2e-3, "sgd": 0.05}
ADAMW_BESIDE_MUON = 0.1  # AdamW's rate as a share of Muon's
MUON_FILTERS = 512  # the smaller side of a filter matrix up to which orthogonalising costs less than the convolution
MUON_MATRIX = 128  # the same for a full layer's weights, which are used once an image and not at every position
CLIP = 5.0  # largest norm of the gradients of all parameters together


@dataclass(frozen=True)
class _Weights:
    """How one parameter is to be moved."""

    name: str
    parameter: nn.Parameter
    decays: bool
    groups: int = 0  # matrices that Muon sees; 0: not Muon's


def classify(model: nn.Module, *, muon: bool) -> list[_Weights]:
    """Every trainable parameter once, with its part: weights decay, biases and normalisations do not; Muon takes
    filters and small matrices, but not depthwise filters (each is a vector) nor large matrices (too slow)."""
    found: list[_Weights] = []
    seen: set[int] = set()
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            groups = _muon_groups(module, parameter) if muon and name == "weight" else 0
            found.append(_Weights(f"{prefix}.{name}" if prefix else name, parameter, parameter.ndim > 1, groups))
    return found


def _muon_groups(module: nn.Module, weight: Tensor) -> int:
    if isinstance(module, nn.Linear):
        return 1 if min(weight.shape) <= MUON_MATRIX else 0
    if isinstance(module, nn.Conv2d) and (module.groups == 1 or weight.shape[1] > 1):
        matrix = weight.shape[0] // module.groups, weight[0].numel()
        return module.groups if min(matrix) <= MUON_FILTERS else 0
    return 0


class Optimizer:
    """One or two torch optimizers behind one step, with one learning rate between them.

    The state can be taken out and put back by parameter *name*, as tensors and plain numbers, for a checkpoint
    without pickle. After a cut the parameters are new objects: make a new optimizer.
    """

    def __init__(self, model: nn.Module, spec: RunSpec) -> None:
        weights = classify(model, muon=spec.optimizer == "muon")
        self._names = {id(each.parameter): each.name for each in weights}
        self.parameters = [each.parameter for each in weights]
        self.peak = spec.learning_rate if spec.learning_rate is not None else RATES[spec.optimizer]
        self._parts: list[tuple[torch.optim.Optimizer, float]] = []  # with its peak rate
        muon = [each for each in weights if each.groups]
        rest = [each for each in weights if not each.groups]
        if muon:
            groups = [
                {"params": [w.parameter for w in muon if w.groups == count], "groups": count}
                for count in sorted({w.groups for w in muon})
            ]
            self._parts.append((Muon(groups, self.peak, spec.weight_decay, dtype=products(spec)), self.peak))
        if rest:
            self._parts.append(self._plain(rest, spec))

    def _plain(self, weights: list[_Weights], spec: RunSpec) -> tuple[torch.optim.Optimizer, float]:
        peak = self.peak * (ADAMW_BESIDE_MUON if spec.optimizer == "muon" else 1.0)
        groups = [
            {"params": chosen, "weight_decay": spec.weight_decay if decays else 0.0}
            for decays in (True, False)
            if (chosen := [w.parameter for w in weights if w.decays is decays])
        ]
        if spec.optimizer == "sgd":
            return torch.optim.SGD(groups, lr=peak, momentum=0.9, nesterov=True, fused=True), peak
        return torch.optim.AdamW(groups, lr=peak, fused=True), peak

    def step(self, share: float) -> float:
        """Clip, step at `share` of the peak rate and drop the gradients. Returns the gradients' norm before
        clipping, which is no finite number when training has gone astray (then nothing was moved)."""
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, CLIP))
        if norm == norm and norm != float("inf"):
            for optimizer, peak in self._parts:
                for group in optimizer.param_groups:
                    group["lr"] = peak * share
                optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        return norm

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Tensors and numbers by "part.parameter's name.entry"."""
        tensors: dict[str, Tensor] = {}
        numbers: dict[str, float] = {}
        for index, (optimizer, _) in enumerate(self._parts):
            for parameter, entries in optimizer.state.items():
                for entry, value in entries.items():
                    key = f"{index}.{self._names[id(parameter)]}.{entry}"
                    if isinstance(value, Tensor):
                        tensors[key] = value
                    elif value is not None:
                        numbers[key] = value
        return tensors, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, float]) -> None:
        """Put a state back. Tensors are copied, so that their memory is aligned as torch's own is and later sums
        come out in the same order. Raises ValueError when a tensor does not fit its parameter."""
        parts = [optimizer for optimizer, _ in self._parts]
        parameters = {self._names[id(parameter)]: parameter for parameter in self.parameters}
        for source in (tensors, numbers):
            for key, value in source.items():
                index, rest = key.split(".", 1)
                name, entry = rest.rsplit(".", 1)
                if not index.isdigit() or int(index) >= len(parts) or name not in parameters:
                    raise ValueError(f"no parameter belongs to the optimizer state {key!r}")
                parameter = parameters[name]
                if isinstance(value, Tensor):
                    if value.ndim and value.shape != parameter.shape:
                        raise ValueError(f"the optimizer state {key!r} does not fit its parameter")
                    like = parameter.detach() if value.ndim else value
                    value = torch.empty_like(like, dtype=value.dtype).copy_(value)
                parts[int(index)].state[parameter][entry] = value
