"""An upload in a real browser goes on where a broken connection left it, in the same page and in a new one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.barriers import barriers
from webapp.datasets.models import Dataset
from webapp.uploads.models import Upload

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PIECE = 8_000_000  # webapp/static/js/pieces.js
CONTENT = b"PK\x03\x04" + bytes(range(256)) * 70_000  # three pieces


@pytest.fixture
def page(open_page: Any, dispatched: Any) -> Page:
    return open_page("/datasets/new/", width=390)  # type: ignore[no-any-return]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "large.zip"
    path.write_bytes(CONTENT)
    return path


def break_after(page: Page, pieces: int, *, for_good: bool) -> list[str]:
    """Lets so many pieces through, then cuts the connection: once, or until the page is told otherwise."""
    seen: list[str] = []

    def pass_or_break(route: Route) -> None:
        if route.request.method == "PATCH":
            seen.append(route.request.headers["upload-offset"])
        number = len(seen)
        if route.request.method in ("PATCH", "HEAD") and number > pieces and (for_good or number == pieces + 1):
            if not for_good:
                seen.append("cut")
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(re.compile("/uploads/"), pass_or_break)
    return seen


def upload(page: Page, archive: Path) -> None:
    page.get_by_label("Files", exact=True).set_input_files(archive)
    page.get_by_role("button", name="Upload").click()


def arrived() -> bytes:
    with Dataset.objects.get().files.get().file.open() as file:
        return bytes(file.read())


def test_a_connection_that_breaks_once_is_made_again(page: Page, archive: Path) -> None:
    seen = break_after(page, 1, for_good=False)
    upload(page, archive)
    expect(page.get_by_role("heading", name="large")).to_be_visible(timeout=30_000)
    assert seen == ["0", str(PIECE), "cut", str(PIECE), str(2 * PIECE)]
    assert arrived() == CONTENT


def test_an_upload_broken_off_goes_on_in_a_new_page(page: Page, archive: Path) -> None:
    break_after(page, 2, for_good=True)
    upload(page, archive)
    expect(page.get_by_text("trying again")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Upload")).to_be_enabled()
    page.unroute_all()
    page.reload()
    expect(page.get_by_role("region", name="On the way")).to_contain_text("16.0 MB of 17.9 MB")
    assert barriers(page) == []
    seen = break_after(page, 99, for_good=True)
    upload(page, archive)
    expect(page.get_by_role("heading", name="large")).to_be_visible(timeout=30_000)
    assert seen == [str(2 * PIECE)]
    assert arrived() == CONTENT
    assert not Upload.objects.exists()
