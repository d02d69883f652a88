"""A network and its ancestor, truly timed in Chromium by pressing the button; never how fast they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.barriers import barriers
from webapp.devices.models import DeviceTiming
from webapp.networks.models import Network
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PATIENCE = 120_000  # milliseconds: the machine may be busy
BUTTON = "Time it on this device"


@pytest.fixture(scope="module")
def served_with_its_policy() -> Iterator[LiveServer]:
    """Static files pass the product's own middleware here, as they do for people: the content policy of the worker's
    file decides whether it may compile WebAssembly, and Django's handler for tests would send none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.contrib.staticfiles.handlers.StaticFilesHandler", lambda application: application)
        server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture
def live_server(served_with_its_policy: LiveServer) -> LiveServer:
    return served_with_its_policy


def give_onnx(network: Network, filters: int) -> None:
    """A small network of `filters` filters as its ONNX form."""
    torch = pytest.importorskip("torch")
    from evolution_core.export import export_onnx

    torch.manual_seed(filters)
    layers = [
        torch.nn.Conv2d(3, filters, 3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(filters * 14 * 14, 4),
    ]
    content = export_onnx(torch.nn.Sequential(*layers).eval(), (3, 16, 16))
    name = default_storage.save(f"runs/{network.run_id}/{network.name}.onnx", ContentFile(content))
    digest = hashlib.sha256(content).hexdigest()
    Network.objects.filter(pk=network.pk).update(onnx=name, onnx_sha256=digest, onnx_state="ready")


@pytest.fixture
def exported(finished: Run) -> Run:
    """A finished run; 5-2 and its ancestor have ONNX forms."""
    for name, filters in (("ancestor", 64), ("5-2", 2)):
        give_onnx(finished.networks.get(name=name), filters)
    return finished


def test_a_network_is_timed_on_this_device_and_the_row_appears(open_page: Callable[..., Page], exported: Run) -> None:
    page = open_page(f"/runs/{exported.pk}/networks/5-2/", width=390)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    panel = page.locator("#devices")
    expect(panel.get_by_label("What this device is called")).to_have_value(re.compile("Linux"))
    assert not [url for url in fetched if "onnxruntime" in url]  # 14 MB come only when they are needed
    panel.get_by_label("What this device is called").fill("The lab’s door")
    panel.get_by_role("button", name=BUTTON).click()
    expect(panel.get_by_role("button", name="Stop")).to_be_focused()
    expect(panel.get_by_role("status")).to_contain_text("the ancestor takes", timeout=PATIENCE)
    row = panel.get_by_role("row").filter(has=page.get_by_role("rowheader", name="The lab’s door"))
    expect(row).to_contain_text("Chrome")
    expect(row).to_contain_text(" ms")
    timing = DeviceTiming.objects.get()
    assert timing.ms > 0
    assert timing.ancestor_ms is not None
    assert timing.rounds >= 3
    assert barriers(page, "#devices") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.reload()
    expect(row).to_have_count(1)
    expect(panel.get_by_label("What this device is called")).to_have_value("The lab’s door")


def test_the_panel_comes_to_an_open_page_once_its_network_is_measured(
    open_page: Callable[..., Page], exported: Run
) -> None:
    Run.objects.filter(pk=exported.pk).update(state=Run.State.RUNNING)
    Network.objects.filter(run=exported, name="5-2").update(state="living", phase="growth")
    page = open_page(f"/runs/{exported.pk}/networks/5-2/")
    expect(page.locator("#devices")).to_be_hidden()
    Network.objects.filter(run=exported, name="5-2").update(state="measured", phase="")
    expect(page.get_by_role("button", name=BUTTON)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("link", name="On devices")).to_be_visible()
    expect(page.locator("#device-label")).not_to_have_value("")


def test_a_guest_times_it_and_nothing_is_kept(fresh_page: Callable[..., Page], exported: Run, ada: Any) -> None:
    link = ShareLink.objects.create(run=exported, created_by=ada)
    page = fresh_page()
    page.goto(f"/s/{link.token}/networks/ancestor/")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.locator("#devices").get_by_role("status")).to_contain_text("on this device", timeout=PATIENCE)
    assert not DeviceTiming.objects.exists()


