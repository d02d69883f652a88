"""Labels and what is known about them: which are one, which must stay, which parameters they own.

A label is a number standing for one channel as it flows through the network. Label 0 stands for everything
that can never be cut (inputs, results of unknown operations).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

FIXED = 0


@dataclass
class Ledger:
    """Union-find over labels, vectorised over tensors of them; and everything recorded about labels.

    owners: canonical parameter name -> axis -> labels along it: [n], or [groups, n] for the grouped axis of a
    convolution, whose meaning depends on the group. constraints: grids [groups, n] whose rows keep equal numbers.
    """

    owners: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    constraints: list[Tensor] = field(default_factory=list)
    producers: dict[str, Tensor] = field(default_factory=dict)  # layer name -> labels it made, in forward order
    reasons: dict[int, str] = field(default_factory=dict)  # protected label -> why
    _parents: list[int] = field(default_factory=lambda: [FIXED])
    _roots: Tensor | None = None

    def fresh(self, count: int) -> Tensor:
        """[count] new labels."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        self._roots = None
        return torch.arange(start, start + count)

    def __len__(self) -> int:
        """How many labels there are, label 0 included."""
        return len(self._parents)

    def _find(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    def unite(self, first: Tensor, second: Tensor) -> None:
        """Make labels that meet one. Tensors of the same shape. What meets label 0 is protected."""
        first, second = collapse(first, second)
        different = first != second
        if not bool(different.any()):
            return
        pairs = torch.unique(torch.stack([first[different], second[different]]), dim=1)
        for one, other in pairs.t().tolist():
            if FIXED in (one, other):
                self.reasons.setdefault(max(one, other), "it meets values that cannot be cut")
                continue
            one, other = self._find(one), self._find(other)
            if one != other:
                self._parents[max(one, other)] = min(one, other)
                self._roots = None

    def protect(self, labels: Tensor, reason: str) -> None:
        """These labels can never be cut; the first reason is kept."""
        for label in torch.unique(collapse(labels)[0]).tolist():
            if label != FIXED:
                self.reasons.setdefault(label, reason)

    def resolve(self, labels: Tensor) -> Tensor:
        """Each label replaced by the one that stands for its class; expanded dimensions stay expanded."""
        if self._roots is None:
            roots = np.asarray(self._parents)
            while not np.array_equal(roots, roots[roots]):
                roots = roots[roots]
            self._roots = torch.from_numpy(roots.copy())
        small = collapse(labels)[0]
        return self._roots[small].expand(labels.shape)

    def along(self, labels: Tensor, dim: int) -> Tensor:
        """[labels.shape[dim]] labels along one dimension, after uniting whatever differs along the others."""
        dim %= labels.ndim
        base = labels
        for other in range(labels.ndim):
            if other != dim:
                base = base.narrow(other, 0, 1)
        self.unite(labels, base.expand_as(labels))
        return base.flatten()

    def over(self, labels: Tensor, dims: tuple[int, ...]) -> Tensor:
        """The labels with size 1 in `dims`, after uniting whatever differs along them."""
        base = labels
        for dim in dims:
            base = base.narrow(dim, 0, 1)
        self.unite(labels, base.expand_as(labels))
        return base

    def varying(self, labels: Tensor) -> tuple[int, ...]:
        """The dimensions along which labels differ."""
        small = collapse(self.resolve(labels))[0]
        return tuple(
            d for d in range(small.ndim) if small.shape[d] > 1 and bool((small != small.narrow(d, 0, 1)).any())
        )

    def own(self, parameter: str, axis: int, labels: Tensor) -> Tensor:
        """Record labels against a parameter's axis; a second use of the same parameter unites them. Returns them."""
        axes = self.owners.setdefault(parameter, {})
        if axis in axes and axes[axis].shape == labels.shape:
            self.unite(axes[axis], labels)
        elif axis in axes:
            self.protect(axes[axis], "one parameter is used in two ways")
            self.protect(labels, "one parameter is used in two ways")
            axes[axis] = torch.full_like(axes[axis], FIXED)
        else:
            axes[axis] = labels
        return axes[axis]

    def constrain(self, grid: Tensor) -> None:
        """The rows of `grid` [groups, n] must keep equal numbers of labels."""
        if grid.shape[0] > 1:
            self.constraints.append(grid)


def collapse(*labels: Tensor) -> tuple[Tensor, ...]:
    """Views of equal-shaped tensors without the dimensions along which all of them are merely expanded."""
    for dim in range(labels[0].ndim):
        if labels[0].shape[dim] > 1 and all(part.stride(dim) == 0 for part in labels):
            labels = tuple(part.narrow(dim, 0, 1) for part in labels)
    return labels
