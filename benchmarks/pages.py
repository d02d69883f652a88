"""Claim: every page and fragment is answered in under 150 ms (p95) with a fixed number of queries, for a run of 5,000
networks and a team of 500 runs on SQLite, and all scripts and styles together take less than 350 kB compressed.

    python benchmarks/pages.py [--json] [--networks 5000] [--runs 500] [--repeat 30] [--home DIR]

Rows are made in a temporary home (or in --home, which is kept and reused, for looking at them in a browser). Pages
are asked for inside this process, one after another, as a signed-in member. Templates and database are real, the
process is made ready as the web server's is, and each page opens its own connection, as there; the network is not
measured. What is added to PAGES is measured.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
LIMIT_MS, LIMIT_KB = 150, 350
ACCEPTS = {"accept-encoding": "gzip"}  # as every browser: the time to compress counts

# name -> address; {run} is the run of many networks, {small} a finished one, {deep} one of 50 generations of 54 layers,
# {dataset} the data, {species} data of 10,000 classes, {of_species} a run on such, {network} a network of the middle of
# the large run, {edge} that network's first parent.
PAGES = {
    "runs": "/runs/",
    "runs, last page": "/runs/?page=20",
    "runs, searched": "/runs/?q=run+4&state=finished",
    "runs, most shrunk first": "/runs/?sort=-smaller",
    "runs, as a file": "/runs/list.csv?sort=-smaller",
    "run": "/runs/{run}/",
    "run, another view": "/runs/{run}/?sort=latency&network={network}&cost=macs&height=shock&page=40",
    "run, live parts": "/runs/{run}/live",
    "run, chart": "/runs/{run}/chart.json",
    "run, another selection": "/runs/{run}/explore?network={network}&against={edge}&accuracy=90..100",
    "run, its curves": "/runs/{run}/curves?network={network}",
    "run, selected networks as CSV": "/runs/{run}/tables/networks.csv?accuracy=90..100",
    "run, generations as CSV": "/runs/{run}/tables/generations.csv",
    "run, deep": "/runs/{deep}/",
    "run, deep, another selection": "/runs/{deep}/explore?network=50-1",
    "network, deep": "/runs/{deep}/networks/50-1/",
    "sweep": "/runs/groups/{sweep}/",
    "run, lineage.json of a small one": "/runs/{small}/lineage.json",
    "run, small": "/runs/{small}/",
    "run, log": "/runs/{run}/log/",
    "run, events": "/runs/{run}/events.json?after=0",
    "network": "/runs/{run}/networks/{network}/",
    "network, ancestor": "/runs/{run}/networks/ancestor/",
    "network, images": "/runs/{run}/networks/{network}/?images=3&only=lost",
    "network, model card": "/runs/{run}/networks/{network}/card",
    "compare, nothing yet": "/compare/",
    "compare": "/compare/?run={run}&run={small}&network={run}:{network}&network={run}:ancestor&all=1",
    "compare, charts": "/compare/chart.json?run={run}&run={small}&network={run}:{network}&network={run}:ancestor",
    "compare, layers as a file": "/compare/tables/layers.csv?run={run}&run={small}",
    "new run": "/runs/new/",
    "clone": "/runs/{small}/clone/",
    "own networks": "/runs/bases/",
    "sharing": "/runs/{run}/share/",
    "data sets": "/datasets/",
    "data set": "/datasets/{dataset}/",
    "data set of 10,000 classes": "/datasets/{species}/",
    "new run on 10,000 classes": "/runs/new/?dataset={species}",
    "run on 10,000 classes": "/runs/{of_species}/",
    "team": "/team/",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON only")
    parser.add_argument("--networks", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--home", type=Path, help="keep the rows here, and use those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(options.home or Path(scratch), options.networks, options.runs, options.repeat)
    slow = [name for name, page in found["pages"].items() if page["p95_ms"] > LIMIT_MS]
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        for name, page in found["pages"].items():
            times = f"{page['p95_ms']:8.1f} ms p95 {page['cpu_p95_ms']:7.1f} ms of work p95"
            print(f"{times} {page['queries']:3} queries {page['kb']:7.1f} kB  {name}")
        print(f"{found['assets_kb']:8.1f} kB of scripts and styles, compressed")
    return 1 if slow or found["assets_kb"] > LIMIT_KB else 0


def measure(home: Path, networks: int, runs: int, repeat: int) -> dict[str, Any]:
    os.environ["EUSTRESS_HOME"] = str(home)
    os.environ["EUSTRESS_ALLOWED_HOSTS"] = "testserver"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    home.mkdir(parents=True, exist_ok=True)
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    call_command("migrate", verbosity=0)
    from benchmarks.rows import member, seed
    from webapp.server.serve import be_ready

    be_ready()
    places = seed(networks, runs)
    return {
        "machine": {"python": platform.python_version(), "processors": os.cpu_count(), "system": platform.platform()},
        "load": round(os.getloadavg()[0], 1),  # before it began: how many processes wanted the processors
        "networks": networks,
        "runs": runs,
        "pages": {name: timed(member(), address.format(**places), repeat) for name, address in PAGES.items()},
        "assets_kb": round(sum(assets().values()) / 1000, 1),
    }


def timed(client: Any, address: str, repeat: int) -> dict[str, Any]:
    """p95 and median of `repeat` answers, after one that fills templates and statements; queries of one answer. `cpu`
    is the work alone, which does not grow when others use the machine as times do."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        response = client.get(address, headers=ACCEPTS)
    assert response.status_code == 200, f"{address}: {response.status_code}"
    queries, times, work = len(captured), [], []
    for _ in range(repeat):
        connection.close()
        started, worked = time.perf_counter(), time.process_time()
        response = client.get(address, headers=ACCEPTS)
        length = len(response.content)
        times.append((time.perf_counter() - started) * 1000)
        work.append((time.process_time() - worked) * 1000)
    return {
        "p95_ms": p95(times),
        "median_ms": round(statistics.median(times), 1),
        "cpu_p95_ms": p95(work),
        "cpu_ms": round(statistics.median(work), 1),
        "queries": queries,
        "kb": round(length / 1000, 1),
    }


def p95(values: list[float]) -> float:
    return round(sorted(values)[min(len(values) - 1, int(0.95 * len(values)))], 1)


def assets() -> dict[str, int]:
    """Every script and style sheet that any page loads, with its size in bytes as it is sent (gzip)."""
    ours = [*(ROOT / "webapp/static").rglob("*.js"), *(ROOT / "webapp/static").rglob("*.css")]
    templates = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    scripts = "".join(path.read_text() for path in ours)
    named = set(re.findall(r"vendor/([\w./@-]+\.(?:js|css))", templates + scripts))
    vendor = [ROOT / "node_modules" / name for name in sorted(named)]
    return {str(path.relative_to(ROOT)): len(gzip.compress(path.read_bytes(), 9)) for path in (*ours, *vendor)}


if __name__ == "__main__":
    raise SystemExit(main())
