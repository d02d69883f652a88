"""Who survives, who is born next, which network is chosen, and the figures that fronts are judged by."""

from __future__ import annotations

import itertools
import math
import sys

import numpy as np
import pytest

from evolution_core.records import NetworkRecord, Plan
from evolution_core.selection import (
    choose,
    contributions,
    crowding,
    front,
    hypervolume,
    hypervolumes,
    is_on_front,
    is_within_drop,
    netscore,
    next_plans,
    plan_generation,
    ranks,
    survivors,
)
from evolution_core.spec import RunSpec


def record(name: str, accuracy: float, parameters: int, parents: tuple[str, ...] = (), **more) -> NetworkRecord:
    generation = 0 if name == "ancestor" else int(name.split("-")[0])
    values = {
        "macs": parameters * 10,
        "bytes": parameters * 4,
        "latency_ms": parameters / 1000,
        "ancestor_latency_ms": 1.0,
        "chance": 0.1,
        "living_synapses": parameters,
    }
    return NetworkRecord(
        name,
        generation,
        parents or (() if generation == 0 else ("ancestor",)),
        validation_accuracy=accuracy,
        parameters=parameters,
        **{**values, **more},
    )


ANCESTOR = record("ancestor", 0.90, 1000)


# --- NetScore, drop ------------------------------------------------------------------


def test_netscore_in_the_published_units():
    assert netscore(0.571, 60_965_224, 724_407_000) == pytest.approx(53.815, abs=5e-4)


def test_netscore_of_a_network_that_is_never_right_is_the_worst():
    assert netscore(0.0, 10, 10) == -math.inf


@pytest.mark.parametrize(
    ("accuracy", "within"), [(0.89, True), (0.9 - 0.1 / 10, True), (0.8899, False), (0.95, True), (None, False)]
)
def test_the_allowed_drop_is_in_points_and_forgives_rounding(accuracy, within):
    assert is_within_drop(RunSpec(max_drop=1.0), record("1-1", accuracy, 10), ANCESTOR) is within


