"""Stress and environment in the run form: each is more than one input. Names of inputs are made here and only here.

`stress` (ticked names), `stress-NAME-PARAMETER`, `stress-NAME-schedule`, `stress-NAME-SCHEDULE-PARAMETER`;
`environment` (one name), `environment-NAME-PARAMETER`, `environment-scheduled-factors`, `environment-per-layer-layers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms

from evolution_core.spec import Environment, Stress
from evolution_core.spec.catalogue import ENVIRONMENTS, SCHEDULES, STRESSES, Part

from .form_fields import Names, parameter_field, plain

FACTORS = "environment-scheduled-factors"
LAYERS = "environment-per-layer-layers"
_UNSCHEDULED = "none"


def part_fields() -> dict[str, forms.Field]:
    """Every input of both, in the order of the catalogue."""
    fields: dict[str, forms.Field] = {
        "stress": Names(
            required=False,
            label="Stress",
            help_text="What is imposed on synapses in gestation. Tick several to compose them.",
            widget=forms.CheckboxSelectMultiple(choices=_labels(STRESSES)),
            initial=[name for name, part in STRESSES.items() if part.default],
        ),
        "environment": forms.CharField(
            required=False,
            label="Environment",
            help_text="How much may live on in each generation.",
            widget=forms.RadioSelect(choices=_labels(ENVIRONMENTS)),
            initial=next(name for name, part in ENVIRONMENTS.items() if part.default),
        ),
    }
    for name, part in STRESSES.items():
        fields |= _parameters(f"stress-{name}", part)
        if name == _UNSCHEDULED:
            continue
        fields[f"stress-{name}-schedule"] = forms.CharField(
            required=False,
            label="Schedule",
            help_text="When in gestation it acts.",
            initial="constant",
            widget=forms.RadioSelect(choices=_labels(SCHEDULES)),
        )
        for schedule, schedule_part in SCHEDULES.items():
            fields |= _parameters(f"stress-{name}-{schedule}", schedule_part)
    for name, part in ENVIRONMENTS.items():
        fields |= _parameters(f"environment-{name}", part)
    fields[FACTORS] = _text("Shares", "One for each generation, in order; the last repeats.", "0.8, 0.6, 0.4")
    fields[LAYERS] = _text("Layers", "A share for each layer that you name.", "conv1=0.8, fc6=0.2")
    return fields


def _labels(parts: Mapping[str, Part]) -> list[tuple[str, str]]:
    return [(name, part.label) for name, part in parts.items()]


def _parameters(prefix: str, part: Part) -> dict[str, forms.Field]:
    return {f"{prefix}-{parameter.name}": parameter_field(parameter) for parameter in part.parameters}


def _text(label: str, help_text: str, placeholder: str) -> forms.Field:
    widget = forms.TextInput(attrs={"class": "form-control", "placeholder": placeholder})
    return forms.CharField(required=False, max_length=4000, label=label, help_text=help_text, widget=widget)


# --- what was typed -> the spec's JSON ----------------------------------------------


def read_stress(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ticked signals as JSON; inputs of signals that are not ticked count nothing."""
    signals = []
    for name in data.get("stress") or []:
        part = STRESSES.get(name)
        signal: dict[str, Any] = {"name": name}
        if part is not None:
            signal["parameters"] = _given(data, f"stress-{name}", part)
            schedule = data.get(f"stress-{name}-schedule") or "constant"
            signal["schedule"] = schedule
            if schedule in SCHEDULES:
                signal["schedule_parameters"] = _given(data, f"stress-{name}-{schedule}", SCHEDULES[schedule])
        signals.append(signal)
    return signals


def read_environment(data: Mapping[str, Any]) -> Any:
    """The chosen environment as JSON; an unknown name is passed on for the spec to refuse."""
    name = data.get("environment") or ""
    part = ENVIRONMENTS.get(name)
    if part is None:
        return {"name": name}
    result: dict[str, Any] = {"name": name, "parameters": _given(data, f"environment-{name}", part)}
    if name == "scheduled":
        result["factors"] = [share.strip() for share in (data.get(FACTORS) or "").split(",") if share.strip()]
    if name == "per-layer":
        result["layers"] = _pairs(data.get(LAYERS) or "")
    return result


def _given(data: Mapping[str, Any], prefix: str, part: Part) -> dict[str, str]:
    """Typed values; an input left empty means the default."""
    values = {parameter.name: data.get(f"{prefix}-{parameter.name}") for parameter in part.parameters}
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def _pairs(text: str) -> dict[str, str]:
    """ "conv1=0.8, fc6" -> {"conv1": "0.8", "fc6": ""}: an empty share is refused by the spec, by name."""
    pairs = [pair.split("=", 1) for pair in text.split(",") if pair.strip()]
    return {pair[0].strip(): pair[1].strip() if len(pair) == 2 else "" for pair in pairs}


# --- a spec -> what would have been typed --------------------------------------------


def typed_stress(signals: tuple[Stress, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {"stress": [signal.name for signal in signals]}
    for signal in signals:
        result |= {f"stress-{signal.name}-{key}": plain(value) for key, value in signal.parameters.items()}
        if signal.name == _UNSCHEDULED:
            continue
        prefix = f"stress-{signal.name}-{signal.schedule}"
        result[f"stress-{signal.name}-schedule"] = signal.schedule
        result |= {f"{prefix}-{key}": plain(value) for key, value in signal.schedule_parameters.items()}
    return result


def typed_environment(environment: Environment) -> dict[str, Any]:
    result: dict[str, Any] = {"environment": environment.name}
    result |= {f"environment-{environment.name}-{key}": plain(value) for key, value in environment.parameters.items()}
    if environment.factors:
        result[FACTORS] = ", ".join(plain(factor) for factor in environment.factors)
    if environment.layers:
        result[LAYERS] = ", ".join(f"{name}={plain(share)}" for name, share in environment.layers.items())
    return result


# --- a problem -> the input beside which it belongs ------------------------------------


def stress_problem(text: str, data: Mapping[str, Any]) -> tuple[str, str]:
    """(input, sentence) for what the spec said of `stress`: "death-list, fade: must be at most 1, not 3"."""
    match = re.match(r"(?P<part>[\w-]+), (?P<parameter>\w+): (?P<rest>.*)", text, re.DOTALL)
    if match is None:
        return "stress", text
    part, parameter, rest = match["part"], match["parameter"], match["rest"]
    if part in STRESSES and part in (data.get("stress") or []):
        return f"stress-{part}-{parameter}", rest
    for name in data.get("stress") or []:  # a schedule's parameter: beside the signal that chose it
        if part in SCHEDULES and data.get(f"stress-{name}-schedule") == part:
            return f"stress-{name}-{part}-{parameter}", rest
    return "stress", text


def environment_problem(text: str, data: Mapping[str, Any]) -> tuple[str, str]:
    name = data.get("environment")
    match = re.match(r"(?P<part>[\w-]+), (?P<parameter>\w+): (?P<rest>.*)", text, re.DOTALL)
    if match is not None and match["part"] == name:
        return f"environment-{name}-{match['parameter']}", match["rest"]
    return {"scheduled": FACTORS, "per-layer": LAYERS}.get(str(name), "environment"), text
