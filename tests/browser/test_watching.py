"""What scripts do around a run: the tab tells how far it is, keys lead about, the rule's form opens and chooses."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.webapp.factories import make_network, make_run
from webapp.networks.models import Network
from webapp.runs.models import Run
from webapp.sharing.models import ShareLink

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def icon(page: Page) -> str:
    return str(page.get_attribute("link[rel=icon]", "href"))


def test_the_tab_tells_how_far_it_is_and_that_it_has_ended(open_page: Any, evolution: Run) -> None:
    page = open_page(f"/runs/{evolution.pk}/")
    expect(page).to_have_title(f"98 % {evolution.name} · Eustress")
    assert icon(page).startswith("data:image/svg+xml,")
    network = Network.objects.get(run=evolution, name="5-3")
    Network.objects.filter(pk=network.pk).update(state="measured", validation_accuracy=0.9, progress=1, parameters=9)
    Run.objects.filter(pk=evolution.pk).update(state="finished", chosen=network)
    evolution.record("finished", chosen="5-3")
    expect(page).to_have_title(f"✓ {evolution.name} · Eustress", timeout=15_000)
    assert "mark" in icon(page)


TELL = """window.told = [];
window.Notification = class { static permission = "default";
  static async requestPermission() { return (Notification.permission = "granted"); }
  constructor(title, options) { window.told.push([title, options.body]); } };"""


def test_a_notification_is_asked_for_by_a_click_and_comes_at_the_end(open_page: Any, evolution: Run) -> None:
    page = open_page("/runs/")
    page.add_init_script(TELL)
    page.goto(f"/runs/{evolution.pk}/")
    page.get_by_role("button", name="Tell me when it ends").click()
    expect(page.get_by_role("button", name="You will be told")).to_have_attribute("aria-pressed", "true")
    Network.objects.filter(run=evolution, name="5-3").update(state="cancelled")
    Run.objects.filter(pk=evolution.pk).update(state="cancelled")
    evolution.record("cancelled")
    expect(page.locator("#run-status")).to_contain_text("Cancelled", timeout=15_000)
    page.wait_for_function("() => window.told.length > 0")
    title, body = page.evaluate("window.told[0]")
    assert title == f"Cancelled: {evolution.name}"
    assert "smaller" in body


def leave_help(page: Page) -> None:
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('dialog[open]') && !document.activeElement.closest('dialog')")


def test_keys_lead_about_and_never_fight_with_typing(open_page: Any, finished: Run) -> None:
    page = open_page("/runs/")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("g d?")
    assert page.input_value("#q") == "g d?"
    page.locator("#q").blur()
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/datasets/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")  # not while a dialog is open
    assert page.url.endswith("/datasets/")
    page.get_by_label("Single keys do this").uncheck()
    leave_help(page)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_timeout(300)
    assert page.url.endswith("/datasets/")
    page.keyboard.press("?")  # the way back is never shut
    page.get_by_label("Single keys do this").check()
    leave_help(page)
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/runs/new/")


def test_keys_walk_the_networks_and_take_one_away(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/")
    expect(page.locator("tr[data-network='5-3']")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("tr[data-network='5-3']")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("j")
    expect(page.locator("tr[data-network='5-2']")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("k")
    expect(page.locator("tr[data-network='5-3']")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("o")
    page.wait_for_url(f"**/runs/{finished.pk}/networks/5-3/")
    page.go_back()
    expect(page.locator("#run-card")).to_contain_text("5-3")
    page.keyboard.press("d")  # of the selected network, not of the chosen one
    page.wait_for_url(f"**/runs/{finished.pk}/networks/5-3/#take")
    page.goto(f"/runs/{finished.pk}/")
    page.keyboard.press("d")
    page.wait_for_url(f"**/runs/{finished.pk}/networks/5-2/#take")


def offered(page: Page) -> dict[str, str]:
    """The keys that the help lists for the page at hand, with what it says they do."""
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    rows = page.locator("[data-keys-here] > div")
    found = {row.locator("kbd").inner_text(): row.locator("dd").inner_text() for row in rows.all()}
    leave_help(page)
    return found


def test_keys_walk_and_take_away_on_a_networks_own_page(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/networks/4-3/")
    known = {"d": "download it (safetensors)", "c": "compare with the ancestor", "u": "up to the run"}
    assert offered(page) == {**known, "j": "next network", "k": "previous network"}
    page.keyboard.press("j")
    page.wait_for_url("**/networks/5-1/")
    page.keyboard.press("k")
    page.wait_for_url("**/networks/4-3/")
    with page.expect_download() as taken:
        page.keyboard.press("d")
    assert taken.value.suggested_filename.endswith("-4-3.safetensors")
    page.keyboard.press("c")
    page.wait_for_url("**/compare/?network=*4-3*ancestor")
    page.go_back()
    page.keyboard.press("u")
    page.wait_for_url(f"**/runs/{finished.pk}/")
    page.goto(f"/runs/{finished.pk}/networks/ancestor/")
    assert offered(page) == {**known, "c": "compare", "j": "next network"}  # nothing stands before it
    page.keyboard.press("k")
    page.wait_for_timeout(200)
    assert page.url.endswith("/networks/ancestor/")


def test_the_help_lists_only_what_works_on_the_page(open_page: Any, finished: Run, ada: Any, team: Any) -> None:
    page = open_page("/datasets/")
    assert offered(page) == {}
    page.goto("/runs/")
    assert offered(page) == {"/": "search"}
    page.goto(f"/runs/{finished.pk}/")
    assert set(offered(page)) == {"/", "j", "k", "o", "d", "c"}
    bare = make_run(team, finished.dataset)
    page.goto(f"/runs/{bare.pk}/")
    assert not {"j", "k", "o", "d"} & set(offered(page))  # no network yet
    link = ShareLink.objects.create(run=finished, created_by=ada)
    page.goto(f"/s/{link.token}/networks/5-2/")
    assert set(offered(page)) == {"j", "k", "d", "u"}
    page.goto("/nothing/here/")  # no navigation, only the way to a new run
    page.keyboard.press("?")
    expect(page.locator("[data-leads]:not([hidden])")).to_have_count(1)
    leave_help(page)
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/runs/new/")


def test_another_rule_is_chosen_and_the_curves_follow_the_selection(
    open_page: Any, finished: Run, dispatched: Any
) -> None:
    page = open_page(f"/runs/{finished.pk}/?network=4-1")
    expect(page.locator("#run-curves")).to_have_attribute("data-shown", "4-1")
    page.click("summary:has-text('Change the rule')")
    expect(page.locator("#rule-network")).to_be_hidden()
    page.get_by_label("A network picked by hand").check()
    expect(page.locator("#rule-network")).to_have_value("4-1")
    expect(page.locator("#rule-value")).to_be_hidden()
    page.get_by_role("button", name="Choose by it").click()
    expect(page.locator("#run-answer")).to_contain_text("network 4-1")
    expect(page.locator("#run-answer")).to_contain_text("being tested")
    Network.objects.filter(run=finished, name="4-1").update(test_accuracy=0.9)
    Run.objects.filter(pk=finished.pk).update(test_requested_at=None)
    expect(page.locator("#run-answer")).to_contain_text("the best of several tests flatters", timeout=15_000)
    page.evaluate("history.replaceState(null, '', '?network=3-1')")  # as a selection writes it
    expect(page.locator("#run-curves")).to_have_attribute("data-shown", "3-1", timeout=5000)


def test_charts_take_the_place_of_what_is_ahead(open_page: Any, team: Any) -> None:
    run = make_run(team, state="running")
    ancestor = make_network(run, "ancestor", state="living", phase="ancestor", progress=0.3)
    page = open_page(f"/runs/{run.pk}/")
    expect(page.get_by_role("heading", name="What will stand here")).to_be_visible()
    for hidden in ("#lineage-chart", "#networks", ".explore-bar", "#shock-chart"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.get_by_role("link", name="Compare")).to_be_hidden()
    measured = {"validation_accuracy": 0.92, "parameters": 5000, "macs": 100_000, "bytes": 20_000, "latency_ms": 0.2}
    Network.objects.filter(pk=ancestor.pk).update(state="measured", progress=1, **measured)
    run.record("measured", network=ancestor, validation_accuracy=0.92)
    expect(page.locator("#tradeoff-chart")).to_be_visible(timeout=15_000)
    expect(page.locator("#run-ahead")).to_be_hidden()
    expect(page.locator("tr[data-network=ancestor]")).to_be_visible()
    page.wait_for_timeout(300)
    painted = (
        """(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"""
    )
    assert page.locator(".chart:has(#tradeoff-chart) > canvas.drawn").evaluate(painted)


def test_a_rule_is_tried_with_what_is_selected_kept(open_page: Any, finished: Run, ada: Any) -> None:
    link = ShareLink.objects.create(run=finished, created_by=ada)
    for path, ahead in ((f"/s/{link.token}/", "Try another rule"), (f"/runs/{finished.pk}/", "Change the rule")):
        page = open_page(path)
        page.click("tr[data-network='3-3'] td >> nth=1")  # writes the address, not the form
        expect(page.locator("#card-title")).to_have_text("3-3")
        page.click(f"summary:has-text('{ahead}')")
        page.get_by_label("A network picked by hand").check()
        page.fill("#rule-network", "4-1")
        page.get_by_role("button", name="Only look" if "Change" in ahead else "Look", exact=True).click()
        expect(page.locator("#run-answer")).to_contain_text("network 4-1")
        assert "network=3-3" in page.url
        assert "by=picked" in page.url
        expect(page.locator("#card-title")).to_have_text("3-3")
        page.get_by_role("link", name="Back to it").click()
        expect(page.locator("#run-answer")).to_contain_text("network 5-2")
        assert "network=3-3" in page.url
    finished.refresh_from_db()
    assert finished.rule == {}


def test_without_scripts_a_run_can_be_read_and_its_rule_changed(open_page: Any, finished: Run, dispatched: Any) -> None:
    page = open_page(f"/runs/{finished.pk}/", java_script_enabled=False)
    expect(page.locator("#run-answer .line")).to_contain_text("network 5-2")
    expect(page.locator("#run-curves")).to_be_visible()
    page.click("summary:has-text('Change the rule')")
    page.get_by_label("Most accurate").check()
    page.get_by_role("button", name="Choose by it").click()
    expect(page.locator("#run-answer")).to_contain_text("The most accurate offspring")


def test_times_are_the_readers_own(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/log/", timezone_id="Asia/Tokyo")
    first = page.locator(".events time").first
    moment = first.get_attribute("datetime")
    hour = page.evaluate("(at) => new Date(at).toLocaleTimeString([], {hour: '2-digit', hour12: false})", moment)
    expect(first).to_contain_text(f"{hour[:2]}:")


def test_a_printed_run_is_a_report_on_white(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/", scheme="dark")
    expect(page.locator("tr[data-network='5-2']")).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    colour = "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    assert page.evaluate(colour, "--paper") == "#fff"
    assert page.evaluate(colour, "--accent-soft") == "#dff3ef"
    for printed in ("#run-answer .line", "#lineage-chart", "tr[data-network='5-2']", "#run-curves", "#settings-title"):
        expect(page.locator(printed)).to_be_visible()
    for clicked in (".masthead nav", "#run-cancel", ".explore-bar", "summary:has-text('Change the rule')"):
        expect(page.locator(clicked)).to_be_hidden()
    assert page.pdf(format="A4")[:5] == b"%PDF-"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_each_birth_falls_and_recovers_in_a_place_of_its_own(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/")
    page.wait_for_function("() => Chart.getChart('shock-chart')?.data.datasets.length === 4")
    shocks, grown = page.evaluate("Chart.getChart('shock-chart').data.datasets.slice(0, 2).map((set) => set.data)")
    assert len(shocks) == len(grown) == 15
    assert len({point["x"] for point in shocks}) == 15  # siblings stand side by side
    assert [point["x"] for point in shocks] == [point["x"] for point in grown]  # one above the other