def test_a_drop_of_exactly_the_limit_counts_as_within_whatever_the_fractions():
    for images in (30, 70, 99, 1000, 6000):
        for right in range(images // 2, images, 7):
            ancestor = record("ancestor", right / images, 1000)
            lost = record("1-1", (right - images // 10) / images, 10)
            if images % 10 == 0:
                assert is_within_drop(RunSpec(max_drop=10.0), lost, ancestor)
            assert not is_within_drop(RunSpec(max_drop=1e-6), lost, ancestor)


# --- choice ---------------------------------------------------------------------------


def test_the_smallest_within_the_drop_is_chosen():
    records = [ANCESTOR, record("1-1", 0.91, 500), record("2-1", 0.892, 200), record("3-1", 0.88, 100)]
    assert choose(RunSpec(), records) == "2-1"
    assert choose(RunSpec(max_drop=2.0), records) == "3-1"


def test_without_one_within_the_drop_the_most_accurate_offspring_is_chosen():
    assert choose(RunSpec(), [ANCESTOR, record("1-1", 0.85, 500), record("2-1", 0.80, 200)]) == "1-1"


def test_refused_networks_and_the_ancestor_are_never_chosen():
    refused = NetworkRecord("1-1", 1, ("ancestor",), status="refused")
    assert choose(RunSpec(), [ANCESTOR, refused]) is None
    assert choose(RunSpec(), []) is None
    assert choose(RunSpec(), [ANCESTOR, refused, record("1-2", 0.2, 900)]) == "1-2"


def test_of_masked_networks_of_one_shape_the_sparser_is_the_smaller():
    dense, sparse = record("1-1", 0.9, 500), record("1-2", 0.895, 500, living_synapses=100)
    assert choose(RunSpec(), [ANCESTOR, dense, sparse]) == "1-2"


def test_netscore_and_pareto_choose_by_their_own_measure():
    records = [ANCESTOR, record("1-1", 0.90, 900), record("2-1", 0.80, 10), record("3-1", 0.101, 9)]
    assert choose(RunSpec(selection="netscore"), records) == "2-1"
    assert choose(RunSpec(selection="pareto"), records) == "2-1"


# --- fronts -------------------------------------------------------------------------


def brute_front(points: np.ndarray) -> list[bool]:
    return [not any(np.all(other <= point) and np.any(other < point) for other in points) for point in points]


def test_the_front_is_what_dominance_says():
    points = np.random.default_rng(3).integers(0, 6, (60, 3)).astype(float)  # with ties and equal points
    assert is_on_front(points).tolist() == brute_front(points)
    assert (ranks(points) == 0).tolist() == brute_front(points)
    rest = points[ranks(points) > 0]
    assert (ranks(points)[ranks(points) > 0] == 1).tolist() == brute_front(rest)


def test_crowding_prefers_the_ends_and_the_lonely():
    points = np.array([[0, 4], [1, 3], [1.1, 2.9], [4, 0]], dtype=float)
    distance = crowding(points)
    assert np.isinf(distance[[0, 3]]).all()
    assert distance[2] > distance[1]
    assert distance[1] == pytest.approx(1.1 / 4 + 1.1 / 4)


def test_crowding_of_equal_points_is_nothing():
    assert crowding(np.ones((4, 2))).tolist() == [0, 0, 0, 0]


def test_hypervolume_of_boxes_counted_by_hand():
    reference = np.array([4.0, 4.0])
    assert hypervolume(np.array([[1.0, 3.0], [3.0, 1.0]]), reference) == pytest.approx(3 + 3 - 1)
    assert hypervolume(np.array([[5.0, 0.0]]), reference) == 0.0  # beyond the reference
    assert hypervolume(np.zeros((0, 2)), reference) == 0.0
    added = contributions(np.array([[1.0, 3.0], [3.0, 1.0], [3.0, 3.0], [9.0, 0.0]]), reference)
    assert added.tolist() == pytest.approx([2, 2, 0, 0])


def test_hypervolume_agrees_with_counting_cells():
    points = np.random.default_rng(1).integers(0, 5, (12, 3))
    cells = sum(
        any(all(p[axis] <= cell[axis] for axis in range(3)) for p in points)
        for cell in itertools.product(range(5), repeat=3)
    )
    assert hypervolume(points.astype(float), np.full(3, 5.0)) == pytest.approx(cells)


def test_hypervolume_by_generation_starts_at_nothing_and_never_falls():
    records = [ANCESTOR, record("1-1", 0.91, 100), record("2-1", 0.2, 90), record("3-1", 0.9, 10)]
    volumes = hypervolumes(RunSpec(objectives=("accuracy", "parameters")), records)
    assert volumes[0] == 0.0
    assert volumes[1] == pytest.approx((0.91 - 0.1) * 1.0)  # error gained over chance x one power of ten
    assert volumes == sorted(volumes)
    assert len(volumes) == 4


def test_the_front_of_a_run_holds_the_ancestor_until_it_is_beaten():
    spec = RunSpec()
    assert front(spec, [ANCESTOR, record("1-1", 0.89, 100)]) == {"ancestor", "1-1"}
    assert front(spec, [ANCESTOR, record("1-1", 0.90, 100), record("1-2", 0.5, 200)]) == {"1-1"}


def test_five_thousand_networks_are_sorted_in_a_moment():
    luck = np.random.default_rng(0)
    records = [ANCESTOR] + [
        record(f"{1 + n // 100}-{n % 100 + 1}", float(a), int(p))
        for n, (a, p) in enumerate(zip(luck.random(5000), luck.integers(10, 1000, 5000), strict=True))
    ]
    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        spec = RunSpec(offspring=32, survivors=8, selection="pareto", generations=50, patience=3)
        choose(spec, records), front(spec, records), hypervolumes(spec, records)
        survivors(spec, records, 51)
    finally:
        sys.setprofile(None)
    assert calls < 5000 * 400  # far from the 25 million comparisons of every pair


# --- planning -----------------------------------------------------------------------


def test_first_the_ancestor_then_its_offspring():
    spec = RunSpec(offspring=3, generations=2)
    assert next_plans(spec, []) == [Plan("ancestor", 0)]
    assert next_plans(spec, [ANCESTOR]) == [Plan(f"1-{n}", 1, ("ancestor",)) for n in (1, 2, 3)]


def test_only_what_has_no_record_yet_is_born():
    spec = RunSpec(offspring=3, generations=2)
    assert [plan.id for plan in next_plans(spec, [ANCESTOR, record("1-2", 0.9, 500)])] == ["1-1", "1-3"]


def test_the_fittest_of_a_complete_generation_reproduces():
    spec = RunSpec(offspring=2, generations=2)
    records = [ANCESTOR, record("1-1", 0.5, 500), record("1-2", 0.7, 500)]
    assert next_plans(spec, records) == [Plan("2-1", 2, ("1-2",)), Plan("2-2", 2, ("1-2",))]


def test_a_hair_of_size_does_not_outweigh_accuracy_in_survival():
    spec = RunSpec(offspring=2)
    records = [ANCESTOR, record("1-1", 0.895, 500), record("1-2", 0.93, 502)]
    assert survivors(spec, records, 2)[0].id == "1-2"
    assert choose(spec, records) == "1-1"  # but the smallest is the smallest


def test_after_the_last_generation_nothing_more_is_born():
    spec = RunSpec(offspring=1, generations=1)
    assert next_plans(spec, [ANCESTOR, record("1-1", 0.9, 500)]) == []


def test_a_refused_ancestor_or_a_generation_refused_whole_ends_the_run():
    spec = RunSpec(offspring=2, generations=3)
    refused = [NetworkRecord(f"1-{n}", 1, ("ancestor",), status="refused") for n in (1, 2)]
    assert next_plans(spec, [ANCESTOR, *refused]) == []
    assert next_plans(spec, [NetworkRecord("ancestor", 0, status="refused")]) == []
    one_left = [ANCESTOR, refused[0], record("1-2", 0.9, 400)]
    assert {plan.parents for plan in next_plans(spec, one_left)} == {("1-2",)}


def test_mates_are_distinct_survivors_and_every_survivor_leads():
    spec = RunSpec(offspring=6, survivors=3, parents=2, generations=3, seed=5)
    records = [ANCESTOR] + [record(f"1-{n}", 0.5 + n / 100, 500) for n in range(1, 7)]
    plans = next_plans(spec, records)
    assert {name for plan in plans for name in plan.parents} == {"1-6", "1-5", "1-4"}
    assert all(len(set(plan.parents)) == 2 for plan in plans)
    assert [plan.parents[0] for plan in plans] == ["1-6", "1-5", "1-4"] * 2


def test_the_ancestor_alone_parents_the_first_generation_even_with_two_parents_asked():
    assert next_plans(RunSpec(offspring=2, parents=2, survivors=2), [ANCESTOR])[0].parents == ("ancestor",)


def test_mates_follow_the_seed_and_not_the_order_of_records():
    records = [ANCESTOR] + [record(f"1-{n}", 0.5 + n / 100, 500) for n in range(1, 9)]
    spec = RunSpec(offspring=8, survivors=8, parents=3, seed=1)
    plans = next_plans(spec, records)
    assert next_plans(spec, records[::-1]) == plans
    assert next_plans(spec.replace(seed=2), records) != plans


def test_siblings_plans_do_not_depend_on_each_other():
    spec = RunSpec(offspring=4, survivors=2, parents=2, generations=3)
    records = [ANCESTOR] + [record(f"1-{n}", 0.5 + n / 100, 500) for n in range(1, 5)]
    whole = plan_generation(spec, records, 2)
    later = next_plans(spec, [*records, record("2-1", 0.99, 10), record("2-3", 0.1, 10)])
    assert later == [whole[1], whole[3]]


def test_elitism_lets_parents_compete_with_their_offspring():
    records = [ANCESTOR, record("1-1", 0.88, 500), record("1-2", 0.4, 500)]
    assert survivors(RunSpec(elitism=True), records, 2)[0].id == "ancestor"  # both fell out of the drop
    assert survivors(RunSpec(), records, 2)[0].id == "1-1"


def test_patience_counts_generations_without_a_network_on_the_front():
    spec = RunSpec(offspring=1, generations=9, patience=2, elitism=True)
    records = [ANCESTOR, record("1-1", 0.9, 400), record("2-1", 0.8, 400), record("3-1", 0.85, 420)]
    assert next_plans(spec, records[:3])
    assert next_plans(spec, records) == []
    assert next_plans(spec.replace(patience=3), records)
    assert next_plans(spec.replace(patience=0), records)


def test_a_ruined_network_does_not_count_as_progress_for_being_small():
    spec = RunSpec(offspring=1, generations=9, patience=1)
    assert next_plans(spec, [ANCESTOR, record("1-1", 0.1, 5)]) == []
    assert next_plans(spec, [ANCESTOR, record("1-1", 0.11, 5)])


# --- records ------------------------------------------------------------------------


def test_a_record_survives_json_and_unknown_keys():
    original = record("2-1", 0.9, 10, ("1-1", "1-2"), clusters={"conv1": 3}, proof={"ok": True})
    assert NetworkRecord.from_json({**original.to_json(), "front": True, "new": 1}) == original


def test_a_detector_s_record_names_its_metric():
    original = record("1-1", 0.5, 10, metric="map50", shock_accuracy=0.1)
    written = original.to_json()
    assert written["validation_map50"] == 0.5
    assert written["shock_map50"] == 0.1
    assert "validation_accuracy" not in written
    assert NetworkRecord.from_json(written) == original
