"""The run's page and the run form in a real browser: what scripts do there, and that the page lives without a stream.

The test server is no ASGI: it refuses the stream, so every live test here is one of the fallback.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.webapp.factories import make_dataset
from webapp.networks.models import Network
from webapp.runs.models import Run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def drawn(page: Page, canvas: str) -> bool:
    """Whether something is painted on the canvas."""
    script = """(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        .data.some((value, i) => i % 4 === 3 && value > 0)"""
    return bool(page.locator(canvas).evaluate(script))


def wait_for_charts(page: Page) -> None:
    expect(page.locator("#run [data-zoom=all]").first).to_be_visible()


def test_charts_are_drawn_and_the_view_is_kept_in_the_address(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_for_charts(page)
    for canvas in ("#lineage-chart", "#tradeoff-chart"):
        page.wait_for_timeout(100)
        assert drawn(page, f".chart:has({canvas}) > canvas.drawn"), canvas
    assert drawn(page, "#shock-chart")
    page.click("#lineage-axes a:has-text('parameters')")
    expect(page.locator("#lineage-axes a[data-same=parameters]")).to_have_attribute("aria-current", "true")
    page.click("#tradeoff-axes a[data-same=macs]")
    page.click("#tradeoff-scales a[data-same=xscale]")
    expect(page.locator("#tradeoff-scales a[data-same=xscale]")).to_have_text("Multiply-adds linear")
    page.click("#networks th a:has-text('Parameters')")
    expect(page.locator("#networks [aria-sort=ascending]")).to_be_visible()
    page.click("tr[data-network='3-1'] td >> nth=1")
    expect(page.locator("#card-title")).to_have_text("3-1")
    page.click("[data-plot=tradeoff][data-zoom=in]")
    address = page.url
    for part in ("height=parameters", "cost=macs", "xscale=linear", "sort=parameters", "network=3-1", "zoom="):
        assert part in address
    page.goto(address)  # as a colleague who was sent the address
    wait_for_charts(page)
    expect(page.locator("#tradeoff-axes a[data-same=macs]")).to_have_attribute("aria-current", "true")
    expect(page.locator("#card-title")).to_have_text("3-1")
    page.click("[data-plot=tradeoff][data-zoom=all]")
    assert "zoom=" not in page.url


def test_one_selection_brushes_charts_and_table_together(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_for_charts(page)
    box = page.locator("#tradeoff-chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.6, steps=4)
    expect(page.locator("[data-count]")).to_contain_text("of 16 networks selected")  # while it is dragged
    page.mouse.up()
    expect(page.locator("#networks .panel-head")).to_contain_text("of 16 selected")
    found = int(page.locator("[data-count]").inner_text().split()[0])
    rows = page.locator("tr[data-network]")
    assert 0 < found < 16
    expect(rows).to_have_count(found)
    assert "parameters=" in page.url
    assert "accuracy=" in page.url
    page.goto(page.url)
    wait_for_charts(page)
    expect(rows).to_have_count(found)
    page.fill("input[name='accuracy.from']", "50")  # the same selection, by keyboard
    expect(page.locator("[data-count]")).not_to_have_text(f"{found} of 16 networks selected")
    assert "accuracy=50" in page.url
    page.click("[data-clears]")
    expect(rows).to_have_count(16)
    assert "accuracy=" not in page.url
    page.fill(".rule:has(input[value=within]) input[name=value]", "1")
    page.click(".rule:has(input[value=within]) button")
    expect(page.locator("[data-landed]")).to_contain_text("is the smallest within 1 point")
    assert "network=5-2" in page.url


def test_the_lineage_can_be_walked_by_keyboard_and_opens_a_network(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_for_charts(page)
    page.focus("#lineage-chart")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#announcer")).to_contain_text("1-2, 92.4 % accuracy")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#announcer")).to_contain_text("1-1, 91.2 % accuracy")
    expect(page.locator("tr[data-network='1-1']")).to_have_class("row-link over")
    page.keyboard.press("Space")
    expect(page.locator("#card-title")).to_have_text("1-1")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{evolution.pk}/networks/1-1/")


def test_the_page_lives_by_polling_where_there_is_no_stream(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    expect(page.locator("[data-life='5-3'] [data-percent]")).to_contain_text("62 %")
    page.click("summary:has-text('Change the rule')")
    page.fill("#rule-value", "2")  # somebody types: her field is not taken away
    network = Network.objects.get(run=evolution, name="5-3")
    Network.objects.filter(pk=network.pk).update(
        state="measured", validation_accuracy=0.9205, parameters=57_300, latency_ms=0.1, progress=1
    )
    evolution.record("measured", network=network, validation_accuracy=0.9205, parameters=57_300)
    expect(page.locator("tr[data-network='5-3']")).to_contain_text("57.3 k", timeout=15_000)
    expect(page.locator("#run-log li").first).to_contain_text("5-3 is measured")
    assert page.input_value("#rule-value") == "2"
    page.locator("#rule-value").blur()
    Run.objects.filter(pk=evolution.pk).update(state="finished", chosen=network)
    evolution.record("finished", chosen="5-3")
    expect(page.locator("#run-status")).to_contain_text("Finished", timeout=15_000)
    expect(page.locator("#run-answer")).to_contain_text("network 5-3")
    expect(page.locator("#run-cancel").get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


def test_an_open_menu_stays_open_when_another_comes_before_it(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    wait_for_charts(page)

    def add_a_menu(route: Any) -> None:
        response = route.fetch()
        menu = '<details id="earlier" data-same="earlier"><summary>Earlier</summary></details>'
        route.fulfill(
            response=response, body=response.text().replace('<div class="answer', f'{menu}<div class="answer', 1)
        )

    page.route("**/live*", add_a_menu)
    rule = page.locator("summary:has-text('Change the rule')")
    rule.click()
    evolution.record("measured", network=Network.objects.get(run=evolution, name="5-2"))
    expect(page.locator("#earlier")).to_be_visible(timeout=15_000)
    assert page.locator("#earlier").get_attribute("open") is None
    expect(page.get_by_label("Most accurate")).to_be_visible()
    expect(rule).to_be_focused()


def test_curves_make_room_for_the_first_answer(open_page: Any, evolution: Run) -> None:
    offspring = evolution.networks.exclude(name="ancestor")
    offspring.update(state="living", validation_accuracy=None)
    page = open_page(f"/runs/{evolution.pk}/")
    wait_for_charts(page)
    expect(page.locator("#run-curves ~ #run-answer")).to_have_count(1)
    network = offspring.get(name="1-1")
    offspring.filter(pk=network.pk).update(state="measured", validation_accuracy=0.9)
    evolution.record("measured", network=network, validation_accuracy=0.9, parameters=network.parameters)
    expect(page.locator("#run-answer")).to_contain_text("network 1-1", timeout=15_000)
    expect(page.locator("#run-answer ~ #survival + #run-curves")).to_have_count(1)


def test_cancelling_asks_first(open_page: Any, evolution: Run, dispatched: Any) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    page.click("#run-cancel .btn-danger")
    expect(page.locator("#confirm")).to_contain_text("What was measured until now is kept")
    page.click("#confirm [data-closes]")
    evolution.refresh_from_db()
    assert evolution.cancel_requested_at is None
    page.click("#run-cancel .btn-danger")
    page.click("#confirm [data-yes]")
    expect(page.locator("#run-status")).to_contain_text("Cancelling")
    evolution.refresh_from_db()
    assert evolution.cancel_requested_at is not None


def test_chart_labels_can_be_read_on_a_phone(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/", width=390)
    wait_for_charts(page)
    assert (
        page.evaluate("Object.values(Chart.getChart('shock-chart').scales).map((s) => s.options.ticks.font.size)[0]")
        >= 12
    )
    page.click(".panel:has(#lineage-chart) .keeps summary")
    with page.expect_download() as kept:
        page.click("[data-keeps=svg][data-plot=lineage]")
    sizes = [
        float(size)
        for size in re.findall(
            r'<text[^>]*?(?:style="font:|font-size=")[^"]*?(\d+)(?:px)?', kept.value.path().read_text()
        )
    ]
    assert len(sizes) > 8
    assert min(sizes) >= 12
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_presets_fill_the_form_and_the_estimate_follows(open_page: Any, team: Any, dispatched: Any) -> None:
    make_dataset(team)
    page = open_page("/runs/new/")
    expect(page.locator("#estimate")).to_contain_text("About 9 trainings")
    page.click("[data-preset=smallest]")
    expect(page.locator("#id_environment-target-times")).to_have_value("40")
    expect(page.locator("#estimate")).to_contain_text("About 16 trainings")
    expect(page.locator("#id_environment-constant-factor")).to_be_hidden()
    page.click("[data-preset=quick]")
    expect(page.locator("#id_environment-constant-factor")).to_have_value("0.5")
    page.fill("#id_generations", "3")
    expect(page.locator("#estimate")).to_contain_text("About 7 trainings")
    page.fill("#id_epochs", "-1")
    page.click("text=Start the run")
    expect(page.locator(".errorlist")).to_contain_text("Must be at least 0.01, not -1.")
    expect(page.locator("#id_generations")).to_have_value("3")
    expect(page.locator("#id_epochs")).to_be_focused()
    page.fill("#id_epochs", "1")
    page.click("text=Start the run")
    page.wait_for_url("**/runs/*/")
    run = Run.objects.get()
    assert (run.run_spec.generations, run.run_spec.limit, run.run_spec.environment.parameters) == (
        3,
        5000,
        {"factor": 0.5},
    )
    assert ("workers.advance", run.pk) in dispatched
