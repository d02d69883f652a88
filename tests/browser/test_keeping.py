"""Charts and drawn tables kept as pictures, and what is ticked to be compared, in a real browser."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect

from tests.webapp import answers
from tests.webapp.factories import make_evolution, make_spec
from webapp.runs.models import Run, RunGroup

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SVG = "{http://www.w3.org/2000/svg}"


def keep(page: Page, plot: str, kind: str) -> tuple[str, bytes]:
    """Keeps a chart by its menu; the file's name and content."""
    menu = page.locator(f"details.keeps:has([data-plot={plot}])")
    menu.locator("summary").click()
    with page.expect_download() as kept:
        menu.locator(f"[data-keeps={kind}]").click()
    menu.locator("summary").click()
    return kept.value.suggested_filename, kept.value.path().read_bytes()


def words_of(drawing: bytes) -> set[str]:
    assert b"NaN" not in drawing
    assert b"undefined" not in drawing
    return {"".join(text.itertext()) for text in ElementTree.fromstring(drawing).iter(f"{SVG}text")}


def count(drawing: bytes, name: str) -> int:
    return len(list(ElementTree.fromstring(drawing).iter(f"{SVG}{name}")))


def is_painted(page: Page, picture: bytes) -> bool:
    """Whether a PNG holds more colours than its ground."""
    script = """async (bytes) => {
        const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
        const ctx = new OffscreenCanvas(image.width, image.height).getContext("2d");
        ctx.drawImage(image, 0, 0);
        return new Set(new Uint32Array(ctx.getImageData(0, 0, image.width, image.height).data.buffer)).size;
    }"""
    assert picture.startswith(b"\x89PNG")
    return bool(page.evaluate(script, list(picture)) > 4)


