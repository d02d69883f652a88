"""How answers leave: pages and tables compressed, and none of them waits for Python's garbage collector."""

from __future__ import annotations

import asyncio
import gc
import gzip
import subprocess
import sys
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import RequestFactory

from tests.webapp.factories import make_evolution
from webapp.runs.snapshot import Lineage
from webapp.server.middleware import GZipMiddleware
from webapp.server.serve import configured

ASKED = """
import gc, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
import webapp.asgi
from webapp.server.serve import be_ready
be_ready()
kept, before = gc.get_freeze_count(), gc.get_stats()[2]["collections"]
pages = [{"of": i, "rows": [[i] for _ in range(500)]} for i in range(1000)]
print("webapp.runs.views" in sys.modules, kept > 10_000, gc.get_stats()[2]["collections"] - before)
"""


def test_no_page_waits_for_an_import_or_for_the_collector_to_walk_the_whole_house(tmp_path) -> None:
    """In a process of its own: what it changes is the process's."""
    environment = {"EUSTRESS_HOME": str(tmp_path), "PATH": ""}
    asked = subprocess.run(
        [sys.executable, "-c", ASKED], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert asked.stdout.split() == ["True", "True", "0"], asked.stderr


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/runs/{run}/",
        "/runs/{run}/live",
        "/runs/{run}/explore",
        "/runs/{run}/curves",
        "/runs/{run}/chart.json",
        "/runs/{run}/tables/networks.csv",
        "/runs/{run}/tables/generations.csv",
        "/runs/{run}/lineage.json",
        "/runs/{run}/networks/2-1/",
        "/runs/{run}/networks/2-1/card",
        "/compare/?run={run}&network={run}:2-1",
        "/compare/chart.json?run={run}&network={run}:2-1",
    ],
)
def test_a_lineage_ends_with_the_page_that_read_it(client_of: Any, vic: Any, team: Any, address: str) -> None:
    """One caught in a cycle, as by an exception that is kept, would be thousands of objects for the collector."""
    client, run = client_of(vic), make_evolution(team)
    gc.collect()
    gc.disable()
    try:
        assert client.get(address.format(run=run.pk)).status_code == 200
        left = sum(type(one) is Lineage for one in gc.get_objects())
    finally:
        gc.enable()
    assert left == 0


@pytest.mark.django_db
def test_texts_leave_compressed_and_files_as_they_are(client_of: Any, vic: Any, team: Any) -> None:
    client, run = client_of(vic), make_evolution(team, finished=True)
    accepts = {"accept-encoding": "gzip, br"}
    for address in ("chart.json", "tables/networks.csv", "lineage.json"):
        plain = client.get(f"/runs/{run.pk}/{address}")
        small = client.get(f"/runs/{run.pk}/{address}", headers=accepts)
        assert (plain.get("Content-Encoding"), small["Content-Encoding"]) == (None, "gzip")
        assert gzip.decompress(small.content) == plain.content
        assert len(small.content) < len(plain.content) / 2
        assert "Accept-Encoding" in plain["Vary"]
    page = client.get(f"/runs/{run.pk}/", headers=accepts)
    assert gzip.decompress(page.content).endswith(b"</html>\n")
    weights = client.get(f"/runs/{run.pk}/networks/5-2/safetensors", headers=accepts)
    assert weights.streaming
    assert "Content-Encoding" not in weights


def test_events_leave_at_once() -> None:
    request = RequestFactory().get("/", headers={"accept-encoding": "gzip"})
    events = StreamingHttpResponse([b"data: 1\n\n" * 100], content_type="text/event-stream; charset=utf-8")
    assert "Content-Encoding" not in GZipMiddleware(lambda _: events)(request)


@pytest.mark.parametrize(("sender", "seen"), [("172.16.3.9", "203.0.113.5"), ("198.51.100.1", "198.51.100.1")])
def test_a_caller_is_known_by_what_our_proxies_say_and_nobody_elses(settings: Any, sender: str, seen: str) -> None:
    settings.EUSTRESS_PROXIES = ["127.0.0.1", "172.16.0.0/12"]
    found: list[str] = []

    async def page(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope["client"][0])

    config = configured()
    config.app = page
    config.load()
    headers = [(b"x-forwarded-for", b"203.0.113.5"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (sender, 4711), "scheme": "http", "headers": headers}
    asyncio.run(config.loaded_app(scope, None, None))  # type: ignore[arg-type]
    assert found == [seen]
