"""By which rule a run's network is chosen, who may change it, and that the test is opened honestly."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.webapp.factories import make_evolution, make_network, make_run
from webapp.networks.models import Network
from webapp.runs.change_forms import RuleForm
from webapp.runs.choice import KINDS, Rule, own_rule
from webapp.runs.models import Run
from webapp.runs.snapshot import Lineage

pytestmark = pytest.mark.django_db


@pytest.fixture
def finished(team: Any) -> Run:
    return make_evolution(team, finished=True, files=False)


@pytest.fixture
def few(team: Any) -> Lineage:
    """Three offspring: small and weak, middling, large and strong."""
    run = make_run(team)
    rows = (("ancestor", 0.95, 1000, 4.0), ("1-1", 0.90, 100, 1.0), ("1-2", 0.94, 400, 2.0), ("1-3", 0.96, 900, 3.5))
    for name, accuracy, parameters, latency in rows:
        make_network(
            run,
            name,
            () if name == "ancestor" else ("ancestor",),
            state="measured",
            validation_accuracy=accuracy,
            parameters=parameters,
            macs=parameters * 10_000,
            bytes=parameters * 4,
            latency_ms=latency,
        )
    return Lineage.of(run)


@pytest.mark.parametrize(
    ("rule", "name", "words"),
    [
        (Rule("within", 1.0), "1-2", "the smallest within 1 point"),
        (Rule("within", 20.0), "1-1", "the smallest within 20 points"),
        (Rule("accurate"), "1-3", "the most accurate offspring"),
        (Rule("latency", 2.5), "1-2", "the most accurate offspring under 2.5 ms"),
        (Rule("latency", 0.5), "1-1", "the fastest; none is under 0.5 ms"),
        (Rule("size", 1.6), "1-2", "the most accurate offspring under 1.6 kB"),
        (Rule("macs", 0.5), "1-1", "the fewest multiply-adds; none is under 0.5 million multiply-adds"),
        (Rule("netscore"), "1-1", "the best NetScore"),
        (Rule("picked", network="1-2"), "1-2", "picked by hand"),
    ],
)
def test_each_rule_lands_on_its_network(few: Lineage, rule: Rule, name: str, words: str) -> None:
    choice = rule.choose(few)
    assert choice is not None
    assert (choice.network.name, rule.words(met=choice.met)) == (name, words)
    assert Rule.read(rule.to_json()) == rule


def test_a_bound_that_nobody_keeps_falls_back_to_the_most_accurate(few: Lineage) -> None:
    strict = Lineage([n for n in few.networks if n.name != "1-3"], Rule("within", 0.5))
    assert strict.choice is not None
    assert (strict.choice.network.name, strict.choice.met) == ("1-2", False)
    assert "none is within 0.5 points" in strict.rule.words(met=False)


def test_rules_that_do_not_read_are_none() -> None:
    for broken in ({}, None, [], {"kind": "best"}, {"kind": "latency"}, {"kind": "within", "value": "x"}):
        assert Rule.read(broken) is None
    assert own_rule({"selection": "netscore"}) == Rule("netscore")
    assert own_rule({"max_drop": 3}) == Rule("within", 3.0)


def test_the_ancestor_cannot_be_picked(few: Lineage) -> None:
    assert Rule("picked", network="ancestor").choose(few) is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kind": "latency"}, "Say how many ms."),
        ({"kind": "within", "value": "101"}, "At most 100 points."),
        ({"kind": "within", "value": "-1"}, "Value: "),
        ({"kind": "picked"}, "Say which network"),
        ({"kind": "luck"}, "Kind: "),
    ],
)
def test_the_form_says_what_is_wrong(given: dict[str, str], problem: str) -> None:
    form = RuleForm(given)
    assert not form.is_valid()
    assert problem in form.problem()


def press(client: Any, run: Run, **given: Any) -> Any:
    return client.post(reverse("runs:choose", args=[run.pk]), given)


def test_choosing_anew_is_told_tested_and_changed_back(
    client_of: Any, ada: Any, finished: Run, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = client_of(ada)
    with django_capture_on_commit_callbacks(execute=True):
        assert press(client, finished, kind="picked", network="4-1").status_code == 302
    finished.refresh_from_db()
    assert finished.chosen is not None
    assert finished.chosen.name == "4-1"
    assert finished.state == Run.State.FINISHED
    assert dispatched == [("workers.finish", finished.pk)]
    event = finished.events.get(kind="chosen")
    assert event.network == finished.chosen
    assert (event.data["was"], event.data["words"]) == ("5-2", "picked by hand")
    page = client.get(f"/runs/{finished.pk}/").content.decode()
    assert "Picked by hand" in page
    assert "being tested" in page
    assert "Change it back" in page
    # nothing to test: 5-2 was tested at the run's end
    dispatched.clear()
    with django_capture_on_commit_callbacks(execute=True):
        press(client, finished)
    finished.refresh_from_db()
    assert finished.chosen.name == "5-2"
    assert (finished.rule, finished.test_requested_at, dispatched) == ({}, None, [])


def test_changing_back_leads_to_the_rule_before(client_of: Any, ada: Any, finished: Run, dispatched: Any) -> None:
    client = client_of(ada)
    press(client, finished, kind="accurate")
    press(client, finished, kind="latency", value="0.2")
    finished.refresh_from_db()
    assert finished.rule["before"]["kind"] == "accurate"
    before = finished.rule["before"]
    press(client, finished, kind=before["kind"], value="", network="")
    finished.refresh_from_db()
    assert finished.rule["kind"] == "accurate"


def test_a_rule_that_lands_nowhere_changes_nothing(client_of: Any, ada: Any, finished: Run, dispatched: Any) -> None:
    for given in ({"kind": "picked", "network": "9-9"}, {"kind": "picked", "network": "ancestor"}, {"kind": "size"}):
        response = client_of(ada).post(reverse("runs:choose", args=[finished.pk]), given, follow=True)
        assert "The rule was not changed" in response.content.decode()
    finished.refresh_from_db()
    assert (finished.rule, finished.events.filter(kind="chosen").count()) == ({}, 0)


def test_a_run_under_way_keeps_the_rule_for_its_end(
    client_of: Any, ada: Any, team: Any, dispatched: Any, django_capture_on_commit_callbacks: Any
) -> None:
    run = make_evolution(team, files=False)
    with django_capture_on_commit_callbacks(execute=True):
        press(client_of(ada), run, kind="accurate")
    run.refresh_from_db()
    assert (run.rule["kind"], run.chosen, run.test_requested_at) == ("accurate", None, None)
    page = client_of(ada).get(f"/runs/{run.pk}/")
    leading = page.context["answer"]["network"]
    assert leading.validation_accuracy == max(n.validation_accuracy for n in Lineage.of(run).offspring)
    assert run.events.filter(kind="rule").count() == 1


def test_several_opened_tests_are_owned_up_to(client_of: Any, ada: Any, finished: Run) -> None:
    address = f"/runs/{finished.pk}/"
    assert "the best of several tests flatters" not in client_of(ada).get(address).content.decode()
    Network.objects.filter(run=finished, name="4-1").update(test_accuracy=0.91)
    page = client_of(ada).get(address).content.decode()
    assert "opened for 2 networks of this run (4-1, 5-2)" in page


def test_behind_a_share_link_the_answer_stands_and_cannot_be_changed(client: Any, ada: Any, finished: Run) -> None:
    from webapp.sharing.models import ShareLink

    link = ShareLink.objects.create(run=finished, created_by=ada)
    page = client.get(f"/s/{link.token}/").content.decode()
    assert "The smallest within 1 point" in page
    assert "Change the rule" not in page
    assert "choose/" not in page
    assert client.post(f"/s/{link.token}/choose/", {"kind": "accurate"}).status_code == 404


def test_viewers_see_the_rule_and_no_form(client_of: Any, vic: Any, finished: Run) -> None:
    page = client_of(vic).get(f"/runs/{finished.pk}/").content.decode()
    assert "The smallest within 1 point" in page
    assert "Change the rule" not in page
    assert press(client_of(vic), finished, kind="accurate").status_code == 403


def test_every_kind_of_rule_can_be_picked_on_the_page(client_of: Any, ada: Any, finished: Run) -> None:
    page = client_of(ada).get(f"/runs/{finished.pk}/").content.decode()
    for key, kind in KINDS.items():
        assert f'value="{key}"' in page
        assert kind.label in page


def test_a_test_that_is_asked_for_shows_until_it_is_there(client_of: Any, ada: Any, finished: Run) -> None:
    network = Network.objects.get(run=finished, name="3-1")
    Run.objects.filter(pk=finished.pk).update(chosen=network, test_requested_at=timezone.now())
    assert "data-pending" in client_of(ada).get(f"/runs/{finished.pk}/live").content.decode()
    Network.objects.filter(pk=network.pk).update(test_accuracy=0.9)
    assert "data-pending" not in client_of(ada).get(f"/runs/{finished.pk}/live").content.decode()
