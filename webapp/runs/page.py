"""What a run's page shows. `run_context` serves the team's page and a share link's alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evolution_core.spec import SETTINGS, RunSpec, SpecError, catalogue

from .addresses import RunUrls
from .answer import answer
from .choice import points_words
from .curves import curves_context
from .explorer import explorer
from .form_fields import typed
from .models import Run, RunEvent
from .sentences import QUIET, sentence
from .snapshot import Lineage, metric_label
from .status import status_of
from .view import View

LINES = 30  # of the log on the run's page


def run_context(run: Run, urls: RunUrls, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Context of `runs/_run.html` and of each of its fragments. `urls.readonly` hides what only members may do."""
    lineage = Lineage.of(run)
    view = View.read(query or {})
    return {
        "run": run,
        "urls": urls.plain(),
        "readonly": urls.readonly,
        "view": view,
        "metric": metric_label(run),
        "detection": run.dataset.task == "detection",
        "status": status_of(run, lineage),
        "answer": answer(run, lineage, urls, view.network),
        "drop_words": points_words(lineage.max_drop if view.drop is None else view.drop),
        "events": log(run, LINES),
        "settings": described(run, None if urls.readonly else run.cloned_from),
        **explorer(run, lineage, urls, view),
        **curves_context(run, lineage, urls, view.network),
        "saved_views": [] if urls.readonly else list(run.saved_views.select_related("created_by")),
    }


def curves(run: Run, urls: RunUrls, query: Mapping[str, str]) -> dict[str, Any]:
    """Context of `runs/_curves.html` alone."""
    view = View.read(query)
    shown = curves_context(run, Lineage.of(run), urls, view.network)
    return {"view": view, "metric": metric_label(run), "status": {"ended": run.has_ended}, **shown}


# --- log, settings ------------------------------------------------------------------------


def log(run: Run, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """The latest events as sentences, newest first; the many small ones are left out."""
    events = RunEvent.objects.filter(run=run).exclude(kind__in=QUIET).select_related("network")
    if before is not None:
        events = events.filter(number__lt=before)
    return [line(event) for event in events.order_by("-number")[:limit]]


def line(event: RunEvent) -> dict[str, Any]:
    return {"number": event.number, "at": event.at, "kind": event.kind, "text": sentence(event)}


def described(run: Run, origin: Run | None = None) -> list[dict[str, str]]:
    """The spec in words: the basic settings and what differs from the defaults; `was` where `origin` differs."""
    rows, before = settings_in_words(run), settings_in_words(origin) if origin is not None else {}
    shown = {name for words in (rows, before) for name, (_, notable) in words.items() if notable}
    result = []
    for name, (value, _) in rows.items():
        was = before[name][0] if name in before and before[name][0] != value else ""
        if name in shown:
            result.append({"label": name, "value": value, "was": was})
    return result


def settings_in_words(run: Run) -> dict[str, tuple[str, bool]]:
    """label -> (value in words, whether it is worth showing); empty for a spec that no longer reads."""
    try:
        spec, default = run.run_spec, RunSpec()
    except SpecError:
        return {}
    words = {
        setting.label: (_in_words(name, getattr(spec, name)), _is_notable(name, spec, default))
        for name, setting in SETTINGS.items()
    }
    words["Stress"] = (", ".join(_stress_words(spec)), True)
    words["Environment"] = (environment_words(spec), True)
    return words


def _is_notable(name: str, spec: RunSpec, default: RunSpec) -> bool:
    return SETTINGS[name].basic or getattr(spec, name) != getattr(default, name)


def _in_words(name: str, value: Any) -> str:
    if name == "architecture":
        card = catalogue.ARCHITECTURES.get(value)
        return card.label if card else "own network"
    if name in ("own", "weights") and value:
        return f"{value[:12]}…"
    if isinstance(value, bool):
        return "yes" if value else "no"
    parts = SETTINGS[name].choices() if SETTINGS[name].choices else {}  # type: ignore[misc]
    part = parts.get(value) if isinstance(value, str) else None
    if part is not None:
        return part.label
    if value is None:
        return SETTINGS[name].blank or "none"
    shown = typed(value)
    return ", ".join(shown) if isinstance(shown, list) else str(shown)


def _stress_words(spec: RunSpec) -> list[str]:
    words = []
    for signal in spec.stress:
        schedule = "" if signal.schedule == "constant" else f" in {catalogue.SCHEDULES[signal.schedule].label.lower()}"
        words.append(catalogue.STRESSES[signal.name].label + schedule)
    return words


def environment_words(spec: RunSpec) -> str:
    environment = spec.environment
    resource = catalogue.RESOURCES[spec.resource].label.lower()
    if environment.name == "target":
        by = environment.parameters.get("by")
        when = f"generation {by:g}" if by else "the last generation"
        return f"{environment.parameters['times']:g}× fewer {resource} by {when}"
    if environment.name == "scheduled":
        return f"{', '.join(f'{factor:g}' for factor in environment.factors)} of the {resource}, by generation"
    if environment.name == "per-layer":
        named = ", ".join(f"{layer} {share:g}" for layer, share in environment.layers.items())
        return f"{named}; {environment.parameters['factor']:g} elsewhere"
    return f"{environment.parameters.get('factor', 1):g} of the {resource} live on in each generation"
