"""Claim: with a run of 5,000 networks, a page shows what it is about within a second and does not jump, and brushing
runs at 30 frames a second, in headless Chromium.

    python benchmarks/browser.py [--json] [--networks 5000] [--runs 500] [--repeat 5] [--home DIR] [--width 1440]
                                 [--slower 1]

The web process of the product serves the rows of benchmarks/rows.py, and a browser that has nothing cached opens each
page anew. It is told, as Lighthouse tells it: first contentful and first meaningful paint, largest contentful paint,
layout shift, blocking time (what long tasks take beyond 50 ms) and what was sent; medians of all openings. Then the
mouse drags over both charts, over the parallel coordinates and over generations, and frames are counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PAINT_MS, FRAMES, SHIFT = 1000, 30, 0.1  # limits; of layout shift, what Lighthouse calls good
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

PAGES = {
    "run": "/runs/{run}/",
    "run, another view": "/runs/{run}/?sort=latency&network={network}&cost=macs&height=shock&lines=1",
    "run, small": "/runs/{small}/",
    "run, deep": "/runs/{deep}/",
    "network": "/runs/{run}/networks/{network}/",
    "runs": "/runs/",
    "compare": "/compare/?run={run}&run={small}&network={run}:{network}&network={run}:ancestor",
    "new run": "/runs/new/",
    "data set": "/datasets/{dataset}/",
}

# What is dragged over, and the key that is held: without one the mouse selects, with Shift it moves the window.
DRAGS = {
    "selecting in the trade-off": ("tradeoff", ""),
    "selecting in the lineage": ("lineage", ""),
    "moving the lineage": ("lineage", "Shift"),
    "selecting in parallel coordinates": ("parallel", ""),
}
DRAGGED = 4  # seconds

# Collects from the first moment on what the page's life is measured by.
OBSERVED = """
window.seen = { largest: 0, shift: 0, tasks: [] };
const watch = (type, note) =>
  new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
watch("largest-contentful-paint", (entry) => (seen.largest = entry.startTime));
watch("layout-shift", (entry) => (seen.shift += entry.hadRecentInput ? 0 : entry.value));
watch("longtask", (entry) => seen.tasks.push([entry.startTime, entry.duration]));
"""
READ = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
  const [page] = performance.getEntriesByType("navigation");
  const sent = [page, ...performance.getEntriesByType("resource")].reduce((sum, one) => sum + one.transferSize, 0);
  const late = seen.tasks.filter(([at]) => at >= paint).map(([, length]) => length);
  const blocking = late.reduce((sum, length) => sum + Math.max(0, length - 50), 0);
  return { first_paint_ms: paint, largest_paint_ms: seen.largest, layout_shift: seen.shift, blocking_ms: blocking,
    longest_task_ms: Math.max(0, ...late), answered_ms: page.responseStart, loaded_ms: page.loadEventEnd,
    sent_kb: sent / 1000, nodes: document.querySelectorAll("*").length };
}"""
COUNT = """() => {
  window.frames = [];
  const next = (at) => { frames.push(at); window.counting = requestAnimationFrame(next); };
  window.counting = requestAnimationFrame(next);
}"""
COUNTED = "() => { cancelAnimationFrame(window.counting); return frames; }"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON only")
    parser.add_argument("--networks", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--width", type=int, default=1440, help="of the window, in pixels")
    parser.add_argument("--slower", type=float, default=1, help="how many times slower the browser is to compute")
    parser.add_argument("--home", type=Path, help="keep the rows here, and use those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(options.home or Path(scratch), options)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        for name, page in found["pages"].items():
            paints = f"{page['meaningful_paint_ms']:6.0f} ms meaningful {page['largest_paint_ms']:6.0f} ms largest"
            rest = f"{page['blocking_ms']:6.0f} ms blocked {page['layout_shift']:6.3f} shift {page['sent_kb']:6.0f} kB"
            print(f"{paints} {rest}  {name}")
        for name, drag in found["brushing"].items():
            print(f"{drag['frames_per_second']:6.1f} frames a second, longest {drag['longest_ms']:5.0f} ms  {name}")
    late = [name for name, page in found["pages"].items() if page["meaningful_paint_ms"] > PAINT_MS]
    jumps = [name for name, page in found["pages"].items() if page["layout_shift"] > SHIFT]
    slow = [name for name, drag in found["brushing"].items() if drag["frames_per_second"] < FRAMES]
    return 1 if late or jumps or slow else 0


def measure(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    os.environ["EUSTRESS_HOME"] = str(home)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    home.mkdir(parents=True, exist_ok=True)
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from benchmarks.rows import member, seed

    load = round(os.getloadavg()[0], 1)  # how many processes wanted the processors before it began
    places = seed(options.networks, options.runs)
    session = member().cookies["eustress_session"].value
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, CHROMIUM))),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        visit = Visitor(browser, address, session, options.width, options.slower)
        pages = {name: visit.opened(where.format(**places), options.repeat) for name, where in PAGES.items()}
        brushing = visit.brushed(PAGES["run, another view"].format(**places))
        machine = {"browser": browser.version, "processors": os.cpu_count(), "load": load}
        browser.close()
    asked = {name: getattr(options, name) for name in ("networks", "runs", "width", "slower")}
    return {"machine": machine, **asked, "pages": pages, "brushing": brushing}


