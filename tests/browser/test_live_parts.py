"""Pages that renew themselves under a reader: her focus, what she chose and typed, and where she has scrolled stay."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from webapp.networks.models import Network
from webapp.runs.models import Run
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
    expect(page.locator("#run-cancel")).to_be_focused()
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
    """What the page still asks for, given time for every loop's next look."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(7000)
    return asked


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
