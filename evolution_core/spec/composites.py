"""The two parts of a spec that are more than one value: stress signals and the environment.

Both are written shortly where they are simple (`"death-list,pressure"`, `0.6`, `"0.8,0.6"`, `"40x"`, `"40x@3"`)
and as an object where they are not; both are kept in the full form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .catalogue import ENVIRONMENTS, SCHEDULES, STRESSES, Part
from .settings import Setting, _number


def _parameters(part: Part, given: Mapping[str, Any], where: str) -> dict[str, float]:
    """Defaults overridden by what was given; ValueError on an unknown name or a value out of range."""
    known = {p.name: p for p in part.parameters}
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise ValueError(f"{where} takes no parameter {str(name)[:40]!r} (it takes: {allowed})")
    values = {}
    for name, parameter in known.items():
        bounds = Setting("number", name, "", "", minimum=parameter.minimum, maximum=parameter.maximum)
        try:
            values[name] = _number(bounds, given.get(name, parameter.default))
        except ValueError as error:
            raise ValueError(f"{where}, {name}: {error}") from None
    return values


@dataclass(frozen=True)
class Stress:
    """One stress signal: its registered name, its parameters, and when in gestation it acts."""

    name: str
    parameters: dict[str, float] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_parameters: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, value: Any) -> Stress:
        if isinstance(value, cls):
            value = value.to_json()
        if isinstance(value, str):
            value = {"name": value.strip()}
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise ValueError("each stress signal needs a name")
        unknown = set(value) - {"name", "parameters", "schedule", "schedule_parameters"}
        if unknown:
            raise ValueError(f"a stress signal has no {sorted(map(str, unknown))[0]!r}")
        name, schedule = value["name"], value.get("schedule", "constant")
        if name not in STRESSES:
            raise ValueError(f"{name[:40]!r} is unknown; choose from {', '.join(STRESSES)}")
        if not isinstance(schedule, str) or schedule not in SCHEDULES:
            raise ValueError(f"schedule {str(schedule)[:40]!r} is unknown; choose from {', '.join(SCHEDULES)}")
        return cls(
            name,
            _parameters(STRESSES[name], _mapping(value, "parameters"), name),
            schedule,
            _parameters(SCHEDULES[schedule], _mapping(value, "schedule_parameters"), schedule),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "schedule": self.schedule,
            "schedule_parameters": dict(self.schedule_parameters),
        }


def read_stresses(value: Any) -> tuple[Stress, ...]:
    """A name, several joined by commas, an object, or a list of these."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    elif isinstance(value, (Mapping, Stress)):
        value = [value]
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("name at least one stress signal, or none")
    signals = tuple(Stress.read(part) for part in value)
    names = [signal.name for signal in signals]
    if len(set(names)) != len(names):
        raise ValueError("names a signal twice")
    if "none" in names and len(names) > 1:
        raise ValueError("none cannot be combined with others")
    return signals


@dataclass(frozen=True)
class Environment:
    """The environmental factor: what share of the resource may live in each generation."""

    name: str = "constant"
    parameters: dict[str, float] = field(default_factory=lambda: {"factor": 0.6})
    factors: tuple[float, ...] = ()  # scheduled: one for each generation
    layers: dict[str, float] = field(default_factory=dict)  # per-layer: a factor for each named

    @classmethod
    def read(cls, value: Any) -> Environment:
        if isinstance(value, cls):
            value = value.to_json()
        if isinstance(value, str):
            text = value.strip()
            if target := re.fullmatch(r"(?P<times>[^,]*)x(@(?P<by>[^,]*))?", text, re.IGNORECASE):
                value = {"name": "target", "parameters": {"times": target["times"], "by": target["by"] or 0}}
            elif "," in text:
                value = {"name": "scheduled", "factors": [part for part in text.split(",") if part.strip()]}
            elif text in ENVIRONMENTS:
                value = {"name": text}
            else:
                value = {"name": "constant", "parameters": {"factor": text}}
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            value = {"name": "constant", "parameters": {"factor": value}}
        elif isinstance(value, (list, tuple)):
            value = {"name": "scheduled", "factors": value}
        name = value.get("name") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(name, str) or name not in ENVIRONMENTS:
            raise ValueError(f"must be a share, a list of shares, Nx, Nx@G, or name one of {', '.join(ENVIRONMENTS)}")
        unknown = set(value) - {"name", "parameters", "factors", "layers"}
        if unknown:
            raise ValueError(f"an environment has no {sorted(map(str, unknown))[0]!r}")
        share = Setting("number", "factor", "", "", minimum=0.05, maximum=1.0)
        listed = value.get("factors") or ()
        if not isinstance(listed, (list, tuple)):
            raise ValueError("factors must be a list")
        factors = tuple(_number(share, part) for part in listed)
        layers = {str(layer): _number(share, part) for layer, part in _mapping(value, "layers").items()}
        if name == "scheduled" and not factors:
            raise ValueError("a scheduled environment needs at least one share")
        if name == "per-layer" and not layers:
            raise ValueError("a per-layer environment needs at least one layer=share")
        if factors and name != "scheduled":
            raise ValueError("only a scheduled environment takes a list of shares")
        if layers and name != "per-layer":
            raise ValueError("only a per-layer environment takes shares for layers")
        return cls(name, _parameters(ENVIRONMENTS[name], _mapping(value, "parameters"), name), factors, layers)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "factors": list(self.factors),
            "layers": dict(self.layers),
        }


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = value.get(key) or {}
    if not isinstance(part, Mapping):
        raise ValueError(f"{key} must be an object")
    return part
