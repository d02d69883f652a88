"""Debian's Chromium, driven by Playwright. Without it these tests are skipped; under CI that is a failure.

`fresh_page()` is a page of a browser that nobody has signed in with; `open_page(path)` one of ada's. Both fail at the
end if the page's console complained.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.webapp.factories import make_evolution
from webapp.runs.models import Run

# A refused form is 422; the test server is no ASGI, so a live page asks for the stream once and then polls.
# Pages learn by 401 or 410 that their reader is signed out or a link is revoked.
# Connections are reset by tests of what survives that, and nothing is ever found below /nothing/.
EXPECTED = re.compile(r"[Ss]tatus (?:of|Error Code) (401|410|422|501) |ERR_CONNECTION_RESET").search
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = "The browser tests need Chromium. Install it with: sudo apt-get install chromium"


def find_browser() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module, not a session: while Playwright runs, its event loop holds this thread, and tests after
    these could not run one of their own."""
    path = find_browser()
    if path is None:
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(ADVICE)
        pytest.skip(ADVICE)
    with sync_playwright() as playwright:
        # root may not use Chromium's sandbox; the pages under test are our own
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def rows_beside_a_loop() -> Iterator[None]:
    """Playwright's event loop runs in this thread, where Django would refuse to make rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def fresh_page(live_server: Any, chromium: Browser, rows_beside_a_loop: None) -> Iterator[Callable[..., Page]]:
    """Makes pages, each of a browser of its own; scripts that stumble and the content policy count as complaints."""
    complaints: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        on_purpose = EXPECTED(message.text) or "/nothing/" in message.location["url"]
        if message.type == "error" and not on_purpose:
            complaints.append(message.text)

    def make(width: int = 1280, scheme: str = "light", **options: Any) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=live_server.url, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_page(live_server: Any, fresh_page: Callable[..., Page], client_of: Any, ada: Any) -> Callable[..., Page]:
    """Opens a path as ada, who is signed in already."""

    def make(path: str, **options: Any) -> Page:
        page = fresh_page(**options)
        session = client_of(ada).cookies["eustress_session"].value
        page.context.add_cookies([{"name": "eustress_session", "value": session, "url": live_server.url}])
        page.goto(path)
        return page

    return make


@pytest.fixture
def evolution(rows_beside_a_loop: None, team: Any) -> Run:
    """A run of five generations that is nearly over: 5-3 is still in training."""
    return make_evolution(team, files=False)


@pytest.fixture
def finished(rows_beside_a_loop: None, team: Any) -> Run:
    """The same run at its end."""
    run = make_evolution(team, finished=True)
    Run.objects.update(proposed=run.chosen)
    return run
