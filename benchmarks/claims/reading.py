"""What the report reads out of results: figures by seed, in percent and percentage points."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from . import results
from .comparing import Difference, geometric, paired
from .declared import Arm, Claim

LARGER = 1.05  # widths come in steps, so that a control may not have just the size; beyond that it is told
NEAR = 0.5  # points below its parent, within which a generation has come back


@dataclass(frozen=True)
class Measured:
    """A claim with the results that there are."""

    claim: Claim
    folder: Path

    @cached_property
    def by_arm(self) -> dict[str, dict[int, dict[str, Any]]]:
        return {arm.name: results.measured(self.claim, arm, self.folder) for arm in self.claim.arms}

    def arms(self, group: str | None = None) -> Iterator[Arm]:
        """Those with a result."""
        for arm in self.claim.arms:
            if self.by_arm[arm.name] and (group is None or arm.group == group):
                yield arm

    @property
    def rival(self) -> str:
        """Our arm that learns as the peers do, from labels alone: the headline's, unless that has a teacher."""
        return "unled" if self.claim.base.get("distillation") else "evolved"

    def runs(self, arm: str) -> dict[int, dict[str, Any]]:
        return self.by_arm.get(arm, {})

    def told(self, arm: str, key: str) -> dict[int, Any]:
        """seed -> what is told of the arm's final network under `key`."""
        found = {seed: run["chosen"].get(key) for seed, run in self.runs(arm).items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def chosen(self, arm: str, key: str, scale: float = 1.0) -> dict[int, float]:
        """seed -> a figure of the arm's final network."""
        return {seed: scale * value for seed, value in self.told(arm, key).items()}

    def test(self, arm: str) -> dict[int, float]:
        """seed -> test accuracy in percent."""
        return self.chosen(arm, "test", 100.0)

    def against(self, ours: str, theirs: str) -> Difference | None:
        """Test accuracy, in points, paired by seed."""
        return paired(self.test(ours), self.test(theirs))

    def larger(self, arm: str, than: str) -> str:
        """How much more of what the claim counts an arm has, where it is told: ", of 1.33x the multiply-adds"."""
        key, said = ("macs", "multiply-adds") if self.claim.base.get("resource") == "macs" else ("parameters",) * 2
        own, other = self.chosen(arm, key), self.chosen(than, key)
        ratios = [own[seed] / other[seed] for seed in sorted(set(own) & set(other))]
        return f", of {geometric(ratios):.2f}x the {said}" if ratios and geometric(ratios) > LARGER else ""

    def against_ancestor(self, arm: str) -> Difference | None:
        """Test accuracy minus the ancestor's own, in points, by seed."""
        return paired(self.test(arm), self.ancestor_test(arm))

    def ancestor_test(self, arm: str) -> dict[int, float]:
        """seed -> test accuracy of the arm's ancestor, in percent."""
        return {seed: 100.0 * run["ancestor"]["test"] for seed, run in self.runs(arm).items()}

    def generation(self, arm: str, number: int, key: str) -> dict[int, float]:
        """seed -> a share of generation `number` (from 1), in percent."""
        return {
            seed: 100.0 * run["generations"][number - 1][key]
            for seed, run in self.runs(arm).items()
            if len(run["generations"]) >= number
        }

    def generations(self, arm: str) -> int:
        return max((len(run["generations"]) for run in self.runs(arm).values()), default=0)

    def recovery(self, arm: str, number: int) -> list[float | None]:
        """Epochs of growth that generation `number` needed to come back within NEAR of its parent, one for each seed;
        None where it never did. Points of the learning curve are whole epochs."""
        return [_recovery(run, number) for run in self.runs(arm).values() if len(run["generations"]) >= number]

    def slowest(self, arm: str) -> tuple[str, float] | None:
        """(layer, share of the time of one image) of what takes most in the arm's networks, the mean over seeds; None
        where it was not measured."""
        runs = list(self.told(arm, "time_shares").values())
        layers = dict.fromkeys(layer for shares in runs for layer in shares)
        means = {layer: statistics.mean(shares.get(layer, 0.0) for shares in runs) for layer in layers}
        return max(means.items(), key=lambda one: one[1]) if means else None

    def has_curves(self, arm: str) -> bool:
        """Whether its results hold learning curves: older ones do not."""
        return all("history" in one for run in self.runs(arm).values() for one in run["generations"])

    def commands(self, arms: str) -> str:
        return f"python -m benchmarks.claims run {self.claim.name} --arms {arms}"


def _recovery(run: dict[str, Any], number: int) -> float | None:
    own = run["generations"][number - 1]
    parent = run["ancestor"] if number == 1 else run["generations"][number - 2]
    enough = parent["validation"] - NEAR / 100 - 1e-9
    if own["shock"] >= enough:
        return 0.0
    for point in own["history"]:
        if point["phase"] == "growth" and point[run["metric"]] >= enough:
            return point["epoch"]
    return own["epochs"]["growth"] if own["validation"] >= enough else None
