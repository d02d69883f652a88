"""A network from outside: trained and exported by plain PyTorch, added in a browser, evolved, taken away again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from torch import nn

from tests.browser.test_road import ARTIFACTS, LIVE_LIMIT, enter, watch
from tests.evolution_core.own_networks import MobileNet, exported
from tests.workers.pictures import CLASSES, picture, picture_zip
from tests.workers.servers import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(600)]
SIDE = 24


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("own") / "home")
    try:
        yield started.wait_until_up()
    finally:
        started.end()


def pictures(each: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images [n, 3, 24, 24] of 0 to 255, and their classes."""
    luck = np.random.default_rng(seed)
    images = [np.asarray(picture(kind, luck, SIDE)) for kind in CLASSES for _ in range(each)]
    labels = torch.arange(len(CLASSES)).repeat_interleave(each)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float(), labels


def trained_outside() -> bytes:
    """MobileNetV2 in miniature, which knows the three shapes well, fed 0 to 1; as its maker would export it."""
    torch.manual_seed(0)
    model = MobileNet()
    model.classifier[1] = nn.Linear(16, len(CLASSES))
    images, labels = pictures(100, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(90):
        chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(step))[:64]
        nn.functional.cross_entropy(model(images[chosen] / 255), labels[chosen]).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    seen, truth = pictures(50, seed=2)
    with torch.inference_mode():
        assert (model(seen / 255).argmax(1) == truth).float().mean() > 0.8
    return exported(model)


def test_an_onnx_network_evolves_from_upload_to_download(server: Server, chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    complaints = watch(page)
    network = tmp_path / "shapes-net.onnx"
    network.write_bytes(trained_outside())
    try:
        enter(page, server)
        add_images(page, tmp_path)
        begin(page, network)
        expect(page.locator("#run-status")).to_contain_text("Finished", timeout=LIVE_LIMIT)
        page.get_by_role("link", name="Take it away").click()
        page.wait_for_url(re.compile(r"/networks/1-1/"))
        assert_better_than_chance_and_smaller(take_onnx(page, tmp_path), network)
        the_ancestor_is_what_was_brought(page, network)
    except BaseException:
        page.screenshot(path=ARTIFACTS / "own-network.png", full_page=True)
        raise
    assert complaints == []


def add_images(page: Page, folder: Path) -> None:
    archive = folder / "shapes.zip"
    archive.write_bytes(picture_zip(each=80, size=SIDE))
    page.goto(page.url.replace("/runs/", "/datasets/new/"))
    page.locator("#id_files").set_input_files(archive)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("main")).to_contain_text("Ready", timeout=60_000)
    page.get_by_role("link", name="New run with this data").click()


def begin(page: Page, network: Path) -> None:
    """The file is looked into where it is chosen; then it can be."""
    page.get_by_label("Your own network").check()
    page.locator("#id_own_file").set_input_files(network)
    expect(page.locator("[data-base=onnx] [data-states]")).to_contain_text("Ready", timeout=60_000)
    expect(page.locator("#id_own option:checked")).to_contain_text(network.name)
    for name, value in {"generations": "1", "offspring": "1", "epochs": "3", "max_drop": "60"}.items():
        page.locator(f"#id_{name}").fill(value)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))


def take_onnx(page: Page, folder: Path) -> Path:
    row = page.locator("#take .download", has_text="ONNX").first
    expect(row.get_by_role("link", name="Download")).to_be_visible(timeout=60_000)
    with page.expect_download() as started:
        row.get_by_role("link", name="Download").click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def size(path: Path) -> int:
    """Numbers that the file holds."""
    return sum(int(np.prod(tensor.dims)) for tensor in onnx.load(path).graph.initializer)


def assert_better_than_chance_and_smaller(offspring: Path, ancestor: Path) -> None:
    """It takes plain pixels, names the classes, and has not forgotten what its ancestor knew."""
    assert size(offspring) < size(ancestor)
    session = onnxruntime.InferenceSession(offspring, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["eustress"])
    assert tuple(about["classes"]) == CLASSES
    images, labels = pictures(50, seed=3)
    (scores,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    assert (scores.argmax(1) == labels.numpy()).mean() > 0.5


def the_ancestor_is_what_was_brought(page: Page, network: Path) -> None:
    """Its accuracy was measured and not trained: it says how it was fed."""
    page.goto(re.sub(r"/networks/.*", "/log/", page.url))
    expect(page.locator("main")).to_contain_text("normalised as: 0 to 1")
    page.goto(page.url.replace("/log/", "/networks/ancestor/"))
    figures = page.locator("main").inner_text()
    found = re.search(r"(\d+\.\d+)\s*%", figures)
    assert found, figures
    assert float(found[1]) > 80, figures
