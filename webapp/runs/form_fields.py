"""Form fields made from the spec's own descriptions. They only carry what was typed: `RunSpec` checks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evolution_core.spec import Setting
from evolution_core.spec.catalogue import RESOURCES, Parameter, Part

_LONGEST = 2000  # characters of any typed value; far above every honest one
_SEEN_WHOLE = 28  # characters of a placeholder that no width of the page cuts off


class Names(forms.Field):
    """Ticked names, as a list; which names exist is the spec's business."""

    widget = forms.CheckboxSelectMultiple

    def to_python(self, value: Any) -> list[str]:
        return [str(part)[:_LONGEST] for part in value or []]


def setting_field(setting: Setting, default: Any) -> forms.Field:
    """An input for one setting. Its value is text (a list for ticked names, a bool for a flag), never checked here."""
    common: dict[str, Any] = {
        "required": False,
        "label": setting.label,
        "help_text": setting.help,
        "initial": typed(default),
    }
    if setting.kind == "flag":
        return forms.BooleanField(**common)
    if setting.kind == "names" and setting.choices is not None:
        return Names(widget=forms.CheckboxSelectMultiple(choices=_choices(setting.choices())), **common)
    if setting.kind == "choice":
        assert setting.choices is not None
        return forms.CharField(widget=forms.RadioSelect(choices=_choices(setting.choices())), **common)
    if setting.kind in ("integer", "number"):
        return forms.CharField(widget=_number(setting.minimum, setting.maximum, setting.kind, setting.blank), **common)
    placeholder = {"shares": "conv1=0.5, fc6=0.2", "names": "conv1, fc6"}.get(setting.kind, setting.blank)
    return forms.CharField(
        max_length=_LONGEST,
        widget=forms.TextInput(attrs={"placeholder": placeholder, "class": "form-control"}),
        **common,
    )


def parameter_field(parameter: Parameter) -> forms.Field:
    """An input for one number that a part takes."""
    return forms.CharField(
        required=False,
        label=parameter.name.replace("_", " ").capitalize(),
        help_text=parameter.summary,
        initial=typed(parameter.default),
        widget=_number(parameter.minimum, parameter.maximum, "number"),
    )


def _number(minimum: float, maximum: float, kind: str, placeholder: str = "") -> forms.NumberInput:
    attributes: dict[str, Any] = {"class": "form-control", "step": "1" if kind == "integer" else "any"}
    if minimum > float("-inf"):
        attributes["min"] = plain(minimum)
    if maximum < float("inf"):
        attributes["max"] = plain(maximum)
    if placeholder:
        attributes["placeholder"] = placeholder if len(placeholder) <= _SEEN_WHOLE else "automatic"
    return forms.NumberInput(attrs=attributes)


def _choices(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and labels; what has no label of its own is called as its resource is, if there is one."""
    parts = ((name, part) for some in (RESOURCES, known) for name, part in some.items())
    labels = {name: part.label for name, part in parts if isinstance(part, Part)}
    return [(name, labels.get(name, name.capitalize())) for name in known]


def typed(value: Any) -> Any:
    """A spec's value as a person would have typed or ticked it. :func:`setting_field` and this are inverse."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return plain(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={plain(number)}" for name, number in value.items())
    if isinstance(value, (list, tuple)):
        return list(value)
    return str(value)


def plain(number: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e15:
        number = int(number)
    return repr(number)


def bounds(minimum: float, maximum: float) -> str:
    """The range in words, or "" where there is none."""
    low, high = minimum > float("-inf"), maximum < float("inf")
    high = high and maximum < 1e12  # beyond that, no bound that a person would meet
    if low and high:
        return f"{_readable(minimum)} to {_readable(maximum)}"
    return f"{_readable(minimum)} or more" if low else f"{_readable(maximum)} or less" if high else ""


def _readable(number: float) -> str:
    return f"{int(number):,}" if float(number).is_integer() else plain(number)


def sentence(text: str) -> str:
    """A problem from the engine as a sentence beside a field."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
