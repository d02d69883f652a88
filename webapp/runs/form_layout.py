"""How the run form is laid out: which input stands where, with its explanation. Templates only walk this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.forms import BoundField

from evolution_core.spec import GROUPS, SETTINGS, Setting, catalogue
from evolution_core.spec.base_networks import ArchitectureCard
from evolution_core.spec.catalogue import SCHEDULES, Part

from . import form_parts
from .form_fields import bounds
from .forms import BASES, DEFAULTS, OWN_TASK, RunForm
from .models import BaseFile

# Cards of their own at the top; the other basic settings follow in this order.
_APART = {"architecture", "own", "weights", "input_size", "width"}
_SIZES = ("input_size", "width")  # beside the base network, whose size they set


@dataclass(frozen=True)
class Option:
    """One choice of a registered part: its explanation, its link, and the inputs that only it needs."""

    name: str
    label: str
    summary: str
    source: str
    origin: str
    checked: bool
    inputs: tuple[Input, ...] = ()
    schedules: tuple[Option, ...] = ()
    schedule_field: BoundField | None = None


@dataclass(frozen=True)
class Input:
    """One input: the bound field with what may be typed and what happens when nothing is."""

    field: BoundField
    kind: str
    range: str = ""
    default: str = ""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Section:
    title: str
    inputs: tuple[Input, ...]
    has_errors: bool = field(default=False)


def basic_inputs(form: RunForm) -> list[Input]:
    """Every basic setting that has no card of its own."""
    names = [name for name, setting in SETTINGS.items() if setting.basic and name not in _APART]
    names.sort(key=lambda name: name == "seed")  # what few people change stands last
    return [_input(form, name, SETTINGS[name]) for name in names]


def size_inputs(form: RunForm) -> list[Input]:
    """How large images and base network are."""
    return [_input(form, name, SETTINGS[name]) for name in _SIZES]


def more_sections(form: RunForm) -> list[Section]:
    """The rest, by group."""
    sections = []
    for group, title in GROUPS.items():
        settings = {n: s for n, s in SETTINGS.items() if s.group == group and not s.basic and n not in _APART}
        inputs = tuple(_input(form, name, setting) for name, setting in settings.items())
        if inputs:
            sections.append(Section(title, inputs, any(i.field.errors for i in inputs)))
    return sections


def _input(form: RunForm, name: str, setting: Setting) -> Input:
    bound = form[name]
    parts = setting.choices() if setting.choices else {}
    options = tuple(_option(part, _is_chosen(bound, key)) for key, part in parts.items() if isinstance(part, Part))
    blank = f"empty: {setting.blank}" if setting.optional and setting.blank else ""
    default = getattr(DEFAULTS, name)
    return Input(
        bound,
        setting.kind,
        bounds(setting.minimum, setting.maximum) if setting.kind in ("integer", "number", "shares") else "",
        blank or _default_text(setting, default),
        options,
    )


def _default_text(setting: Setting, default: Any) -> str:
    if setting.kind == "flag":
        return "default on" if default else "default off"
    if setting.kind in ("integer", "number"):
        return f"default {default:g}"
    return ""


def _option(part: Part, checked: bool, **more: Any) -> Option:
    return Option(part.name, part.label, part.summary, part.source, part.origin, checked, **more)


def _is_chosen(bound: BoundField, name: str) -> bool:
    value = bound.value()
    return name in value if isinstance(value, (list, tuple)) else value == name


def _parameters(form: RunForm, prefix: str, part: Part) -> tuple[Input, ...]:
    return tuple(
        Input(form[f"{prefix}-{p.name}"], "number", bounds(p.minimum, p.maximum), f"default {p.default:g}")
        for p in part.parameters
    )


def stress_options(form: RunForm) -> list[Option]:
    """Each signal with its parameters and its schedule."""
    options = []
    for name, part in catalogue.STRESSES.items():
        schedule_name = f"stress-{name}-schedule"
        bound = form[schedule_name] if schedule_name in form.fields else None
        schedules = tuple(
            _option(s, _is_chosen(bound, key), inputs=_parameters(form, f"stress-{name}-{key}", s))
            for key, s in SCHEDULES.items()
            if bound is not None
        )
        options.append(
            _option(
                part,
                _is_chosen(form["stress"], name),
                inputs=_parameters(form, f"stress-{name}", part),
                schedules=schedules,
                schedule_field=bound,
            )
        )
    return options


def environment_options(form: RunForm) -> list[Option]:
    """Each environment with its parameters and its lists."""
    lists = {"scheduled": form_parts.FACTORS, "per-layer": form_parts.LAYERS}
    options = []
    for name, part in catalogue.ENVIRONMENTS.items():
        inputs = _parameters(form, f"environment-{name}", part)
        if name in lists:
            inputs += (Input(form[lists[name]], "text", "0.05 to 1 each"),)
        options.append(_option(part, _is_chosen(form["environment"], name), inputs=inputs))
    return options


@dataclass(frozen=True)
class Card:
    """A base network to choose; `card` is None for the network that the user brings."""

    name: str
    label: str
    summary: str
    source: str
    task: str
    checked: bool
    card: ArchitectureCard | None = None


def cards(form: RunForm) -> Iterator[Card]:
    bound = form["architecture"]
    for name, card in catalogue.ARCHITECTURES.items():
        yield Card(name, card.label, card.summary, card.source, card.task, _is_chosen(bound, name), card)
    yield Card(
        catalogue.OWN,
        "Your own network",
        "A trained network that you bring as an ONNX file. What cannot be evolved is refused at once, by name.",
        "https://onnx.ai/onnx/operators/",
        OWN_TASK,
        _is_chosen(bound, catalogue.OWN),
    )


def waiting_bases(form: RunForm) -> Mapping[str, list[BaseFile]]:
    """Files that are still being looked into, or were refused lately: by setting."""
    files = BaseFile.objects.filter(team=form.team).exclude(state=BaseFile.State.READY)
    recent = list(files[:20])
    return {name: [base for base in recent if base.kind == kind] for name, kind in BASES.items()}


def context(form: RunForm) -> dict[str, Any]:
    """Everything the form's template walks."""
    sections = more_sections(form)
    return {
        "form": form,
        "cards": list(cards(form)),
        "basic": basic_inputs(form),
        "sizes": size_inputs(form),
        "stress": stress_options(form),
        "environments": environment_options(form),
        "sections": sections,
        "more_open": any(section.has_errors for section in sections),
        "waiting": waiting_bases(form),
    }
