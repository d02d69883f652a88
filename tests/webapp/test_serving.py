"""The web process before its first page: everything is loaded, and the collector leaves it alone."""

from __future__ import annotations

import subprocess
import sys

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
