"""How long a run will still take: from what was measured, without the time in which it stood still."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.webapp.factories import add_events, make_network, make_run, make_spec
from webapp.runs import eta
from webapp.runs.history import History
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage

pytestmark = pytest.mark.django_db
START = timezone.now() - timedelta(hours=2)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_run(team: Any, generation: int, **spec: Any) -> Run:
    settings = {"generations": 4, "offspring": 2, **spec}
    return make_run(team, state="running", generation=generation, spec=make_spec(**settings))


def measured(run: Run, name: str, start: float, end: float) -> None:
    make_network(run, name, state="measured", started_at=at(start), measured_at=at(end), progress=1)


def left(run: Run, now: float) -> tuple[float, float]:
    span = eta.seconds_left(run, Lineage.of(run), at(now), History.of(run))
    assert span is not None
    return span


def test_a_training_ancestor_tells_once_a_part_of_its_life_is_lived(team: Any) -> None:
    run = a_run(team, 0)
    ancestor = make_network(run, "ancestor", state="living", started_at=at(0), progress=0.1)
    assert eta.seconds_left(run, Lineage.of(run), at(10), History()) is None
    ancestor.progress = 0.5
    ancestor.save()
    low, high = left(run, 50)  # of 100 seconds: 50 to come, and four generations of 50 to 200
    assert (low, high) == pytest.approx(((50 + 4 * 50) * 0.75, (50 + 4 * 200) * 1.25))


def test_the_range_tightens_as_more_is_known(team: Any) -> None:
    run = a_run(team, 1)
    measured(run, "ancestor", 0, 100)
    widths = [wide(left(run, 100))]
    for generation in range(1, 4):
        end = 100 + 60 * generation
        for number in (1, 2):
            measured(run, f"{generation}-{number}", end - 60, end)
        Run.objects.filter(pk=run.pk).update(generation=generation + 1)
        run.refresh_from_db()
        widths.append(wide(left(run, end)))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1.2  # one generation is left, and three have told the pace
    assert left(run, 280) == pytest.approx((60 * 0.93, 60 * 1.07))


def wide(span: tuple[float, float]) -> float:
    return span[1] / span[0]


def test_the_present_generation_tells_its_pace_before_it_ends(team: Any) -> None:
    run = a_run(team, 1)
    measured(run, "ancestor", 0, 100)
    measured(run, "1-1", 100, 130)
    make_network(run, "1-2", state="living", progress=0.5)
    low, high = left(run, 145)  # three quarters of a generation took 45 seconds: 3.25 of 60 are left
    assert (low, high) == pytest.approx((3.25 * 60 * 0.85, 3.25 * 60 * 1.15))


def test_time_in_which_the_run_stood_still_does_not_count(team: Any) -> None:
    run = a_run(team, 2)
    measured(run, "ancestor", 0, 100)
    for number in (1, 2):
        measured(run, f"1-{number}", 100, 4000)
    add_events(run, None, [("paused", {})], at(130), at(130))
    add_events(run, None, [("resumed", {})], at(3970), at(3970))
    low, high = left(run, 4000)  # 3900 seconds, 3840 of them asleep
    assert (low, high) == pytest.approx((3 * 60 * 0.85, 3 * 60 * 1.15))
    assert History.of(run).worked(at(0), at(4000)) == pytest.approx(160)


def test_a_longer_last_generation_is_reckoned_with(team: Any) -> None:
    run = a_run(team, 2, generations=2, epochs=2, last_epochs=6)
    measured(run, "ancestor", 0, 100)
    for number in (1, 2):
        measured(run, f"1-{number}", 100, 160)
    low, high = left(run, 160)
    assert (low, high) == pytest.approx((180 * 0.85, 180 * 1.15))


def test_losses_are_counted_by_network(team: Any, django_assert_num_queries: Any) -> None:
    run = a_run(team, 0)
    ancestor = make_network(run, "ancestor", state="waiting", progress=0.3)
    add_events(run, ancestor, [("lost", {}), ("lost", {})], at(0), at(1))
    with django_assert_num_queries(1):
        assert History.of(run).lost[ancestor.pk] == 2
