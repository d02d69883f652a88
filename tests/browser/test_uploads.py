"""An upload in a real browser goes on where a broken connection left it, in the same page and in a new one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.barriers import barriers
from tests.webapp.factories import make_dataset
from webapp.datasets.models import Dataset
from webapp.runs.models import BaseFile
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


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "large.onnx"
    path.write_bytes(b"\x08" + bytes(range(256)) * 70_000)  # three pieces
    return path


def test_a_network_of_ones_own_goes_on_where_it_was_broken_off(open_page: Any, network: Path, dispatched: Any) -> None:
    page = open_page("/runs/bases/", width=390)
    break_after(page, 2, for_good=True)
    page.get_by_label("File", exact=True).set_input_files(network)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("trying again")).to_be_visible(timeout=30_000)
    assert barriers(page) == []
    page.get_by_role("button", name="Stop sending large.onnx").click()
    expect(page.get_by_role("alert")).to_contain_text("choose the same file again")
    page.unroute_all()
    page.reload()
    expect(page.get_by_role("region", name="On the way")).to_contain_text("16.0 MB of 17.9 MB")
    seen = break_after(page, 99, for_good=True)
    page.get_by_label("File", exact=True).set_input_files(network)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("rowheader", name="large.onnx")).to_be_visible(timeout=30_000)
    assert seen == [str(2 * PIECE)]
    with BaseFile.objects.get().file.open() as file:
        assert file.read() == network.read_bytes()
    assert not Upload.objects.exists()


def test_the_run_form_sends_one_in_pieces_and_says_how_far_it_is(
    open_page: Any, network: Path, team: Any, dispatched: Any
) -> None:
    make_dataset(team)
    page = open_page("/runs/new/")
    seen = break_after(page, 1, for_good=False)
    page.get_by_role("radio", name="Your own network").check()
    page.set_input_files("#id_own_file", network)
    states = page.locator("[data-base=onnx] [data-states]")
    expect(states).to_contain_text("Waiting for inspection", timeout=30_000)
    assert seen == ["0", str(PIECE), "cut", str(PIECE), str(2 * PIECE)]
    BaseFile.objects.update(state=BaseFile.State.READY)
    expect(page.locator("#id_own")).to_have_value(BaseFile.objects.get().sha256, timeout=15_000)
    page.set_input_files("#id_own_file", {"name": "wrong.onnx", "mimeType": "", "buffer": b"PK no network"})
    expect(states.get_by_role("alert")).to_have_text("wrong.onnx: This is not an ONNX file.")


def test_without_scripts_a_network_is_sent_in_one_request(open_page: Any, network: Path, dispatched: Any) -> None:
    page = open_page("/runs/bases/", java_script_enabled=False)
    page.get_by_label("File", exact=True).set_input_files(network)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("rowheader", name="large.onnx")).to_be_visible()
    assert BaseFile.objects.get().size == network.stat().st_size
