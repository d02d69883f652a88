"""How the run form is laid out: which input stands where, with its explanation. Templates only walk this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.forms import BoundField

from evolution_core.spec import GROUPS, SETTINGS, Setting, catalogue
from evolution_core.spec.base_networks import ArchitectureCard
from evolution_core.spec.catalogue import SCHEDULES, Part

from . import form_parts, sweeps
from .form_effects import EFFECTS
from .form_fields import bounds
from .forms import BASES, DEFAULTS, OWN_TASK, RunForm
from .models import BaseFile

# Cards of their own at the top.
_APART = {"architecture", "own", "weights", "input_size", "width"}
_SIZES = ("input_size", "width")  # beside the base network, whose size they set

# What is seen at once, in four groups that answer a question each. A basic setting takes its place by its group.
GROUPS_SEEN = ("far", "hard", "long")
_SEEN_BY_GROUP = {"stress": "hard", "genome": "hard", "training": "long"}  # any other: how far
_SEEN_BY_NAME = {"seed": "long"}
_SEEN_LATER = ("limit", "seed")  # what few people change stands last
_SEEN_TOO = {"resource", "gestation", "last_epochs", "limit"}  # not basic, but most people want to look at them


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
    folded: bool = False  # its inputs are for few people

    @property
    def has_errors(self) -> bool:
        inputs = [*self.inputs, *(each for schedule in self.schedules for each in schedule.inputs)]
        return any(each.field.errors for each in inputs) or bool(self.schedule_field and self.schedule_field.errors)


@dataclass(frozen=True)
class Input:
    """One input: the bound field with what may be typed and what happens when nothing is."""

    field: BoundField
    kind: str
    range: str = ""
    default: str = ""
    options: tuple[Option, ...] = ()
    effect: str = ""  # what more or less of it does


@dataclass(frozen=True)
class Section:
    title: str
    inputs: tuple[Input, ...]
    has_errors: bool = field(default=False)


def seen_inputs(form: RunForm, group: str) -> list[Input]:
    """The inputs of one of GROUPS_SEEN."""
    names = [name for name, setting in SETTINGS.items() if _is_seen(name) and _place_of(name, setting) == group]
    names.sort(
        key=lambda name: (_SEEN_LATER.index(name) + 1 if name in _SEEN_LATER else 0, SETTINGS[name].kind != "choice")
    )
    return [_input(form, name, SETTINGS[name]) for name in names]


def _is_seen(name: str) -> bool:
    return (SETTINGS[name].basic or name in _SEEN_TOO) and name not in _APART


def _place_of(name: str, setting: Setting) -> str:
    return _SEEN_BY_NAME.get(name) or _SEEN_BY_GROUP.get(setting.group, "far")


def size_inputs(form: RunForm) -> list[Input]:
    """How large images and base network are."""
    return [_input(form, name, SETTINGS[name]) for name in _SIZES]


def more_sections(form: RunForm) -> list[Section]:
    """The rest, by group."""
    sections = []
    for group, title in GROUPS.items():
        settings = {n: s for n, s in SETTINGS.items() if s.group == group and not _is_seen(n) and n not in _APART}
        inputs = [_input(form, name, setting) for name, setting in settings.items()]
        inputs.sort(key=lambda one: not one.options)  # choices take half a line each; figures fill lines of four
        if inputs:
            sections.append(Section(title, tuple(inputs), any(i.field.errors for i in inputs)))
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
        EFFECTS.get(name, ""),
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
                folded=True,
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


def sweep_rows(form: RunForm) -> list[tuple[BoundField, BoundField]]:
    return [(form[f"sweep-{row}-setting"], form[f"sweep-{row}-values"]) for row in range(1, sweeps.ROWS + 1)]


def context(form: RunForm) -> dict[str, Any]:
    """Everything the form's template walks."""
    sections = more_sections(form)
    rows = sweep_rows(form)
    return {
        "form": form,
        "cards": list(cards(form)),
        "seen": {group: seen_inputs(form, group) for group in GROUPS_SEEN},
        "sizes": size_inputs(form),
        "stress": stress_options(form),
        "environments": environment_options(form),
        "sections": sections,
        "more_open": any(section.has_errors for section in sections),
        "sweep_rows": rows,
        "sweep_open": any(setting.value() or values.value() for setting, values in rows),
        "waiting": waiting_bases(form),
    }
