"""Pages that renew themselves under a reader: her focus, what she chose and typed, and where she has scrolled stay."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from evolution_core.spec import RunSpec
from tests.webapp.factories import make_box_dataset, make_detection
from tests.webapp.test_sweeps import finish_all_but_last, rows
from webapp.datasets.models import Dataset
from webapp.networks.models import Network
from webapp.runs.models import Run, RunGroup
from webapp.runs.sweeps import read_sweep, start_sweep
from webapp.sharing.models import ShareLink

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def wait_until_followed(page: Page) -> None:
    expect(page.locator("#run [data-zoom=all]").first).to_be_visible()


def finish(run: Run) -> None:
    network = Network.objects.get(run=run, name="5-2")
    Run.objects.filter(pk=run.pk).update(state="finished", chosen=network)
    Network.objects.filter(run=run, state="living").update(state="cancelled")
    run.record("finished", chosen="5-2")


def test_focus_never_slips_to_another_action(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_until_followed(page)
    cancel = page.locator("#run-cancel").get_by_role("button", name="Cancel", exact=True)
    cancel.focus()
    Run.objects.filter(pk=evolution.pk).update(pause_requested_at=evolution.created_at)
    evolution.record("pausing", by="Ada")
    expect(page.locator("#run-cancel").get_by_role("button", name="Resume")).to_be_visible(timeout=15_000)
    expect(cancel).to_be_focused()  # another button has come before it
    Run.objects.filter(pk=evolution.pk).update(pause_requested_at=None)
    finish(evolution)
    expect(page.get_by_role("button", name="more generations")).to_be_visible(timeout=15_000)
    expect(page.locator(".btns:has(> #run-cancel)")).to_be_focused()  # it has no box of its own
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    evolution.refresh_from_db()
    assert evolution.state == "finished"
    assert evolution.run_spec.generations == 5


def test_what_is_chosen_and_not_sent_yet_stays(open_page: Any, evolution: Run, dispatched: Any) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_until_followed(page)
    page.click("summary:has-text('Change the rule')")
    page.get_by_label("Best under … ms").check()
    page.fill("#rule-value", "3")
    page.keyboard.press("Tab")
    choose = page.get_by_role("button", name="Choose by it")
    choose.focus()
    better = Network.objects.get(run=evolution, name="5-3")
    measured = {"validation_accuracy": 0.9207, "parameters": 31_000, "latency_ms": 0.1, "progress": 1}
    Network.objects.filter(pk=better.pk).update(state="measured", **measured)
    evolution.record("measured", network=better, validation_accuracy=0.9207, parameters=31_000)
    expect(page.locator("#run-answer")).to_contain_text("network 5-3", timeout=15_000)
    expect(choose).to_be_focused()
    expect(page.get_by_label("Best under … ms")).to_be_checked()
    expect(page.locator("#rule-value")).to_have_value("3")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{evolution.pk}/**")
    expect(page.locator("#run-answer")).to_contain_text("a rule of")
    evolution.refresh_from_db()
    assert evolution.rule["kind"] == "latency"
    assert evolution.rule["value"] == 3


def test_a_part_that_waited_for_typing_comes_when_the_field_is_left(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_until_followed(page)
    page.click("summary:has-text('Change the rule')")
    page.fill("#rule-value", "2")
    finish(evolution)
    expect(page.locator("#run-status")).to_contain_text("Finished", timeout=15_000)
    expect(page.locator("#run-answer")).to_contain_text("so far network 5-2")
    expect(page.locator("#rule-value")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#run-answer")).not_to_contain_text("so far")
    expect(page.locator("#rule-value")).to_have_value("2")


def asked_later(page: Page) -> list[str]:
    """What the page still asks for, given time for every loop's next look. Its icon comes when the browser likes."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(7000)
    return [address for address in asked if "/static/" not in address]


def test_a_run_page_says_that_its_reader_is_signed_out_and_stops(open_page: Any, evolution: Run, ada: Any) -> None:
    page = open_page(f"/runs/{evolution.pk}/?network=4-1")
    wait_until_followed(page)
    Session.objects.all().delete()
    note = page.get_by_role("alert")
    expect(note).to_contain_text("You are signed out", timeout=15_000)
    expect(page).to_have_title(f"{evolution.name} · Eustress")  # no share of what is not followed
    assert page.locator(".dot.live").evaluate("(dot) => getComputedStyle(dot).animationName") == "none"
    page.click("tr[data-network='3-1'] td >> nth=1")  # asks for its card, in vain
    assert asked_later(page) == []
    expect(note).to_have_count(1)
    note.get_by_role("link", name="Sign in again").click()
    page.get_by_label("E-mail address").fill(ada.email)
    page.get_by_label("Password").fill("correct-horse-battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/runs/{evolution.pk}/?network=3-1")


