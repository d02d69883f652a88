"""Pages of networks and comparisons fit their window: no table scrolls sideways, tables fill their panels, words of
boxes do not cover each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import Page, expect

from tests.webapp import answers
from tests.webapp.factories import make_box_dataset, make_detection, make_network
from webapp.runs.models import Run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def scrolling(page: Page) -> Any:
    """Panels of which a table is wider than there is room."""
    return page.evaluate(
        "[...document.querySelectorAll('.tablewrap')].filter((wrap) => wrap.scrollWidth > wrap.clientWidth + 1)"
        ".map((wrap) => wrap.closest('section').getAttribute('aria-labelledby'))"
    )


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_a_networks_tables_fit(open_page: Any, finished: Run, width: int) -> None:
    answers.write_all(finished, "3-2")
    for name in ("3-2", "ancestor"):
        page = open_page(f"/runs/{finished.pk}/networks/{name}/", width=width)
        expect(page.locator("#confusion")).to_be_visible()
        assert scrolling(page) == [], name


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_few_that_are_compared_fill_the_page(open_page: Any, finished: Run, width: int) -> None:
    answers.write_all(finished)
    page = open_page(f"/compare/?network={finished.pk}:5-2&network={finished.pk}:ancestor", width=width)
    expect(page.locator(".entries li")).to_have_count(2)
    assert scrolling(page) == []
    layers, classes = (page.locator(f"section[aria-labelledby={name}-title]") for name in ("layers", "classes"))
    for section in (layers, classes):
        table, room = section.locator("table").bounding_box(), section.bounding_box()
        assert table["width"] > room["width"] - 48
        expect(section.locator("thead")).to_be_visible()  # two stay columns on a phone too
    one, other = layers.bounding_box(), classes.bounding_box()
    assert (one["y"] == other["y"]) is (width == 1440)


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_a_detectors_tables_fit_and_words_of_boxes_do_not_cover_each_other(
    open_page: Any, rows_beside_a_loop: None, team: Any, width: int
) -> None:
    run = make_detection(make_box_dataset(team))
    name = run.networks.get(name="1-1").predictions.name
    with default_storage.open(name) as file:
        stored = json.load(file)
    crowd = [(0.08 * (place % 12), 0.16 * (place // 12)) for place in range(60)]
    stored["images"][0]["found"] = [
        [place % 2, x, y, x + 0.12, y + 0.2, round(0.9 - place / 100, 2)] for place, (x, y) in enumerate(crowd)
    ]
    default_storage.delete(name)
    default_storage.save(name, ContentFile(json.dumps(stored).encode()))
    page = open_page(f"/runs/{run.pk}/networks/1-1/", width=width)
    assert scrolling(page) == []
    places = page.locator("[aria-label^='Boxes of 1-1']").first.locator("text:visible")
    boxes = places.evaluate_all(
        "(texts) => texts.map((text) => text.getBBox()).map(({ x, y, width, height }) => [x, y, x + width, y + height])"
    )
    assert 5 < len(boxes) < 40
    for number, one in enumerate(boxes):
        assert one[0] > -2
        assert one[2] < 402
        for other in boxes[number + 1 :]:
            across = min(one[2], other[2]) - max(one[0], other[0])
            down = min(one[3], other[3]) - max(one[1], other[1])
            assert across < 2 or down < 6, (one, other)  # lines of text have room above and below their letters


def test_first_filters_are_printed(open_page: Any, finished: Run) -> None:
    answers.write_all(finished)
    page = open_page(f"/runs/{finished.pk}/networks/5-2/")
    expect(page.locator("#filters")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("#filters")).to_be_visible()


def test_what_went_wrong_stands_apart_from_the_panels(open_page: Any, finished: Run) -> None:
    make_network(finished, "6-1", ("5-2",), state="errored", message="The worker ran out of memory.")
    page = open_page(f"/runs/{finished.pk}/networks/6-1/")
    note, panel = (page.locator(one).bounding_box() for one in ("#network-head > .note", "#network-figures"))
    assert panel["y"] - note["y"] - note["height"] > 8
