"""What a run's page shows. `run_context` serves the team's page and a share link's alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from webapp.keeping import Addresses

from .addresses import RunUrls
from .answer import answer
from .choice import points_words
from .curves import curves_context
from .explorer import explorer
from .generations import generation_records
from .models import Run, RunEvent
from .sentences import QUIET, sentence
from .snapshot import metric_label
from .status import status_of
from .trial import trial_of
from .view import View
from .words import settings_context

LINES = 30  # of the log on the run's page


def run_context(run: Run, urls: RunUrls, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Context of `runs/_run.html` and of each of its fragments. `urls.readonly` hides what only members may do."""
    view = View.read(query or {})
    trial = trial_of(run, view)
    lineage = trial.lineage
    return {
        "run": run,
        "urls": urls.plain(),
        "readonly": urls.readonly,
        "view": view,
        "metric": metric_label(run),
        "lineage_measured": bool(lineage.measured),
        "detection": run.dataset.task == "detection",
        "status": status_of(run, trial.own),
        "answer": answer(run, trial, urls, view),
        "drop_words": points_words(lineage.max_drop if view.drop is None else view.drop),
        "events": log(run, LINES),
        **settings_context(run, None if urls.readonly else run.cloned_from),
        **explorer(run, lineage, urls, view),
        "generations": [
            row | {"hypervolume": row[f"hypervolume_{view.cost}"]}
            for row in generation_records(run, lineage, [view.cost])
        ],
        **curves_context(run, lineage, urls, view.network),
        "saved_views": [] if urls.readonly else list(run.saved_views.select_related("created_by")),
    }


def curves(run: Run, urls: RunUrls, query: Mapping[str, str]) -> dict[str, Any]:
    """Context of `runs/_curves.html` alone."""
    view = View.read(query)
    shown = curves_context(run, trial_of(run, view).lineage, urls, view.network)
    return {
        "tables": Addresses(partial(urls.get, "table")),
        "run": run,
        "view": view,
        "metric": metric_label(run),
        "status": {"ended": run.has_ended},
        **shown,
    }


# --- log, settings ------------------------------------------------------------------------


def log(run: Run, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """The latest events as sentences, newest first; the many small ones are left out."""
    events = RunEvent.objects.filter(run=run).exclude(kind__in=QUIET).select_related("network")
    if before is not None:
        events = events.filter(number__lt=before)
    return [line(event) for event in events.order_by("-number")[:limit]]


def line(event: RunEvent) -> dict[str, Any]:
    return {"number": event.number, "at": event.at, "kind": event.kind, "text": sentence(event)}
