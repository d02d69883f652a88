"""What a run is: one validated, frozen value that, with the data and a thread count, fixes every bit of the result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import catalogue
from .composites import Environment, read_stresses
from .errors import SpecError
from .fields import RunFields
from .settings import GROUPS, Setting, settings_of


@dataclass(frozen=True)
class RunSpec(RunFields):
    """A run. Make it with :meth:`from_json` (checks and converts everything) or directly (checks too).

    Its fields are in :class:`.fields.RunFields`. Raises :class:`SpecError`, whose `problems` names every bad field
    at once.
    """

    def __post_init__(self) -> None:
        problems: dict[str, str] = {}
        for name, check in _checks().items():
            try:
                object.__setattr__(self, name, check(getattr(self, name)))
            except ValueError as error:
                problems[name] = str(error)
        if not problems:
            problems = self._conflicts()
        if problems:
            raise SpecError(problems)

    def _conflicts(self) -> dict[str, str]:
        """What is wrong only in combination."""
        problems = {}
        if (self.architecture == catalogue.OWN) != (self.own is not None):
            problems["own"] = "an own network and the architecture 'own' go together"
        if self.survivors > self.offspring + (self.parents if self.elitism else 0):
            problems["survivors"] = f"cannot exceed the {self.offspring} offspring of a generation"
        if self.parents > self.survivors and self.parents > self.offspring:
            problems["parents"] = "cannot exceed the offspring of a generation"
        if "accuracy" not in self.objectives or len(self.objectives) < 2:
            problems["objectives"] = "must hold accuracy and at least one cost"
        if self.environment.parameters.get("by", 0) > self.generations:
            problems["environment"] = f"target, by: cannot be after the last generation, {self.generations}"
        if self.gestation == 0 and self.stress[0].name != "none":
            problems["gestation"] = "must be above 0 for a stress signal to act"
        return problems

    # -- JSON

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> RunSpec:
        """From an object or its text. Unknown fields are refused by name."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise SpecError({"spec": f"is not JSON ({error})"}) from None
        if not isinstance(value, Mapping):
            raise SpecError({"spec": "must be a JSON object"})
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = [str(name) for name in value if name not in known]
        if unknown:
            raise SpecError({name[:60]: "is not a field of a spec" for name in unknown})
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        """The full form: every field, lists and plain objects only."""
        result: dict[str, Any] = {}
        for spec_field in dataclasses.fields(self):
            value = getattr(self, spec_field.name)
            if spec_field.name == "stress":
                value = [signal.to_json() for signal in value]
            elif isinstance(value, Environment):
                value = value.to_json()
            elif isinstance(value, tuple):
                value = list(value)
            result[spec_field.name] = value
        return result

    def replace(self, **changes: Any) -> RunSpec:
        return dataclasses.replace(self, **changes)


_PLACES = list(GROUPS)
SETTINGS: dict[str, Setting] = dict(
    sorted(settings_of(RunSpec).items(), key=lambda item: _PLACES.index(item[1].group))  # a group's own stay together
)


def _checks() -> dict[str, Any]:
    return {
        **{name: described.check for name, described in SETTINGS.items()},
        "environment": Environment.read,
        "stress": read_stresses,
    }
