"""More generations for a run that has finished: what the longer run's spec is, and what differs from asking at first.

Births depend on the generations before them and on the spec's values for their own generation alone, so a longer run
goes on as if it had been asked for at first, but for what `differences` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from evolution_core.spec import SETTINGS, Environment, RunSpec, SpecError

MOST = int(SETTINGS["generations"].maximum or 50)


class CannotExtend(Exception):
    """Says why, in a sentence for people."""


@dataclass(frozen=True)
class Extension:
    """The longer run. `reached` is the last generation that was born; each of `differences` is a sentence."""

    spec: RunSpec
    reached: int
    differences: tuple[str, ...] = ()


def extend(spec: RunSpec, reached: int, more: int, *, died_out: bool = False) -> Extension:
    """`more` generations after generation `reached`. `died_out`: of the last generation none could be measured.

    Raises CannotExtend.
    """
    if died_out:
        raise CannotExtend("No offspring of its last generation could be proven, so nothing can descend from them.")
    generations = reached + more
    if more < 1 or generations > MOST:
        room = MOST - reached
        raise CannotExtend(f"Give a number from 1 to {room}." if room > 0 else f"A run has at most {MOST} generations.")
    changes: dict[str, object] = {"generations": generations}
    differences = []
    if spec.last_epochs is not None and spec.last_epochs != spec.epochs and reached == spec.generations:
        differences.append(
            f"Generation {reached} was grown for {spec.last_epochs:g} epochs, as the last one; in a run of "
            f"{generations} generations it would have had {spec.epochs:g}."
        )
    if spec.patience and reached < spec.generations:
        changes["patience"] = 0
        differences.append(f"It had stopped early for want of progress; from generation {reached + 1} on it does not.")
    if spec.environment.parameters.get("by"):
        differences.append("Its target stays: generations after the one that reaches it keep the size.")
    elif spec.environment.name == "target":
        changes["environment"] = _farther(spec, generations)
        differences.append(
            f"It goes on shrinking at the same pace: the target becomes "
            f"{changes['environment'].parameters['times']:.3g}×."  # type: ignore[attr-defined]
        )
    try:
        return Extension(spec.replace(**changes), reached, tuple(differences))
    except SpecError as error:
        raise CannotExtend(" ".join(error.problems.values())) from None


def _farther(spec: RunSpec, generations: int) -> Environment:
    """The target that leaves the generations until now as they were: equal ratios, carried on."""
    times = float(spec.environment.parameters["times"]) ** (generations / spec.generations)
    try:
        return Environment.read({"name": "target", "parameters": {"times": times}})
    except ValueError:
        raise CannotExtend(
            f"At the same pace it would be {times:,.0f} times smaller by generation {generations}, more than a target "
            "can ask for. Extend by fewer generations, or clone the run."
        ) from None
