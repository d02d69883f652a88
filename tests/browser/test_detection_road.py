"""From a zip of pictures with boxes to a detector that runs anywhere: uploaded, agreed to, bred, looked at, taken.

Pascal VOC goes the whole road; COCO and YOLO go from upload to download by the shortest way. All walk on one server.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_road import ARTIFACTS, LIVE_LIMIT, enter, watch
from tests.evolution_core import boxes
from tests.workers.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(600)]

SMALL = {"width": "0.05", "input_size": "64", "generations": "1", "offspring": "1", "epochs": "1", "max_drop": "50"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("detection") / "home")
    try:
        yield started.wait_until_up()
    finally:
        started.end()


@pytest.fixture(scope="module")
def signed_in(server: Server, chromium: Browser) -> Any:
    """Cookies of the owner, who signed in once."""
    context = chromium.new_context()
    enter(context.new_page(), server)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(server: Server, signed_in: Any, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page on the list of runs, whose console must stay silent but for what was refused on purpose."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, accept_downloads=True, storage_state=signed_in
    )
    opened = context.new_page()
    complaints = watch(opened)
    opened.goto(f"{server.address}/runs/")
    failed = request.session.testsfailed
    yield opened
    if request.session.testsfailed > failed:
        opened.screenshot(path=ARTIFACTS / f"{request.node.name}.png", full_page=True)
    context.close()
    refused_on_purpose = "status of 422"  # a size that could not be
    assert [text for text in complaints if refused_on_purpose not in text] == []


def test_the_road_of_a_detector(server: Server, page: Page, tmp_path: Path) -> None:
    upload_and_agree(page, tmp_path)
    begin(page)
    expect(page.locator("#run-status")).to_contain_text("Finished", timeout=LIVE_LIMIT)
    expect(page.locator("#networks")).to_contain_text("mAP@.5")
    look(page, server)
    take_away(page, tmp_path)


@pytest.mark.parametrize(("form", "said"), [("coco", "COCO"), ("yolo", "YOLO")])
def test_other_formats_reach_the_same_end(form: str, said: str, page: Page, tmp_path: Path) -> None:
    upload(page, boxes.zipped(tmp_path / f"{form}.zip", boxes.FORMATS[form](boxes.scenes(24))), f"As {said}")
    expect(page.locator("main")).to_contain_text("Ready", timeout=60_000)
    expect(page.locator("main")).to_contain_text(said)
    page.get_by_role("link", name="New run with this data").click()
    page.wait_for_url(re.compile(r"/runs/new/"))
    for name, value in SMALL.items():
        page.locator(f"#id_{name}").fill(value)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    expect(page.locator("#run-status")).to_contain_text("Finished", timeout=LIVE_LIMIT)
    page.get_by_role("link", name="Take it away").click()
    page.wait_for_url(re.compile(r"/networks/"))
    take_away(page, tmp_path)


def test_a_broken_annotation_is_refused_by_name(page: Page, tmp_path: Path) -> None:
    entries = {**boxes.voc(boxes.scenes(8)), "Set/Annotations/p5.xml": "<annotation><object>"}
    upload(page, boxes.zipped(tmp_path / "broken.zip", entries), "Broken")
    expect(page.locator("main")).to_contain_text("p5.xml", timeout=60_000)
    expect(page.locator("main")).to_contain_text("Refused")
    assert page.get_by_role("link", name="New run with this data").count() == 0


def upload(page: Page, archive: Path, name: str) -> None:
    page.get_by_role("link", name="Data sets").first.click()
    page.get_by_role("link", name=re.compile("upload", re.IGNORECASE)).first.click()
    page.locator("#id_files").set_input_files(archive)
    page.get_by_label(re.compile("^name", re.IGNORECASE)).fill(name)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/datasets/\d+/"))


def upload_and_agree(page: Page, folder: Path) -> None:
    """One box of no area: it is named by file, and nothing begins before somebody agrees to leave it out."""
    scenes = boxes.scenes(40)
    scenes[7].append((0, 20.0, 10.0, 20.0, 30.0))
    upload(page, boxes.zipped(folder / "boxes.zip", boxes.voc(scenes)), "Boxes")
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
    expect(page.locator("#id_augmentation_photo")).to_be_checked()
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


def look(page: Page, server: Server) -> None:
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
