"""Settings that a team keeps under a name, beside the presets."""

from __future__ import annotations

from typing import Any

from evolution_core.spec import RunSpec, SpecError
from webapp.datasets.models import Dataset
from webapp.teams.models import Team

from .models import RunTemplate

MOST = 50  # a team that needs more has a use for its list of runs


def templates_of(team: Team) -> list[tuple[RunTemplate, RunSpec]]:
    """The team's templates whose settings can still be read, with them."""
    found = []
    for template in RunTemplate.objects.filter(team=team)[:MOST]:
        try:
            found.append((template, RunSpec.from_json(template.spec)))
        except SpecError:
            continue  # a setting that a newer version no longer knows; its owner can save it anew under the name
    return found


def keep(team: Team, name: str, spec: RunSpec, dataset: Dataset, user: Any) -> tuple[RunTemplate | None, str]:
    """(the template, "") with `spec` kept under `name`, in place of one of that name; or (None, why not).

    The seed is not part of it, nor are files that the team brought: a template outlives both.
    """
    kept = spec.replace(seed=RunSpec().seed, weights=None)
    if kept.own is not None:
        return None, "Settings around an own network cannot be kept: the file may be deleted. Clone the run instead."
    others = RunTemplate.objects.filter(team=team).exclude(name=name)
    if others.count() >= MOST:
        return None, f"A team keeps up to {MOST} templates: delete one first."
    values = {"spec": kept.to_json(), "task": dataset.task, "created_by": user}
    return RunTemplate.objects.update_or_create(team=team, name=name, defaults=values)[0], ""
