"""Before a run begins, in a real browser: trying it out, several at once, settings kept for the team, a clone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.webapp.test_dry_runs import RESULT
from tests.webapp.test_sweeps import finish_all_but_last
from webapp.runs.models import DryRun, Run, RunGroup, RunTemplate

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def form(open_page: Any, dataset: Any, dispatched: Any) -> Page:
    return open_page("/runs/new/?preset=quick")  # type: ignore[no-any-return]


def open_part(page: Page, title: str) -> None:
    page.locator("summary", has=page.get_by_role("heading", name=title)).click()


def test_a_run_is_tried_out_before_it_is_started(form: Page, dispatched: Any) -> None:
    form.fill("#id_name", "Tried first")
    form.get_by_role("button", name="Dry run").click()
    panel = form.locator("#dry-run")
    expect(panel).to_contain_text("Waiting for a worker")
    tried = DryRun.objects.get()
    assert ("workers.dry_run", tried.pk) in dispatched
    DryRun.objects.update(state=DryRun.State.TRYING)
    expect(panel).to_contain_text("Drawing offspring", timeout=10_000)
    DryRun.objects.update(state=DryRun.State.READY, result=RESULT)
    expect(panel).to_contain_text("100× smaller", timeout=10_000)
    expect(panel).to_contain_text("4 to 7 minutes")
    expect(panel.get_by_role("row", name="conv1")).to_contain_text("3")
    expect(form.locator("#id_name")).to_have_value("Tried first")
    expect(panel.locator("[data-stale]")).to_be_hidden()
    form.fill("#id_generations", "3")
    expect(panel.locator("[data-stale]")).to_be_visible()
    form.get_by_role("button", name="Start the run").click()
    form.wait_for_url("**/runs/*/")
    run = Run.objects.get()
    assert (run.name, run.run_spec.generations) == ("Tried first", 3)


def test_a_second_press_starts_no_second_run(form: Page) -> None:
    under_way: list[Any] = []
    form.route("**/runs/new/**", lambda route: under_way.append(route))
    start = form.get_by_role("button", name="Start the run")
    start.evaluate("(button) => [0, 150].forEach((after) => setTimeout(() => button.click(), after))")
    form.wait_for_timeout(600)
    assert len(under_way) == 1
    under_way[0].continue_()
    form.wait_for_url(lambda url: "/new/" not in url)
    assert Run.objects.count() == 1


def test_what_a_dry_run_finds_wrong_stands_beside_its_field(form: Page) -> None:
    form.get_by_role("button", name="Dry run").click()
    expect(form.locator("#dry-run")).to_contain_text("Waiting for a worker")
    DryRun.objects.update(state=DryRun.State.REFUSED, problems={"input_size": "is too small for these layers"})
    field = form.locator(".field", has=form.locator("#id_input_size"))
    expect(field.locator(".errorlist")).to_have_text("Is too small for these layers.", timeout=10_000)
    expect(form.locator("#id_input_size")).to_be_visible()  # its section was closed
    expect(form.locator("#id_input_size")).to_have_attribute("aria-invalid", "true")


def test_a_sweep_is_counted_started_and_summed_up_over_its_seeds(form: Page) -> None:
    form.fill("#id_name", "Trials")
    open_part(form, "Sweep")
    for row, setting, values in ((1, "environment", "0.5, 0.6"), (2, "seed", "1, 2")):
        form.select_option(f"#id_sweep-{row}-setting", setting)
        form.fill(f"#id_sweep-{row}-values", values)
    expect(form.locator("#estimate")).to_contain_text("4 runs: environment 2 × seed 2.")
    form.get_by_role("button", name="Start 4 runs").click()
    form.wait_for_url("**/runs/groups/*/")
    expect(form.locator("#group-head .lead")).to_contain_text("4 runs over environment and seed: 0 finished")
    finish_all_but_last(RunGroup.objects.get())
    summary = form.get_by_role("region", name="Over the seeds")
    expect(summary.get_by_role("row", name="0.5")).to_contain_text("6.0× ± 2.8", timeout=15_000)  # by itself
    expect(summary.get_by_role("row", name="0.6")).to_contain_text("1 of 2")
    points = "() => Chart.getChart('scatter-chart')?.data.datasets.map((set) => set.data.length).join() === '1,3'"
    form.wait_for_function(points)
    form.get_by_label("Up").select_option("smaller")
    form.wait_for_url("**y=smaller**")
    form.get_by_label("Compare Trials: environment 0.5, seed 1").check()
    form.get_by_label("Compare Trials: environment 0.5, seed 2").check()
    form.get_by_role("button", name="Compare", exact=True).click()
    form.wait_for_url("**/compare/**")
    expect(form.locator("main")).to_contain_text("Trials: environment 0.5, seed 2")


def test_settings_are_kept_for_the_team_used_and_thrown_away(form: Page) -> None:
    form.fill("#id_name", "Half typed")
    form.fill("#id_generations", "5")
    open_part(form, "Keep for the team")
    form.get_by_label("Keep these settings for the team as").fill("Ours")
    form.get_by_role("button", name="Keep", exact=True).click()
    expect(form.locator("main")).to_contain_text("kept as “Ours”")
    expect(form.locator("#id_name")).to_have_value("Half typed")
    assert not Run.objects.exists()
    form.goto("/runs/new/")
    expect(form.locator("#id_generations")).to_have_value("4")
    form.locator(".preset", has_text="Ours").click()
    expect(form.locator("#id_generations")).to_have_value("5")
    form.get_by_role("button", name="Delete the template Ours").click()
    form.locator("#confirm [data-yes]").click()
    expect(form.locator(".preset", has_text="Ours")).to_have_count(0)
    assert not RunTemplate.objects.exists()


def test_a_clone_says_in_what_it_differs(open_page: Any, finished: Run, dispatched: Any) -> None:
    page = open_page(f"/runs/{finished.pk}/")
    page.get_by_role("link", name="Clone with changes").click()
    page.fill("#id_generations", "7")
    expect(page.locator("#differences")).to_contain_text("Generations")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(lambda url: "clone" not in url)
    expect(page.get_by_role("region", name="What was asked for")).to_contain_text("was 5")
    assert Run.objects.latest("pk").cloned_from == finished


def test_a_view_is_kept_and_opened_again(open_page: Any, finished: Run) -> None:
    page = open_page(f"/runs/{finished.pk}/?height=parameters&network=3-1")
    page.locator(".views summary").click()
    page.get_by_label("Name of the view").fill("By size")
    page.get_by_role("button", name="Keep it").click()
    page.goto(f"/runs/{finished.pk}/")
    page.locator(".views summary").click()
    page.get_by_role("link", name="By size").click()
    page.wait_for_url("**height=parameters**")
    expect(page.locator("#card-title")).to_have_text("3-1")


@pytest.mark.parametrize("width", [390, 768])
def test_the_form_fits_however_much_of_it_is_open(open_page: Any, dataset: Any, dispatched: Any, width: int) -> None:
    page = open_page("/runs/new/", width=width)
    page.evaluate("for (const one of document.querySelectorAll('main details:not(.menu)')) one.open = true")
    page.check("#explain")
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) == 0
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("#dry-run")).to_contain_text("Waiting for a worker")
    DryRun.objects.update(state=DryRun.State.READY, result=RESULT)
    expect(page.locator("#dry-run")).to_contain_text("100× smaller", timeout=10_000)
    tables = (
        "[...document.querySelectorAll('#dry-run .tablewrap')].filter((one) => one.scrollWidth > one.clientWidth + 1)"
    )
    assert page.evaluate(f"{tables}.length") == 0
    assert page.evaluate(wider) == 0