def test_the_charts_of_a_run_are_kept(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/?lines=1")
    expect(page.locator("#run [data-zoom=all]").first).to_be_visible()
    name, drawing = keep(page, "lineage", "svg")
    assert name == f"lineage-{finished.pk}.svg"
    assert {"ancestor", "5-2", "the chosen line", f"Lineage{finished.name}"} <= words_of(drawing)
    for chart, word in (("tradeoff", "within 1 point"), ("parallel", "latency"), ("shock", "full-grown")):
        assert word in words_of(keep(page, chart, "svg")[1]), chart
    assert count(keep(page, "progress", "svg")[1], "path") > 8
    assert is_painted(page, keep(page, "shock", "png")[1])
    table = words_of(keep(page, "lived-on", "svg")[1])
    assert {"conv1", "96"} <= table


def test_a_comparisons_charts_and_a_sweeps_scatter_are_kept(open_page: Any, finished: Run) -> None:
    group = RunGroup.objects.create(team=finished.team, name="Trials", axes=["environment"])
    for factor in (0.4, 0.5):
        spec = make_spec(environment=factor, generations=2)
        make_evolution(finished.team, finished.dataset, finished=True, files=False, group=group, spec=spec)
    page = open_page(f"/compare/?run={finished.pk}&network={finished.pk}:2-1")
    expect(page.locator(".chart.empty")).to_have_count(1)  # no epoch is known: there is nothing to keep
    expect(page.locator("[data-plot=curves]")).to_have_count(2)
    name, drawing = keep(page, "tradeoff", "svg")
    assert name == "tradeoff-compared.svg"
    assert {"A", "B", "parameters, less to the right"} <= words_of(drawing)
    assert count(drawing, "path") > 16  # every network of the run
    page.goto(f"/runs/groups/{group.pk}/")
    expect(page.locator(".chart.empty")).to_have_count(0)
    name, drawing = keep(page, "scatter", "svg")
    assert name == f"scatter-{group.pk}.svg"
    assert {"environment", "points of validation"} <= words_of(drawing)
    assert is_painted(page, keep(page, "scatter", "png")[1])


def test_a_networks_drawn_tables_are_kept(open_page: Any, finished: Run) -> None:
    answers.write_all(finished)
    page = open_page(f"/runs/{finished.pk}/networks/5-2/", scheme="dark")
    name, drawing = keep(page, "confusion", "svg")
    assert name == "confusion-5-2.svg"
    assert {"open", "closed", "point", "1"} <= words_of(drawing)
    assert count(drawing, "rect") > 9  # a shaded ground for each cell
    assert "conv1 96 → 16" in words_of(keep(page, "wiring", "svg")[1])
    assert is_painted(page, keep(page, "by-class", "png")[1])
    assert b'href="data:image/png;base64,' in keep(page, "filters", "svg")[1]


def test_ticked_runs_outlive_their_page(open_page: Any, finished: Run) -> None:
    for seed in range(30):
        make_evolution(
            finished.team,
            finished.dataset,
            finished=True,
            files=False,
            name=f"Seed {seed}",
            spec=make_spec(seed=seed, generations=1, offspring=1),
        )
    page = open_page("/runs/")
    expect(page.locator("[data-said]")).to_have_text("Tick runs to put them side by side.")
    page.get_by_label("Compare Seed 29").check()
    page.get_by_label("Compare Seed 28").check()
    expect(page.locator("[data-said]")).to_have_text("2 ticked")
    page.click("th a:has-text('Run')")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Run ↑")
    page.click("a[rel=next]")
    expect(page.locator("[data-said]")).to_have_text("2 ticked")
    page.get_by_label("Compare Seed 9", exact=True).check()
    page.fill("#q", "seed 2")
    page.press("#q", "Enter")
    page.wait_for_url("**q=seed**")
    expect(page.get_by_label("Compare Seed 29")).to_be_checked()
    expect(page.locator(".compare-bar .tag")).to_have_text("Seed 9")
    page.click(".compare-bar button")
    page.wait_for_url("**/compare/?**")
    expect(page.locator(".entries li")).to_have_count(3)
    page.go_back()
    expect(page.get_by_label("Compare Seed 28")).to_be_checked()
    page.click("text=Untick all")
    expect(page.get_by_label("Compare Seed 28")).not_to_be_checked()
    for box in page.locator(".tick input").all()[:8]:
        box.check()
    page.locator(".tick input >> nth=8").click()
    expect(page.locator(".tick input >> nth=8")).not_to_be_checked()
    expect(page.locator("[data-said]")).to_contain_text("no more than 8")


def test_ticked_runs_of_a_sweep_outlive_another_order_and_another_axis(open_page: Any, finished: Run) -> None:
    group = RunGroup.objects.create(team=finished.team, name="Trials", axes=["environment", "seed"])
    for factor, seed in ((0.4, 1), (0.4, 2), (0.5, 1), (0.5, 2)):
        spec = make_spec(environment=factor, seed=seed, generations=1, offspring=1)
        ended = not (factor == 0.5 and seed == 2)
        make_evolution(
            finished.team,
            finished.dataset,
            finished=ended,
            files=False,
            group=group,
            spec=spec,
            name=f"{factor}/{seed}",
        )
    page = open_page(f"/runs/groups/{group.pk}/")
    page.get_by_label("Compare 0.4/2").check()
    page.get_by_label("Compare 0.5/1").check()
    expect(page.locator("[data-said]")).to_have_text("2 ticked")
    page.click("#runs th a:has-text('Seed')")
    page.wait_for_url("**sort=seed**#runs")
    expect(page.locator("#runs tbody th >> nth=1")).to_contain_text("3")
    page.click("#seeds th a:has-text('Smaller')")
    page.wait_for_url("**seeds=-smaller**")
    page.select_option("select[name=y]", "test")
    page.wait_for_url("**y=test**")
    for part in ("sort=seed", "seeds=-smaller", "compare="):
        assert part in page.url
    expect(page.get_by_label("Compare 0.4/2")).to_be_checked()
    group.runs.filter(name="0.4/1").update(name="Another name")
    page.get_by_label("Compare 0.5/1").focus()
    expect(page.get_by_label("Compare Another name")).to_be_visible(timeout=15_000)  # the page came anew, as it was
    expect(page.get_by_label("Compare 0.5/1")).to_be_focused()
    expect(page.get_by_label("Compare 0.5/1")).to_be_checked()
    page.click(".compare-bar button")
    page.wait_for_url("**/compare/?**")
    expect(page.locator(".entries li")).to_have_count(2)


def test_networks_are_ticked_in_their_runs_table(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/")
    expect(page.locator("#run [data-zoom=all]").first).to_be_visible()
    page.get_by_label("Compare 3-1").check()
    expect(page.locator("#networks [data-said]")).to_have_text("1 ticked")
    expect(page.get_by_label("Compare 3-1")).to_be_focused()  # the table came anew around it
    expect(page.locator("#card-title")).not_to_have_text("3-1")  # a tick selects nothing
    page.get_by_label("Compare 5-2").check()
    expect(page.locator("#networks [data-said]")).to_have_text("2 ticked")
    page.click("#networks th a:has-text('Latency')")
    expect(page.locator("#networks [aria-sort=ascending]")).to_be_visible()
    page.fill("#find", "5-")
    expect(page.locator("#networks .compare-bar .tag")).to_have_text("3-1")
    page.click("#networks .compare-bar button")
    page.wait_for_url("**/compare/?**")
    assert set(re.findall(r"network=\d+(?:%3A|:)([\w-]+)", page.url)) == {"3-1", "5-2"}


@pytest.mark.parametrize("width", [1024, 768, 390])
def test_a_comparison_fits(open_page: Any, finished: Run, width: int) -> None:
    """Eight side by side, and no table scrolls sideways; at 390 pixels rows fold."""
    answers.write_all(finished)
    names = [*(f"{generation}-1" for generation in range(1, 6)), "5-2", "ancestor"]
    address = f"/compare/?run={finished.pk}&" + "&".join(f"network={finished.pk}:{name}" for name in names)
    page = open_page(address, width=width)
    expect(page.locator(".entries li")).to_have_count(8)
    scrolling = page.evaluate(
        "[...document.querySelectorAll('.tablewrap')].filter((wrap) => wrap.scrollWidth > wrap.clientWidth + 1)"
        ".map((wrap) => wrap.closest('section').getAttribute('aria-labelledby'))"
    )
    assert scrolling == []
