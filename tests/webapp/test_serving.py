"""Python's garbage collector and pages: it leaves alone what is loaded, and pages leave little to it."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import pytest

from tests.webapp.factories import make_evolution
from webapp.runs.snapshot import Lineage

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