def test_it_can_be_stopped_and_is_not_renewed_under_it(open_page: Callable[..., Page], exported: Run) -> None:
    page = open_page(f"/runs/{exported.pk}/networks/5-2/")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.locator("#devices")).to_contain_text("Timing", timeout=PATIENCE)
    other = "<div id='devices-timer' data-part>Something else</div>"
    renew = "async (html) => { (await import('/static/js/parts.js')).replaceParts(html); }"
    page.evaluate(renew, other)
    expect(page.locator("#devices-timer")).not_to_contain_text("Something else")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#devices-now")).to_be_hidden()
    expect(page.locator("#devices-timer")).to_contain_text("Something else")
    assert not DeviceTiming.objects.exists()


def test_what_cannot_be_timed_is_said(open_page: Callable[..., Page], exported: Run) -> None:
    stored = exported.networks.get(name="5-2").onnx
    with default_storage.open(stored.name, "wb") as file:
        file.write(b"\x08\x08 not a network")
    page = open_page(f"/runs/{exported.pk}/networks/5-2/")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("alert")).to_contain_text("ONNX Runtime could not run it here", timeout=PATIENCE)
    with default_storage.open(stored.name, "wb") as file:
        file.write(b"half")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("alert")).to_contain_text("the connection broke", timeout=PATIENCE)
    default_storage.delete(stored.name)
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("alert")).to_contain_text("not there for you any more", timeout=PATIENCE)
    assert not DeviceTiming.objects.exists()


AGENTS = [
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
        5,
        "Android phone, Chrome 130",
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; SM-X710) SamsungBrowser/27.0 Chrome/125.0.0.0 Safari/537.36",
        5,
        "Android tablet, Samsung Internet 27",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1",
        5,
        "iPhone, Safari 18.1",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.6 Safari/605.1.15",
        5,
        "iPad, Safari 17.6",
    ),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:131.0) Gecko/20100101 Firefox/131.0", 0, "Mac, Firefox 131"),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
        0,
        "Windows computer, Edge 130",
    ),
    ("Mozilla/5.0 (X11; Linux aarch64; rv:128.0) Gecko/20100101 Firefox/128.0", 0, "Linux device (ARM), Firefox 128"),
    ("curl/8.1", 0, "Unknown device, "),
]
GUESS = """async ([agent, touches]) => {
    const { browserOf, kindOf } = await import("/static/js/devices/guess.js");
    return `${kindOf(agent, touches)}, ${browserOf(agent)}`;
}"""
# On a clock of its own, which steps by whole milliseconds: one network takes 0.25 ms, the other 40 ms, and both take
# ever longer, as on a device that gets warm.
TURNS = """async () => {
    const { inTurns } = await import("/static/js/devices/turns.js");
    let [now, warmth] = [0, 1];
    const run = (took) => async () => {
        now += took * warmth;
        warmth *= 1 + took / 1e5;
    };
    const far = [];
    const clock = () => Math.floor((now += 0.01));
    const told = ({ done }) => far.push(done);
    return { ...(await inTurns([run(0.25), run(40)], { clock, told })), far };
}"""


def test_devices_are_called_what_they_most_probably_are(open_page: Callable[..., Page], exported: Run) -> None:
    page = open_page(f"/runs/{exported.pk}/networks/5-2/")
    assert [page.evaluate(GUESS, [agent, touches]) for agent, touches, _ in AGENTS] == [said for _, _, said in AGENTS]


def test_turns_are_fair_on_a_coarse_clock(open_page: Callable[..., Page], exported: Run) -> None:
    found = open_page(f"/runs/{exported.pk}/networks/5-2/").evaluate(TURNS)
    own, ancestor = found["medians"]
    assert ancestor / own == pytest.approx(160, rel=0.08)
    assert found["rounds"] > 20
    assert found["far"] == sorted(found["far"])
    assert found["far"][-1] == 1


def test_what_does_not_fit_beside_it_is_left_out_and_said(open_page: Callable[..., Page], exported: Run) -> None:
    """An ancestor of which the page tells more bytes than a browser gives to one file."""
    page = open_page(f"/runs/{exported.pk}/networks/5-2/")
    page.get_by_role("button", name=BUTTON).evaluate("(button) => { button.dataset.ancestorSize = String(2 ** 52); }")
    page.get_by_role("button", name=BUTTON).click()
    said = page.locator("#devices").get_by_role("status")
    expect(said).to_contain_text("does not fit into the memory", timeout=PATIENCE)
    expect(page.locator("#devices-timings")).to_contain_text("just now")
    assert DeviceTiming.objects.get().ancestor_ms is None
