"""What is seen of runs at every width: nothing is cut off, legends name what is drawn, colours follow the theme."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_keeping import keep
from tests.webapp.factories import add_events, make_network
from webapp.networks.models import Network
from webapp.runs.models import Run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Boxes that scroll sideways, and the page itself where it does.
SIDEWAYS = """() => [document.documentElement, ...document.querySelectorAll('main *')]
    .filter((one) => one === document.documentElement || ['auto', 'scroll'].includes(getComputedStyle(one).overflowX))
    .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth)
    .map((one) => `${one.className || one.tagName} ${one.scrollWidth} in ${one.clientWidth}`)"""


def opened(page: Page) -> list[str]:
    """What scrolls sideways once everything that folds is unfolded."""
    page.evaluate("for (const one of document.querySelectorAll('main details:not(.menu)')) one.open = true")
    page.wait_for_timeout(200)
    return [found for found in page.evaluate(SIDEWAYS) if not found.startswith("parallel-room")]


@pytest.mark.parametrize("width", [390, 768])
def test_nothing_of_a_run_is_cut_off(open_page: Any, finished: Run, width: int) -> None:
    for name in ("ancestor", "5-2"):
        network = Network.objects.get(run=finished, name=name)
        told = {"phase": "growth", "epoch": 1.0, "loss": 23_456_789.1234, "accuracy": 0.9}
        add_events(finished, network, [("epoch", told)], finished.created_at, finished.created_at)
    Run.objects.update(generation=2)
    page = open_page(f"/runs/{finished.pk}/", width=width)
    expect(page.locator("#run [data-zoom=all]").first).to_be_visible()
    assert opened(page) == []
    for path in ("/runs/", f"/runs/{finished.pk}/log/"):
        page.goto(path)
        assert opened(page) == [], path


def test_the_name_of_a_network_stays_in_sight_beside_columns_that_were_asked_for(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/?columns=accuracy,shock,parameters,macs,bytes,memory,latency", width=390)
    page.locator("#networks .tablewrap").evaluate("(box) => box.scrollTo({ left: 500, behavior: 'instant' })")
    box = page.locator("tr[data-network='5-2'] th").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert page.locator("#networks thead th >> nth=1").bounding_box()["x"] >= 0  # type: ignore[index]


def test_names_of_the_chosen_line_have_its_colour_beside_boxes_to_tick_too(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/")
    colour = "(link) => getComputedStyle(link).color"
    names = {name: page.locator(f"tr[data-network='{name}'] th a:not(.picks)") for name in ("5-2", "4-2", "4-1")}
    seen = {name: link.evaluate(colour) for name, link in names.items()}
    assert seen["5-2"] == seen["4-2"] == "rgb(11, 122, 111)"  # the accent
    assert seen["4-1"] != seen["4-2"]


def test_the_whole_log_is_as_long_as_it_is(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/log/")
    assert page.locator(".events").evaluate("(list) => list.scrollHeight - list.clientHeight") == 0
    page.goto(f"/runs/{finished.pk}/")
    assert page.locator(".events").evaluate("(list) => list.scrollHeight - list.clientHeight") > 0


def test_the_legend_names_what_is_drawn(open_page: Any, finished: Run) -> None:
    def legend() -> list[str]:
        expect(page.locator("#run [data-zoom=all]").first).to_be_visible()
        page.wait_for_timeout(200)
        return [key.strip() for key in page.locator("#lineage-note > span:visible").all_inner_texts()]

    page = open_page(f"/runs/{finished.pk}/")
    assert legend() == ["the chosen line", "others", "area is size"]
    page.click("[data-folds=all]")
    assert legend() == ["the chosen line", "others", "folded", "area is size"]
    make_network(finished, "5-4", ("4-1",), state=Network.State.REFUSED)
    make_network(finished, "5-5", ("4-1",), state=Network.State.CANCELLED)
    make_network(finished, "5-6", ("4-1",), state=Network.State.WAITING)
    page.goto(f"/runs/{finished.pk}/")
    assert legend() == ["the chosen line", "others", "under way", "refused, cancelled", "area is size"]


def colours_of(drawing: bytes) -> set[str]:
    return set(re.findall(r"#[0-9a-f]{6}|rgba?\([^)]*\)", drawing.decode()))


def test_pictures_are_light_and_the_page_stays_dark(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/")
    expect(page.locator("#run [data-zoom=all]").first).to_be_visible()
    plots = ("lineage", "shock", "progress", "lived-on")
    light = [colours_of(keep(page, plot, "svg")[1]) for plot in plots]
    page.emulate_media(color_scheme="dark")
    assert [colours_of(keep(page, plot, "svg")[1]) for plot in plots] == light
    assert "#35c9b5" not in set.union(*light)
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    seen = "() => Chart.getChart('progress-chart').getDatasetMeta(0).data.map((point) => point.options.backgroundColor)"
    assert set(page.evaluate(seen)) == {"#35c9b5"}  # the accent of the dark theme
