"""The whole road, as a newcomer walks it: first sign-in, upload, a run watched live, its charts, the network taken
away and tried in both formats, a share link given and revoked. Everything is real: Redis, workers, Chromium."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.workers.pictures import CLASSES, picture_zip
from tests.workers.servers import ROOT, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ARTIFACTS = ROOT / "test-artifacts"
PASSWORD = "correct-horse-battery"
LIVE_LIMIT = 300_000  # milliseconds that the run may take on a busy machine


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "home", EUSTRESS_WORKERS="2")
    try:
        yield started.wait_until_up()
    finally:
        started.end()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield opened
    opened.close()


def watch(page: Page) -> list[str]:
    """Everything that a console would complain about: script errors, policy violations, missing files."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return complaints


def test_the_whole_road(server: Server, context: BrowserContext, chromium: Browser, tmp_path: Path) -> None:
    page = context.new_page()
    complaints = watch(page)
    try:
        enter(page, server)
        upload(page, tmp_path)
        begin_run(page)
        watch_it_finish(page)
        look_at_the_charts(page)
        take_away(page, tmp_path)
        share_and_revoke(page, chromium)
    except BaseException:
        page.screenshot(path=ARTIFACTS / "road.png", full_page=True)
        raise
    refused_on_purpose = "status of 422"  # the spec that could not be
    assert [text for text in complaints if refused_on_purpose not in text] == []


def enter(page: Page, server: Server) -> None:
    """The one-time link makes the first owner's account; afterwards it opens nothing, and the password does."""
    link = re.search(rf"{server.address}/sign-in/\S+", server.tell)
    assert link
    page.goto(link[0])
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label(re.compile("name", re.IGNORECASE)).first.fill("Ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url(f"{server.address}/runs/**")
    page.context.clear_cookies()
    assert server.get(link[0].removeprefix(server.address))[0] in (404, 410)
    page.goto(server.address)
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.address}/runs/**")


def upload(page: Page, folder: Path) -> None:
    """A zip of JPEGs in class folders; a worker looks into it while the page waits."""
    archive = folder / "shapes.zip"
    archive.write_bytes(picture_zip(each=100))
    page.get_by_role("link", name="Data sets").first.click()
    page.get_by_role("link", name=re.compile("upload", re.IGNORECASE)).first.click()
    page.locator("#id_files").set_input_files(archive)
    page.get_by_label(re.compile("^name", re.IGNORECASE)).fill("Shapes")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/"))
    expect(page.locator("main")).to_contain_text("Ready", timeout=60_000)
    for name in CLASSES:
        expect(page.locator("main")).to_contain_text(name)
    assert page.locator("main img").count() >= len(CLASSES)
    assert page.locator("main img").first.evaluate("image => image.complete && image.naturalWidth") > 0


def begin_run(page: Page) -> None:
    """First a spec that cannot be: it comes back with what was typed. Then a short one."""
    page.get_by_role("link", name="Runs").first.click()
    page.get_by_role("link", name=re.compile("new run", re.IGNORECASE)).first.click()
    page.locator("#id_dataset").select_option(
        label=next(label for label in page.locator("#id_dataset option").all_inner_texts() if "Shapes" in label)
    )
    page.locator("#id_name").fill("Shapes, smaller")
    page.get_by_label("LeNet-5 (Caffe)").check()
    page.locator("#id_generations").fill("2")
    page.locator("#id_offspring").fill("2")
    page.locator("#id_epochs").fill("-3")
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator(".field", has=page.locator("#id_epochs"))).to_contain_text("Must be at least 0.01")
    expect(page.locator("#id_epochs")).to_have_value("-3")
    expect(page.locator("#id_generations")).to_have_value("2")
    page.locator("#id_epochs").fill("4")
    page.locator("#id_max_drop").fill("15")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))


def watch_it_finish(page: Page) -> None:
    """The page follows by itself: it is never loaded again, and says more and more."""
    page.evaluate("window.neverLoadedAgain = true")
    expect(page.locator("#run-status")).to_contain_text("ancestor", timeout=60_000)
    expect(page.locator("#run-status")).to_contain_text(re.compile("generation 1", re.IGNORECASE), timeout=LIVE_LIMIT)
    expect(page.locator("#run-status")).to_contain_text("Finished", timeout=LIVE_LIMIT)
    assert page.evaluate("window.neverLoadedAgain") is True
    expect(page.locator("#networks tbody tr")).to_have_count(5)
    expect(page.locator("#run-answer")).to_contain_text("smaller")


def look_at_the_charts(page: Page) -> None:
    """Both charts are drawn, from the top of their canvas to its bottom."""
    for name in ("lineage-chart", "tradeoff-chart"):
        canvas = page.locator(f".chart:has(#{name}) > canvas.drawn")
        rows = canvas.evaluate(
            """(canvas) => {
                const { data, width } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                const painted = [];
                for (let i = 3; i < data.length; i += 4) if (data[i]) painted.push(Math.floor(i / 4 / width));
                return painted.at(-1) - painted[0];
            }"""
        )
        assert rows > 100, name
        assert page.locator(f"#{name}").bounding_box()["height"] > 100  # type: ignore[index]


def take_away(page: Page, folder: Path) -> None:
    """Both files of the chosen network arrive as their checksums say, load, and agree with each other."""
    page.get_by_role("link", name="Take it away").click()
    page.wait_for_url(re.compile(r"/networks/"))
    expect(page.locator("#take .download a")).to_have_count(5, timeout=60_000)  # genome and model cards, too
    kept = {}
    for row in page.locator("#take .download", has=page.locator(".hash")).all():
        with page.expect_download() as started:
            row.get_by_role("link", name="Download").click()
        path = folder / started.value.suggested_filename
        started.value.save_as(path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row.locator(".hash").inner_text()
        kept[path.suffix] = path
    assert_agreement(kept[".safetensors"], kept[".onnx"])


def assert_agreement(weights: Path, onnx: Path) -> None:
    import onnxruntime
    import torch

    from evolution_core.genome import load_network

    network = load_network(weights)
    assert network.genome.classes == CLASSES
    pixels = np.random.default_rng(3).integers(0, 256, (5, *network.genome.shape)).astype(np.float32)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (network.genome.mean, network.genome.std))
    network.model.eval()
    with torch.inference_mode():
        ours = network.model((torch.from_numpy(pixels) / 255 - mean) / std).numpy()
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["eustress"])
    assert tuple(about["classes"]) == CLASSES
    (theirs,) = session.run(None, {session.get_inputs()[0].name: pixels})
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def share_and_revoke(page: Page, chromium: Browser) -> None:
    """A link shows the run to who has no account, and nothing else; revoked, it shows nothing."""
    page.get_by_role("link", name="Shapes, smaller").first.click()
    page.get_by_role("link", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_label("Share link").input_value()
    stranger = chromium.new_context()
    guest = stranger.new_page()
    complaints = watch(guest)
    guest.goto(address)
    expect(guest.get_by_role("heading", name="Shapes, smaller")).to_be_visible()
    expect(guest.locator("#networks tbody tr")).to_have_count(5)
    assert guest.locator("form[method=post]").count() == 0
    assert complaints == []
    assert guest.request.get(page.url, max_redirects=0).status in (302, 404)
    page.get_by_role("button", name="Revoke").click()
    page.locator("#confirm [data-yes]").click()
    expect(page.locator("main")).to_contain_text("Revoked")
    wait_for(lambda: guest.request.get(address).status in (404, 410), 10, "the link's end")
    stranger.close()
