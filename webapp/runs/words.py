"""A run's settings in words: all of them for its page, what differs from another run, and one alone for tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evolution_core.spec import SETTINGS, Environment, RunSpec, SpecError, Stress, catalogue

from .choice import points_words
from .form_fields import typed
from .models import Run

COMPOSITES = {"environment": "Environment", "stress": "Stress"}  # fields of a spec without a setting of their own


def label_of(name: str) -> str:
    """What the form calls a field of a spec."""
    return COMPOSITES.get(name) or (SETTINGS[name].label if name in SETTINGS else name)


# --- one value, as short as it can be told from others ------------------------------------


def value_in_words(name: str, value: Any) -> str:
    """ "0.5", "40×", "death list + pressure", "ResNet-20": for tables and names of runs."""
    if isinstance(value, Environment):
        return _short_environment(value)
    if name == "stress":
        return " + ".join(_stress_words(value))
    return _in_words(name, value)


def differing(spec: RunSpec, names: Iterable[str]) -> list[str]:
    """ "seed 3", "environment 0.5": what a run of a sweep has for itself."""
    return [f"{label_of(name).lower()} {value_in_words(name, getattr(spec, name))}" for name in names]


def number_of(value: Any) -> float | None:
    """The value as a number for an axis, where it is one: an environment by its share, or by how many times smaller."""
    if isinstance(value, Environment) and value.name in ("constant", "target"):
        return float(value.parameters["factor" if value.name == "constant" else "times"])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return None


def _short_environment(environment: Environment) -> str:
    if environment.name == "target":
        by = environment.parameters.get("by")
        return f"{environment.parameters['times']:g}×" + (f" by generation {by:g}" if by else "")
    if environment.name == "scheduled":
        return ", ".join(f"{factor:g}" for factor in environment.factors)
    factor = environment.parameters.get("factor", 1)
    if environment.name == "per-layer":
        return f"{_layers(environment)}; {factor:g} elsewhere"
    return f"{factor:g}"


# --- all of them ---------------------------------------------------------------------------


def settings_context(run: Run, origin: Run | None) -> dict[str, Any]:
    """What a run's page shows of its settings, and in a word how they differ from those of the run it is a clone of."""
    rows = described(run, origin)
    count = sum(bool(row["was"]) for row in rows) + (origin is not None and origin.dataset_id != run.dataset_id)
    changed = ""
    if origin is not None:
        changed = "nothing differs" if not count else f"{count} {'differs' if count == 1 else 'differ'}, marked below"
    return {"settings": rows, "changed": changed}


def described(run: Run, origin: Run | None = None) -> list[dict[str, str]]:
    """The spec in words: the basic settings and what differs from the defaults; `was` where `origin` differs."""
    try:
        spec = run.run_spec
    except SpecError:
        return []
    before = _spec_of(origin)
    default, rows = RunSpec(), []
    for name, label in _fields():
        value = getattr(spec, name)
        was = getattr(before, name) if before is not None else value
        if _is_notable(name, value, default) or was != value:
            changed = _told(name, before) if before is not None and was != value else ""
            rows.append({"label": label, "value": _told(name, spec), "was": changed})
    return rows


def settings_in_words(run: Run) -> dict[str, tuple[str, bool]]:
    """label -> (value in words, whether it is worth showing); empty for a spec that no longer reads."""
    spec, default = _spec_of(run), RunSpec()
    if spec is None:
        return {}
    return {label: (_told(name, spec), _is_notable(name, getattr(spec, name), default)) for name, label in _fields()}


def differences(spec: RunSpec, before: RunSpec) -> list[dict[str, str]]:
    """What differs between two specs, setting by setting."""
    return [
        {"name": name, "label": label, "value": _told(name, spec), "was": _told(name, before)}
        for name, label in _fields()
        if getattr(spec, name) != getattr(before, name)
    ]


def _spec_of(run: Run | None) -> RunSpec | None:
    try:
        return run.run_spec if run is not None else None
    except SpecError:
        return None


def _fields() -> list[tuple[str, str]]:
    names = [*SETTINGS, "stress", "environment"]
    return [(name, label_of(name)) for name in names]


def _is_notable(name: str, value: Any, default: RunSpec) -> bool:
    return name in COMPOSITES or SETTINGS[name].basic or value != getattr(default, name)


def _told(name: str, spec: RunSpec) -> str:
    if name == "environment":
        return environment_words(spec)
    if name == "max_drop":
        return points_words(spec.max_drop)
    return ", ".join(_stress_words(spec.stress)) if name == "stress" else _in_words(name, getattr(spec, name))


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
    if isinstance(value, int) and name != "seed":
        return f"{value:,}"
    shown = typed(value)
    return ", ".join(shown) or "none" if isinstance(shown, list) else str(shown) or "none"


def _stress_words(signals: Iterable[Stress]) -> list[str]:
    """Each signal with what of it is not as usual: "Death list (fade 0.5) in pulses"."""
    words = []
    for signal in signals:
        part = catalogue.STRESSES[signal.name]
        text = part.label + _unusual(part, signal.parameters)
        if signal.schedule != "constant":
            schedule = catalogue.SCHEDULES[signal.schedule]
            text += f" in {schedule.label.lower()}" + _unusual(schedule, signal.schedule_parameters)
        words.append(text)
    return words


def _unusual(part: catalogue.Part, values: Mapping[str, float]) -> str:
    usual = {parameter.name: parameter.default for parameter in part.parameters}
    told = [f"{name.replace('_', ' ')} {value:g}" for name, value in values.items() if value != usual.get(name)]
    return f" ({', '.join(told)})" if told else ""


def _layers(environment: Environment) -> str:
    return ", ".join(f"{layer} {share:g}" for layer, share in environment.layers.items())


def environment_words(spec: RunSpec) -> str:
    environment = spec.environment
    resource = catalogue.RESOURCES[spec.resource].label.lower()
    if environment.name == "target":
        return f"{environment.parameters['times']:g}× fewer {resource} by the last generation"
    if environment.name == "scheduled":
        return f"{', '.join(f'{factor:g}' for factor in environment.factors)} of the {resource}, by generation"
    if environment.name == "per-layer":
        return f"{_layers(environment)}; {environment.parameters['factor']:g} elsewhere"
    return f"{environment.parameters.get('factor', 1):g} of the {resource} live on in each generation"