@contextmanager
def served() -> Iterator[str]:
    """The product's web process, on a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "webapp.server.serve", "--fd", str(listener.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
        try:
            urllib.request.urlopen(f"{address}/sign-in/", timeout=120).close()
            yield address
        finally:
            process.terminate()
            process.wait()


class Visitor:
    """Opens pages as the member whose session it is, in a browser that knows none of them."""

    def __init__(self, browser: Browser, address: str, session: str, width: int, slower: float) -> None:
        self.browser, self.address, self.session, self.width, self.slower = browser, address, session, width, slower

    def context(self) -> BrowserContext:
        context = self.browser.new_context(viewport={"width": self.width, "height": 900}, base_url=self.address)
        context.add_cookies([{"name": "eustress_session", "value": self.session, "url": self.address}])
        context.add_init_script(OBSERVED)
        return context

    def page(self, context: BrowserContext) -> tuple[Page, CDPSession]:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": self.slower})
        return page, session

    def opened(self, where: str, repeat: int) -> dict[str, float]:
        """Medians of `repeat` openings; a first one fills what the server keeps."""
        found = [self._once(where) for _ in range(repeat + 1)][1:]
        return {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}

    def _once(self, where: str) -> dict[str, float]:
        context = self.context()
        page, session = self.page(context)
        session.send("Performance.enable")
        page.goto(where, wait_until="load")
        page.wait_for_timeout(1500 * self.slower)  # charts are drawn, and what follows is quiet
        told = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        found: dict[str, float] = page.evaluate(READ)
        meaningful = 1000 * (told.get("FirstMeaningfulPaint", 0.0) - told["NavigationStart"])
        found["meaningful_paint_ms"] = meaningful if meaningful > 0 else found["first_paint_ms"]
        found["script_ms"] = 1000 * told["ScriptDuration"]
        found["layout_ms"] = 1000 * (told["LayoutDuration"] + told["RecalcStyleDuration"])
        context.close()
        return found

    def brushed(self, where: str) -> dict[str, dict[str, float]]:
        """Frames while the mouse drags over each chart that brushes."""
        context = self.context()
        page, _ = self.page(context)
        page.goto(where, wait_until="load")
        page.wait_for_timeout(1500 * self.slower)
        found = {}
        for name, (chart, keys) in DRAGS.items():
            found[name] = self._dragged(page, page.locator(f"#{chart}-chart"), keys)
        context.close()
        return found

    def _dragged(self, page: Page, canvas: Locator, keys: str) -> dict[str, float]:
        canvas.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        box = canvas.bounding_box()
        assert box is not None
        left, right = box["x"] + 44, box["x"] + 0.85 * box["width"]  # the first of the parallel axes is there, too
        top, bottom = box["y"] + 0.25 * box["height"], box["y"] + 0.8 * box["height"]
        page.mouse.move(left, top)
        for key in keys.split():
            page.keyboard.down(key)
        page.mouse.down()
        page.evaluate(COUNT)
        began = time.monotonic()
        steps = 0
        while (now := time.monotonic() - began) < DRAGGED:
            share = 1 - abs(now % 2 - 1)  # there and back in two seconds
            page.mouse.move(left + share * (right - left), top + share * (bottom - top))
            steps += 1
        frames: list[float] = page.evaluate(COUNTED)
        page.mouse.up()
        for key in keys.split():
            page.keyboard.up(key)
        gaps = sorted(after - before for before, after in pairwise(frames))
        return {
            "frames_per_second": round(1000 * len(gaps) / sum(gaps), 1),
            "p95_ms": round(gaps[int(0.95 * len(gaps))], 1),
            "longest_ms": round(gaps[-1], 1),
            "moves": steps,
        }


if __name__ == "__main__":
    raise SystemExit(main())
