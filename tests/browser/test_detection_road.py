"""From a zip of pictures with boxes to a detector that runs anywhere: uploaded, agreed to, bred, looked at, taken."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.test_road import ARTIFACTS, LIVE_LIMIT, context, enter, server, watch  # noqa: F401  (fixtures)
from tests.evolution_core import boxes
from tests.workers.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(600)]


def test_the_road_of_a_detector(
    server: Server,  # noqa: F811
    context: BrowserContext,  # noqa: F811
    chromium: Browser,
    tmp_path: Path,
) -> None:
    page = context.new_page()
    complaints = watch(page)
    try:
        enter(page, server)
        upload_and_agree(page, tmp_path)
        begin(page)
        expect(page.locator("#run-status")).to_contain_text("Finished", timeout=LIVE_LIMIT)
        expect(page.locator("#networks")).to_contain_text("mAP@.5")
        look(page, server)
        take_away(page, tmp_path)
    except BaseException:
        page.screenshot(path=ARTIFACTS / "detection.png", full_page=True)
        raise
    refused_on_purpose = "status of 422"  # the size that could not be
    assert [text for text in complaints if refused_on_purpose not in text] == []


def upload_and_agree(page: Page, folder: Path) -> None:
    """One box of no area: it is named by file, and nothing begins before somebody agrees to leave it out."""
    scenes = boxes.scenes(40)
    scenes[7].append((0, 20.0, 10.0, 20.0, 30.0))
    page.get_by_role("link", name="Data sets").first.click()
    page.get_by_role("link", name=re.compile("upload", re.IGNORECASE)).first.click()
    page.locator("#id_files").set_input_files(boxes.zipped(folder / "boxes.zip", boxes.voc(scenes)))
    page.get_by_label(re.compile("^name", re.IGNORECASE)).fill("Boxes")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/"))
    expect(page.locator("main")).to_contain_text("1 box cannot be used", timeout=60_000)
    expect(page.locator("main")).to_contain_text("p7.xml")
    assert page.get_by_role("link", name="New run with this data").count() == 0
    page.get_by_role("button", name="Agree and use the rest").click()
    page.get_by_role("link", name="New run with this data").click()
    page.wait_for_url(re.compile(r"/runs/new/"))


def begin(page: Page) -> None:
    """Only detectors are offered; sizes that they cannot take are refused."""
    expect(page.get_by_label("Tiny YOLOv2")).to_be_checked()
    expect(page.get_by_label("LeNet-5 (Caffe)")).to_be_hidden()
    expect(page.locator("#id_augmentation_flip-shift")).to_be_checked()
    page.locator("#id_name").fill("Boxes, smaller")
    page.locator("#id_width").fill("0.05")
    page.locator("#id_input_size").fill("70")
    page.locator("#id_generations").fill("1")
    page.locator("#id_offspring").fill("1")
    page.locator("#id_epochs").fill("6")
    page.locator("#id_max_drop").fill("50")
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator(".field", has=page.locator("#id_input_size"))).to_contain_text("multiple of 32")
    page.locator("#id_input_size").fill("64")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))


def look(page: Page, server: Server) -> None:  # noqa: F811
    """Pictures with the boxes of both; the threshold hides and shows them at once."""
    page.get_by_role("link", name="Take it away").click()
    page.wait_for_url(re.compile(r"/networks/"))
    section = page.locator("#predictions")
    expect(section).to_be_visible(timeout=120_000)
    expect(section.locator("article svg")).not_to_have_count(0)
    image = section.locator("article svg image").first.get_attribute("href")
    assert image is not None
    assert page.request.get(server.address + image).headers["content-type"] == "image/jpeg"
    page.locator("#threshold").fill("0.05")
    everything = section.locator("g.box:not(.below)").count()
    page.locator("#threshold").fill("0.95")
    assert section.locator("g.box:not(.below)").count() <= everything
    assert everything == section.locator("g.box").count()
    expect(page.locator("#threshold-shown")).to_have_text("95 %")
    section.get_by_role("link", name="worst first").click()
    expect(section.get_by_role("link", name="worst first")).to_have_attribute("aria-current", "true")
    assert "order=worst" in page.url
    assert "threshold=0.95" in page.url


def take_away(page: Page, folder: Path) -> None:
    """The form with boxes arrives as its checksum says, and finds boxes where no PyTorch is."""
    row = page.locator("#take .download", has_text="ONNX with boxes")
    expect(row.get_by_role("link", name="Download")).to_be_visible(timeout=60_000)
    with page.expect_download() as started:
        row.get_by_role("link", name="Download").click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == row.locator(".hash").inner_text()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["eustress"])
    assert about["classes"] == list(boxes.CLASSES)
    assert about["input"]["shape"] == [3, 64, 64]
    image = np.full((1, 3, 64, 64), 200, np.float32)
    given = {"image": image, "score_threshold": np.array([0.0], np.float32)}
    found, scores, classes = session.run(["boxes", "scores", "classes"], given)
    assert len(found) == len(scores) == len(classes) > 0
    assert ((found >= 0) & (found <= 64)).all()
