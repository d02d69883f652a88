"""Command-line options made from the settings of a run, and a `RunSpec` made from options.

Values are passed to the spec as they were typed: `RunSpec` is the only place that judges them, so the command
line, the form and a spec file refuse the same things with the same words. Imports no torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..spec import GROUPS, SETTINGS, NetworkError, RunSpec, Setting, SpecError, catalogue

# Fields whose option is not made from their setting: files, and the two composites.
_FILES = {"own": "--own", "weights": "--weights"}
_COMPOSITES = {"environment": "--environment", "stress": "--stress"}


def option_name(field: str) -> str:
    """The command line's name of a spec field: `input_size` is --input, `max_drop` is --max-drop."""
    if field in _FILES:
        return _FILES[field]
    if field in _COMPOSITES:
        return _COMPOSITES[field]
    described = SETTINGS.get(field)
    return "--" + (described.option if described and described.option else field.replace("_", "-"))


def add_spec_options(parser: argparse.ArgumentParser) -> None:
    """One option for every field of a spec, in the groups of the run form."""
    groups = {name: parser.add_argument_group(title) for name, title in GROUPS.items()}
    for field, described in SETTINGS.items():
        if field in _FILES:
            continue
        _add(groups[described.group], field, described)
    _add_files(groups["network"])
    _add_composites(groups["environment"], groups["stress"])


def _add(group: argparse._ArgumentGroup, field: str, described: Setting) -> None:
    default = RunSpec.__dataclass_fields__[field].default
    if described.kind == "flag":
        group.add_argument(
            option_name(field),
            dest=field,
            action=argparse.BooleanOptionalAction,
            default=None,
            help=_escaped(f"{described.help} (default: {'yes' if default else 'no'})"),
        )
        return
    group.add_argument(
        option_name(field), dest=field, metavar=_metavar(described), help=_escaped(_help(field, described, default))
    )


def _metavar(described: Setting) -> str:
    if described.kind == "choice" or (described.kind == "names" and described.choices):
        return "NAME" if described.kind == "choice" else "A[,B]"
    return {"integer": "N", "number": "X", "names": "A[,B]", "shares": "LAYER=X[,..]", "text": "TEXT"}[described.kind]


def _help(field: str, described: Setting, default: Any) -> str:
    parts = [described.help]
    explained = ""
    if described.choices is not None:
        names = [name for name in described.choices() if name != catalogue.OWN]
        table = {name: part for name, part in described.choices().items() if isinstance(part, catalogue.Part)}
        explained = f"\n{_explained(table)}" if table else ""
        if field == "architecture":
            parts.append("The command `architectures` explains each.")
        parts.append(f"One of {', '.join(names)}." if described.kind == "choice" else f"From {', '.join(names)}.")
    if described.optional:
        parts.append(f"(default: {described.blank})")
    elif isinstance(default, tuple):
        parts.append(f"(default: {','.join(default) or 'none'})")
    elif isinstance(default, (str, int, float)):
        parts.append(f"(default: {default:g})" if isinstance(default, float) else f"(default: {default})")
    return " ".join(parts) + explained


def _escaped(text: str) -> str:
    return text.replace("%", "%%")  # argparse expands % in help


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--own", metavar="NET.onnx", help="Your own trained network as an ONNX file; it becomes the ancestor."
    )
    group.add_argument(
        "--weights",
        metavar="FILE",
        help="Trained weights of the base network (safetensors, or Darknet's .weights); the ancestor starts from them.",
    )


def _add_composites(environment: argparse._ArgumentGroup, stress: argparse._ArgumentGroup) -> None:
    environment.add_argument(
        "--environment",
        metavar="E",
        help=_escaped(
            "What share may live in each generation: 0.6; or 0.8,0.6 for a share each; or 40x to end 40 times "
            f"smaller, 40x@3 by generation 3; or a name; or JSON. (default: 0.6)\n{_explained(catalogue.ENVIRONMENTS)}"
        ),
    )
    environment.add_argument(
        "--target",
        metavar="Nx[@G]",
        help="End N times smaller than the ancestor (by generation G); short for --environment Nx[@G].",
    )
    stress.add_argument(
        "--stress",
        metavar="A[,B]",
        help=_escaped(
            "Stress signals imposed in gestation, several joined by commas; or JSON, with parameters and schedules: "
            '[{"name": "pressure", "parameters": {"strength": 2}, "schedule": "ramp"}]. (default: death-list)\n'
            f"{_explained(catalogue.STRESSES)}\n"
            f"Schedules say when in gestation a signal acts:\n{_explained(catalogue.SCHEDULES)}"
        ),
    )


def _explained(parts: Mapping[str, catalogue.Part]) -> str:
    return "\n".join(f"{part.name}: {part.summary} {part.source}" for part in parts.values())


# --- from options to a spec -------------------------------------------------------------


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The spec fields that were given on the command line, as typed. SpecError on JSON that is none."""
    given = {
        field: value
        for field in (*SETTINGS, *_COMPOSITES)
        if field not in _FILES and (value := getattr(options, field, None)) is not None
    }
    for field in _COMPOSITES:
        if isinstance(given.get(field), str) and given[field].lstrip()[:1] in ("{", "["):
            given[field] = _json(given[field], option_name(field))
    if options.target is not None:
        if "environment" in given:
            raise SpecError({"--target": "cannot be given together with --environment"})
        given["environment"] = _target(options.target)
    return given


def _target(text: str) -> str:
    """`40`, `40x` or `40x@3` as an environment's short form."""
    times, at, by = text.strip().lower().partition("@")
    return f"{times.removesuffix('x')}x{at}{by}"


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SpecError({name: f"is not JSON ({error})"}) from None


def read_spec_file(path: Path) -> dict[str, Any]:
    """The fields in a spec file, or in the `spec` of a lineage.json. SpecError names the file."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError({str(path): f"cannot be read ({error.strerror or error})"}) from None
    except ValueError as error:
        raise SpecError({str(path): f"is not JSON ({error})"}) from None
    if isinstance(value, Mapping) and isinstance(value.get("spec"), Mapping):
        value = value["spec"]
    if not isinstance(value, Mapping):
        raise SpecError({str(path): "must hold a JSON object"})
    return dict(value)


def spec_from(options: argparse.Namespace) -> RunSpec:
    """The spec that the options ask for: the spec file's fields, overridden by options. SpecError names options."""
    fields = read_spec_file(Path(options.spec)) if options.spec else {}
    fields.update(given_settings(options))
    if options.own is not None:
        if fields.get("architecture", catalogue.OWN) != catalogue.OWN and "architecture" in given_settings(options):
            raise SpecError({"--own": "cannot be given together with --architecture"})
        fields.update(architecture=catalogue.OWN, own=file_digest(Path(options.own)))
    if options.weights is not None:
        fields["weights"] = file_digest(Path(options.weights))
    try:
        spec = RunSpec.from_json(fields)
    except SpecError as error:
        raise SpecError({_shown(name): text for name, text in error.problems.items()}) from None
    for field, option in _FILES.items():
        if getattr(spec, field) is not None and getattr(options, field) is None:
            raise SpecError({option: "the spec names a file by its SHA-256; give the file itself with this option"})
    return spec


def _shown(field: str) -> str:
    return option_name(field) if field in RunSpec.__dataclass_fields__ else field


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. NetworkError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror or error})") from None
