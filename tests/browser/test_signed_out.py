"""Somebody who is signed out while she types loses nothing: the page says so, and goes on once she is back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from webapp.datasets.models import Dataset
from webapp.runs.models import Run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


NOTE = ".note.stopped[role=alert]"


def sign_in_elsewhere(page: Page, person: Any) -> None:
    """By the note's link, and back to the page."""
    with page.context.expect_page() as opened:
        page.locator(NOTE).get_by_role("link", name="sign in in another tab").click()
    tab = opened.value
    tab.get_by_label("E-mail address").fill(person.email)
    tab.get_by_label("Password").fill("correct-horse-battery")
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/runs/")
    page.bring_to_front()
    page.evaluate("dispatchEvent(new Event('focus'))")  # a browser without windows says nothing of the kind
    expect(page.locator(NOTE)).to_have_count(0)


def test_what_was_typed_stays_and_is_started_after_signing_in_elsewhere(
    open_page: Any, ada: Any, dataset: Any, dispatched: Any
) -> None:
    page = open_page("/runs/new/?preset=quick")
    page.fill("#id_name", "Typed before")
    Session.objects.all().delete()
    page.fill("#id_generations", "3")
    note = page.locator(NOTE)
    expect(note).to_contain_text("You are signed out", timeout=10_000)
    with page.expect_response("**/runs/estimate/"):  # none of what follows is asked for while she signs in
        page.fill("#id_offspring", "2")
    expect(page.locator("#id_name")).to_have_value("Typed before")
    sign_in_elsewhere(page, ada)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url("**/runs/*/")
    run = Run.objects.get()
    assert (run.name, run.run_spec.generations, run.run_spec.offspring) == ("Typed before", 3, 2)


def test_files_that_were_chosen_are_sent_after_signing_in_elsewhere(
    open_page: Any, ada: Any, tmp_path: Path, dispatched: Any
) -> None:
    archive = tmp_path / "signs.zip"
    archive.write_bytes(b"PK\x03\x04" + bytes(1000))
    page = open_page("/datasets/new/")
    page.get_by_label("Files", exact=True).set_input_files(archive)
    Session.objects.all().delete()
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#upload .errorlist")).to_contain_text("You are signed out")
    sign_in_elsewhere(page, ada)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="signs")).to_be_visible(timeout=15_000)
    assert Dataset.objects.get().name == "signs"
