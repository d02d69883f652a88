"""Environmental factors: every one of the catalogue is bound, and each gives the share that it says."""

from __future__ import annotations

import pytest

from evolution_core.environment import ENVIRONMENTS, Factor, environment, share
from evolution_core.spec import RunSpec, catalogue


def test_every_factor_of_the_catalogue_is_bound_and_nothing_else() -> None:
    assert set(ENVIRONMENTS) == set(catalogue.ENVIRONMENTS)
    with pytest.raises(ValueError, match="bound already"):
        environment("constant")(ENVIRONMENTS["constant"])
    with pytest.raises(ValueError, match="not in the catalogue"):
        environment("weather")(ENVIRONMENTS["constant"])


def test_factors() -> None:
    assert share(RunSpec(environment=0.7), 3) == Factor(0.7)
    assert [share(RunSpec(environment="0.9,0.5"), g).share for g in (1, 2, 3)] == [0.9, 0.5, 0.5]
    layered = RunSpec(environment={"name": "per-layer", "parameters": {"factor": 0.8}, "layers": {"fc1": 0.2}})
    assert share(layered, 1) == Factor(0.8, layers={"fc1": 0.2})


def test_a_target_goes_by_equal_ratios() -> None:
    spec = RunSpec(environment="16x", generations=4)
    factors = [share(spec, generation) for generation in (1, 2, 3, 4, 5)]
    assert all(factor.of_ancestor for factor in factors)
    assert [factor.share for factor in factors] == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16])


def test_a_target_may_be_reached_before_the_end() -> None:
    spec = RunSpec(environment="16x@2", generations=4)
    assert [share(spec, generation).share for generation in (1, 2, 3, 4)] == pytest.approx([1 / 4, *[1 / 16] * 3])


def test_the_ancestor_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        share(RunSpec(), 0)