def test_the_page_of_a_revoked_link_says_so_and_stops(fresh_page: Any, evolution: Run, ada: Any) -> None:
    link = ShareLink.objects.create(run=evolution, created_by=ada)
    page = fresh_page(390)
    page.goto(f"/s/{link.token}/")
    wait_until_followed(page)
    page.evaluate("scrollTo(0, 900)")
    link.revoke()
    expect(page.get_by_role("alert")).to_contain_text("This link is closed", timeout=15_000)
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(page.get_by_role("link", name="Sign in again")).to_have_count(0)
    assert asked_later(page) == []


SELECT = """(selector) => getSelection().selectAllChildren(document.querySelector(selector))"""
SELECTED = "getSelection().toString()"


def test_a_network_page_leaves_alone_what_has_not_changed(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/networks/5-3/")
    page.evaluate(SELECT, "#log-title")
    Network.objects.filter(run=evolution, name="5-3").update(progress=0.71)
    expect(page.locator("#network-head .state")).to_contain_text("71 %", timeout=15_000)
    assert page.evaluate(SELECTED) == "Its life"
    page.focus(".steps a[rel=prev]")
    Network.objects.filter(run=evolution, name="5-3").update(progress=0.83)
    expect(page.locator("#network-head .state")).to_contain_text("83 %", timeout=15_000)
    expect(page.locator(".steps a[rel=prev]")).to_be_focused()
    Network.objects.filter(run=evolution, name="5-3").update(state="errored", message="A worker stumbled.")
    expect(page.locator(".note.error")).to_contain_text("A worker stumbled.", timeout=15_000)
    expect(page.locator("#network-head[data-refresh]")).to_have_count(0)


def test_a_network_page_keeps_the_pictures_and_threshold_that_were_chosen(open_page: Any, team: Any) -> None:
    run = make_detection(make_box_dataset(team))
    network = Network.objects.get(run=run, name="1-1")
    Network.objects.filter(pk=network.pk).update(onnx_state="requested")
    page = open_page(f"/runs/{run.pk}/networks/1-1/")
    page.get_by_role("link", name="worst first").click()
    expect(page.get_by_role("link", name="worst first")).to_have_attribute("aria-current", "true")
    page.focus("#threshold")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#threshold-shown")).to_have_text("30 %")
    page.locator("#threshold").blur()
    with page.expect_response(lambda response: "part=live" in response.url) as answer:
        pass
    assert "order=worst" in answer.value.url
    assert "threshold=0.3" in answer.value.url
    Network.objects.filter(pk=network.pk).update(onnx_state="failed", onnx_message="It cannot be written.")
    expect(page.locator("#take")).to_contain_text("It cannot be written.", timeout=15_000)
    expect(page.get_by_role("link", name="worst first")).to_have_attribute("aria-current", "true")
    expect(page.locator("#threshold-shown")).to_have_text("30 %")
    expect(page.locator("#threshold")).to_have_value("0.3")


@pytest.fixture
def group(rows_beside_a_loop: None, team: Any, dataset: Any, dispatched: Any) -> RunGroup:
    sweep = read_sweep(rows(("environment", "0.5, 0.6"), ("seed", "1,2")), RunSpec())
    made = start_sweep(sweep, team=team, dataset=dataset, name="Trials", user=None)
    finish_all_but_last(made)
    return made


def test_a_sweep_page_keeps_focus_ticks_and_axes(open_page: Any, group: RunGroup) -> None:
    page = open_page(f"/runs/groups/{group.pk}/?y=test")
    first, *_, last = group.runs.order_by("pk")
    page.get_by_label(f"Compare {first.name}", exact=True).check()
    page.focus(f"#runs a[href='/runs/{last.pk}/']")
    Run.objects.filter(pk=last.pk).update(state="failed", message="Its disk was full.")
    expect(page.locator("#runs")).to_contain_text("Its disk was full.", timeout=15_000)
    expect(page.locator(f"#runs a[href='/runs/{last.pk}/']")).to_be_focused()
    expect(page.get_by_label(f"Compare {first.name}", exact=True)).to_be_checked()
    expect(page.get_by_label("Up")).to_have_value("test")
    expect(page.get_by_role("button", name="Cancel all")).to_have_count(0)
    assert page.evaluate("Chart.getChart('scatter-chart').data.datasets[1].data.length") == 3


def test_the_page_of_a_data_set_that_waits_keeps_focus(open_page: Any, dataset: Dataset) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(state="uploaded", report={})
    page = open_page(f"/datasets/{dataset.pk}/")
    link = page.locator("#dataset .crumbs a")
    link.focus()
    Dataset.objects.filter(pk=dataset.pk).update(state="refused", message="open/1.png is broken")
    expect(page.locator("#dataset")).to_contain_text("open/1.png is broken", timeout=15_000)
    expect(link).to_be_focused()


def test_every_other_live_page_stops_and_says_so_too(
    open_page: Any, evolution: Run, group: RunGroup, dataset: Dataset
) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(state="uploaded", report={})
    for path in (f"/runs/{evolution.pk}/networks/5-3/", f"/runs/groups/{group.pk}/", f"/datasets/{dataset.pk}/"):
        page = open_page(path)
        Session.objects.all().delete()
        expect(page.get_by_role("alert")).to_contain_text("You are signed out", timeout=15_000)
        assert asked_later(page) == []
