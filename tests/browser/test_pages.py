"""The pages in a real browser: they fit a phone, break no policy, keep the theme, and take uploads gracefully."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.barriers import barriers
from tests.webapp.factories import make_evolution
from webapp.datasets.models import Dataset
from webapp.sharing.models import ShareLink
from webapp.teams.owner import sign_in_link

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PASSWORD = "correct-horse-battery"


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/runs/")


def test_every_page_fits_a_phone_shuts_nobody_out_and_leads_on(fresh_page, ada, team):
    run = make_evolution(team)
    link = ShareLink.objects.create(run=run, created_by=ada)
    page = fresh_page(390, "dark")
    sign_in(page, ada.email)
    dataset = run.dataset_id
    addresses = ["/runs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/share/", f"/runs/{run.pk}/networks/2-1/", "/team/"]
    addresses += [
        "/datasets/",
        f"/datasets/{dataset}/",
        "/datasets/new/",
        f"/runs/new/?dataset={dataset}",
        "/password/",
    ]
    for address in [*addresses, f"/s/{link.token}/", f"/s/{link.token}/networks/2-1/"]:
        page.goto(address)
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{address} is {too_wide} pixels too wide for a phone"
        assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
        assert barriers(page) == [], address
        if not address.startswith("/s/"):
            for name in ("Runs", "Data sets", "Team"):
                expect(page.get_by_role("navigation", name="Main").get_by_role("link", name=name)).to_be_visible()


def test_the_theme_is_toggled_and_remembered(fresh_page, ada):
    page = fresh_page()
    sign_in(page, ada.email)
    theme = "document.documentElement.dataset.bsTheme"
    toggle = page.locator("[data-toggle-theme]")
    toggle.click()
    assert page.evaluate(theme) == "light"
    toggle.click()
    assert page.evaluate(theme) == "dark"
    # set before the first paint: by the head's script, not by a module that runs later
    page.goto("/datasets/", wait_until="commit")
    page.wait_for_selector("body", state="attached")
    assert page.evaluate(theme) == "dark"
    expect(toggle).to_have_attribute("aria-label", "Theme: dark. Change")


def test_a_refused_upload_keeps_the_files_and_the_next_goes_through(fresh_page, ada, dispatched):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("open/1.png", b"x")
    page = fresh_page()
    sign_in(page, ada.email)
    page.goto("/datasets/new/")
    page.get_by_label("Name").fill("My signs")
    picture = {"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff\xe0"}
    page.get_by_label("Files", exact=True).set_input_files([picture])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("cat.jpg is a single picture")).to_be_visible()
    assert page.get_by_label("Name").input_value() == "My signs"
    assert page.evaluate("document.getElementById('id_files').files.length") == 1
    good = {"name": "signs.zip", "mimeType": "application/zip", "buffer": content.getvalue()}
    page.get_by_label("Files", exact=True).set_input_files([good])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="My signs")).to_be_visible()
    expect(page.locator("#dataset")).to_contain_text("Waiting for a worker")
    # the page follows by itself
    Dataset.objects.update(state=Dataset.State.REFUSED, message="open/1.png is broken")
    expect(page.locator("#dataset")).to_contain_text("open/1.png is broken", timeout=15_000)


def test_without_scripts_an_upload_works_too(fresh_page, ada, dispatched):
    page = fresh_page(java_script_enabled=False)
    sign_in(page, ada.email)
    page.goto("/datasets/new/")
    file = {"name": "signs.zip", "mimeType": "application/zip", "buffer": b"PK\x03\x04 and so on"}
    page.get_by_label("Files", exact=True).set_input_files([file])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="signs")).to_be_visible()


def test_a_one_time_link_signs_in_by_itself_in_a_browser(fresh_page, ada):
    address = sign_in_link(ada)
    page = fresh_page()
    page.goto(address[address.index("/sign-in/") :])
    page.wait_for_url("**/runs/")


def test_what_cannot_be_undone_is_asked_about_first(fresh_page, ada, dataset):
    page = fresh_page()
    sign_in(page, ada.email)
    page.goto(reverse("datasets:detail", args=[dataset.pk]))
    page.get_by_role("button", name="Delete the data set").click()
    page.get_by_role("button", name="Keep it").click()
    assert Dataset.objects.filter(pk=dataset.pk).exists()
    page.get_by_role("button", name="Delete the data set").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("is deleted")).to_be_visible()
    assert not Dataset.objects.filter(pk=dataset.pk).exists()
