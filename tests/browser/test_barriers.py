"""axe-core finds nothing on any page, in light and in dark. The pages are those that the addresses lead to, so that
a new one is looked at as soon as it has an address; what addresses alone do not show (other states, what opens)
follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from playwright.sync_api import Browser, Page

from tests.browser.barriers import barriers
from tests.webapp.factories import add_events, make_evolution, make_network, make_run
from tests.webapp.test_isolation import ALL, address, world  # noqa: F401  (a fixture)
from webapp.datasets.models import Dataset
from webapp.networks.models import Network
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(900)]
SETTLED = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    for (let still = 0; still < 3; still += 1) {
        await frame();
        if (document.getAnimations().some((one) => one.playState === "running")) still = 0;
    }
}"""


@pytest.fixture
def page_of(
    live_server: Any, chromium: Browser, client_of: Any, rows_beside_a_loop: None
) -> Iterator[Callable[..., Page]]:
    contexts = []

    def make(person: Any = None, width: int = 1280) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, base_url=live_server.url, reduced_motion="reduce"
        )
        if person is not None:
            value = client_of(person).cookies["eustress_session"].value
            context.add_cookies([{"name": "eustress_session", "value": value, "url": live_server.url}])
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def found() -> Iterator[list[str]]:
    """What was found on any page; all of it is told at once, at the end."""
    problems: list[str] = []
    yield problems
    assert problems == []


def look(page: Page, name: str, found: list[str]) -> None:
    """The page as it stands, in both themes."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("scheme => document.documentElement.dataset.bsTheme === scheme", arg=scheme)
        page.evaluate(SETTLED)  # colours glide, even if only for a hundredth of a millisecond
        found += [f"{name} ({scheme}): {problem}" for problem in barriers(page)]


def pages(client: Any, world: dict[str, Any]) -> list[str]:  # noqa: F811
    """Addresses of members' pages: whatever answers with a whole document."""
    result = []
    for route in ALL:
        if "token" in route.parameters or "uuid" in route.path or iscoroutinefunction(route.callback):
            continue
        path = address(route, world)
        response = client.get(path)
        is_html = response.status_code == 200 and response["Content-Type"].startswith("text/html")
        if is_html and not response.streaming and b"<!doctype html>" in response.content[:200].lower():
            result.append(path)
    return result


def test_no_page_shuts_anybody_out(
    page_of: Any,
    client_of: Any,
    ada: Any,
    world: dict[str, Any],  # noqa: F811
    found: list[str],
) -> None:
    addresses = pages(client_of(ada), world)
    assert len(addresses) >= 12
    page = page_of(ada)
    for path in addresses:
        page.goto(path)
        look(page, path, found)


def test_doors_errors_and_shared_pages_do_not_either(page_of: Any, ada: Any, team: Any, found: list[str]) -> None:
    run = make_evolution(team, finished=True, files=False)
    link, closed = (ShareLink.objects.create(run=run, created_by=ada) for _ in range(2))
    closed.revoke()
    page = page_of()
    shared = [f"/s/{link.token}/", f"/s/{link.token}/log/", f"/s/{link.token}/networks/2-1/", f"/s/{closed.token}/"]
    for path in ["/sign-in/", "/inactive/", "/sign-up/", "/nothing/here/", "/sign-in/stale/", *shared]:
        page.goto(path)
        look(page, path, found)


def test_every_state_of_a_run_and_what_opens(page_of: Any, ada: Any, team: Any, found: list[str]) -> None:
    page = page_of(ada)
    for path in ("/runs/", "/datasets/", "/runs/new/", "/runs/bases/"):  # with nothing there yet
        page.goto(path)
        look(page, f"{path} of an empty team", found)
    for run, name in states(team):
        page.goto(f"/runs/{run.pk}/")
        look(page, name, found)
    page.goto("/runs/")
    look(page, "the list of all states", found)
    run = Run.objects.filter(state=Run.State.FINISHED).first()
    assert run is not None
    page.goto(f"/runs/{run.pk}/?network=3-1")
    page.click("summary:has-text('Change the rule')")
    page.check("[type=radio][value=picked]")
    look(page, "the rule's form", found)
    page.keyboard.press("Escape")
    page.evaluate("for (const one of document.querySelectorAll('main details:not(.menu)')) one.open = true")
    look(page, "everything opened", found)
    for number in range(page.locator("main details.menu").count()):  # one by one: each lies over what is below it
        page.evaluate(
            "at => document.querySelectorAll('main details.menu').forEach((one, i) => (one.open = i === at))", number
        )
        page.evaluate(SETTLED)
        found += [f"menu {number}: {problem}" for problem in barriers(page, "main details.menu[open]")]
    page.evaluate("for (const one of document.querySelectorAll('main details.menu')) one.open = false")
    page.goto("/runs/")
    page.keyboard.press("?")
    look(page, "the keys", found)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/runs/{run.pk}/?network=3-1")
    look(page, "a run on a phone", found)


def states(team: Any) -> Iterator[tuple[Run, str]]:
    """A run in each state, with what it says there."""
    dataset = None
    for state in Run.State.values:
        run = make_evolution(team, dataset, finished=state == Run.State.FINISHED, files=False, name=f"Run {state}")
        dataset = Dataset.objects.get(pk=run.dataset_id)
        ended = state in Run.ENDED
        fields = {"state": state, "message": "Too few images for so many classes."} if ended else {"state": state}
        if state == Run.State.PAUSED:
            fields["pause_requested_at"] = run.created_at
        if ended:
            Network.objects.filter(run=run, state="living").update(state="cancelled")
        Run.objects.filter(pk=run.pk).update(**fields)
        if state == Run.State.RUNNING:
            back = make_network(run, "5-4", ("4-2",), state="waiting", progress=0.4)
            add_events(run, back, [("lost", {})], run.created_at, run.created_at)
            alive = Network.objects.get(run=run, name="5-3")
            points = [{"phase": "growth", "epoch": e, "loss": 1 / e, "accuracy": 0.8 + e / 20} for e in (1.0, 2.0)]
            add_events(run, alive, [("epoch", data) for data in points], run.created_at, run.created_at)
            make_network(run, "5-5", ("4-2",), state="refused", message="Its surgery could not be proven.")
        yield run, f"a run that is {state}"
    yield make_run(team, dataset, name="Nothing yet"), "a run without networks"
