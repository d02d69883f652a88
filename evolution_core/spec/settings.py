"""How one field of a spec is described, read and checked.

A field's `Setting` is its only description: the command line makes an option of it, the
run form makes an input, and `RunSpec` checks values with it. Adding a field to `RunSpec`
is therefore enough to make it reachable everywhere.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

GROUPS: dict[str, str] = {
    "network": "Base network",
    "evolution": "Evolution",
    "environment": "Environment",
    "stress": "Stress",
    "training": "Training",
    "genome": "Genome and heredity",
    "selection": "Selection",
}


@dataclass(frozen=True)
class Setting:
    """Describes one field. `kind` is one of integer, number, flag, choice, names, shares, text.

    names: a list of strings; shares: a mapping of layer to number; `optional` admits None,
    whose meaning `blank` says. `minimum` and `maximum` are inclusive.
    """

    kind: str
    label: str
    help: str
    group: str
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: Callable[[], Mapping[str, Any]] | None = None
    optional: bool = False
    blank: str = ""
    basic: bool = False  # shown at once in the run form; the rest under "More settings"
    option: str = ""  # the command line's name where it differs from the field's

    def check(self, value: Any) -> Any:
        """The value in its proper type; ValueError says in one sentence why not."""
        if value is None or value == "":
            if self.optional:
                return None
            raise ValueError("a value is needed")
        return _CHECKS[self.kind](self, value)

    def _ranged(self, number: float) -> float:
        if not math.isfinite(number):
            raise ValueError("must be a finite number")
        if number < self.minimum:
            raise ValueError(f"must be at least {self.minimum:g}, not {number:g}")
        if number > self.maximum:
            raise ValueError(f"must be at most {self.maximum:g}, not {number:g}")
        return number


def _integer(setting: Setting, value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    try:
        number = int(value) if not isinstance(value, float) or value.is_integer() else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        raise ValueError(f"must be a whole number, not {str(value)[:40]!r}")
    setting._ranged(number)
    return number


def _number(setting: Setting, value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"must be a number, not {str(value)[:40]!r}") from None
    return setting._ranged(number)


def _flag(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "yes", "on", "1"}:
        return True
    if isinstance(value, str) and value.lower() in {"false", "no", "off", "0"}:
        return False
    raise ValueError("must be true or false")


def _choice(setting: Setting, value: Any) -> str:
    assert setting.choices is not None
    known = setting.choices()
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{str(value)[:40]!r} is unknown; choose one of {', '.join(known)}")
    return value


def _names(setting: Setting, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        raise ValueError("must be a list of names")
    if len(set(value)) != len(value):
        raise ValueError("names a thing twice")
    if setting.choices is not None:
        known = setting.choices()
        for part in value:
            if part not in known:
                raise ValueError(f"{part[:40]!r} is unknown; choose from {', '.join(known)}")
    return tuple(value)


def _shares(setting: Setting, value: Any) -> dict[str, float]:
    if isinstance(value, str):  # "conv1=0.5, fc6=0.2"
        pairs = [part.split("=", 1) for part in value.split(",") if part.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("write it as layer=number, layer=number")
        value = {name.strip(): number.strip() for name, number in pairs}
    if not isinstance(value, Mapping):
        raise ValueError("must map layers to numbers")
    return {str(name): _number(setting, number) for name, number in value.items()}


def _text(setting: Setting, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError("must be a short text")
    return value


_CHECKS: dict[str, Callable[[Setting, Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "flag": _flag,
    "choice": _choice,
    "names": _names,
    "shares": _shares,
}


def setting(default: Any, kind: str, label: str, help: str, group: str, **more: Any) -> Any:
    """A dataclass field that carries its `Setting`."""
    described = Setting(kind, label, help, group, **more)
    if isinstance(default, (dict, list)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata={"setting": described})
    return dataclasses.field(default=default, metadata={"setting": described})


def settings_of(spec_class: type) -> dict[str, Setting]:
    """Every described field of a spec, in order."""
    return {f.name: f.metadata["setting"] for f in dataclasses.fields(spec_class) if "setting" in f.metadata}
