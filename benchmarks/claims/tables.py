"""The tables of one claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from evolution_core.spec import catalogue

from .comparing import geometric, spread
from .declared import Arm
from .reading import NEAR, Measured
from .verdicts import shown


def settings(here: Measured) -> str | None:
    """What all arms share, in a sentence."""
    arms = sorted(here.arms(), key=lambda arm: arm.name != "evolved")
    run = next((run for arm in arms for run in here.runs(arm.name).values()), None)
    if run is None or run["metric"] is None:
        return None
    spec, data = run["settings"], run["about_data"]
    ancestor = spec["epochs"] if spec["ancestor_epochs"] is None else spec["ancestor_epochs"]
    last = "" if spec["last_epochs"] is None else f" ({spec['last_epochs']:g} in the last)"
    led = f" {100 * share:.0f} % of the loss in growth follows the ancestor." if (share := spec["distillation"]) else ""
    return (
        f"{data['train']:,} training images, {data['validation']:,} for validation, {data['test']:,} for the test. The "
        f"ancestor is trained for {ancestor:g} epochs and each generation for {spec['epochs']:g}{last}, "
        f"{100 * spec['gestation']:.0f} % of them in gestation where an arm has any; every arm has {run['epochs']:g} "
        "epochs in all, the same ancestor for the same seed, and the same optimizer "
        f"({catalogue.OPTIMIZERS[spec['optimizer']].label}); its final network is chosen on validation images."
        f"{led} "
        "*Against dense*: test accuracy minus that of the same dense network trained for as many epochs, paired by "
        "seed."
    )


def arms(here: Measured, which: Sequence[Arm], ours: str = "evolved") -> Iterator[str]:
    """One row an arm: sizes, accuracies, and what it differs by from the dense network and from the arm `ours`."""
    columns: dict[str, Callable[[Arm], str]]
    if any(here.test(arm.name) for arm in which):
        columns = {
            "validation, %": lambda arm: _spread(here, arm, "validation", 100.0),
            "test, %": lambda arm: _spread(here, arm, "test", 100.0),
            "against dense": lambda arm: _against(here, arm, "dense"),
            f"against `{ours}`": lambda arm: _against(here, arm, ours),
            "seconds": lambda arm: _seconds(here, arm),
        }
    else:
        columns = {
            "ms for one image": lambda arm: _spread(here, arm, "latency_ms"),
            "its ancestor's": lambda arm: _spread(here, arm, "ancestor_latency_ms"),
            "of which the slowest layer": lambda arm: _slowest(here, arm),
        }
    columns = {
        "": lambda arm: arm.title,
        "arm": lambda arm: f"`{arm.name}`",
        "seeds": lambda arm: str(len(here.runs(arm.name))),
        "parameters": lambda arm: _whole(here, arm),
        "smaller": lambda arm: _times(here, arm, "times_smaller"),
        "fewer MACs": lambda arm: _times(here, arm, "times_fewer_macs"),
        "faster": lambda arm: _faster(here, arm),
        **columns,
    }
    rows = [[tell(arm) for tell in columns.values()] for arm in which]
    empty = [place for place in range(len(columns)) if not any(row[place] for row in rows)]
    for row in [list(columns), ["---"] * len(columns), *rows]:
        yield "| " + " | ".join(cell for place, cell in enumerate(row) if place not in empty) + " |"
    yield ""
    yield f"Each row: `{here.commands('ARM')}`."


def _spread(here: Measured, arm: Arm, key: str, scale: float = 1.0) -> str:
    found = list(here.chosen(arm.name, key, scale).values())
    return spread(found) if found else ""


def _against(here: Measured, arm: Arm, other: str) -> str:
    found = here.against(arm.name, other) if arm.name != other else None
    return "" if found is None else found.short()


def _seconds(here: Measured, arm: Arm) -> str:
    found = [run["seconds"] for run in here.runs(arm.name).values() if run["seconds"] is not None]
    return spread(found, 0) if found else ""


def _whole(here: Measured, arm: Arm) -> str:
    """Parameters; of a masked network also how many are no masked zeros."""
    all_of_them, alive = (list(here.chosen(arm.name, key).values()) for key in ("parameters", "living_synapses"))
    there, living = geometric(all_of_them), geometric(alive or all_of_them)
    return f"{there:,.0f}" if living >= 0.995 * there else f"{there:,.0f} ({living:,.0f} living)"


def _times(here: Measured, arm: Arm, key: str) -> str:
    found = list(here.chosen(arm.name, key).values())
    return f"{geometric(found):.1f}x" if found else ""


def _faster(here: Measured, arm: Arm) -> str:
    """Of networks that were timed by the work of their thread: on a busy machine the wall's clock says little."""
    fair = here.told(arm.name, "clock")
    found = [value for seed, value in here.chosen(arm.name, "times_faster").items() if seed in fair]
    return f"{geometric(found):.1f}x" if found else ""


def _slowest(here: Measured, arm: Arm) -> str:
    """Of the offspring, by the mean over its seeds: "conv1, 45 %"."""
    found = here.slowest(arm.name)
    return f"{found[0]}, {100 * found[1]:.0f} %" if found else ""


def generations(here: Measured) -> Iterator[str]:
    """Shock, grown accuracy and recovery of each generation, for every arm that has more than one."""
    bred = [arm for arm in here.arms() if here.generations(arm.name) > 1]
    numbers = range(1, max(here.generations(arm.name) for arm in bred) + 1)
    curves = any(here.has_curves(arm.name) for arm in bred)
    head = ["", "arm", *(f"shock {n}" for n in numbers), *(f"grown {n}" for n in numbers)]
    head += [f"epochs back {n}" for n in numbers] if curves else []
    back = (
        f" *Epochs back*: whole epochs of growth until within {NEAR:g} points of its parent (0: at once); gestation is "
        "not counted."
    )
    yield (
        "*Shock*: validation accuracy right after synthesis, in percent. *Grown*: at the end of growth."
        f"{back if curves else ''} Mean ± standard deviation over seeds."
    )
    yield ""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for arm in bred:
        cells = [arm.title, f"`{arm.name}`"]
        for key in ("shock", "validation"):
            cells += [spread(list(here.generation(arm.name, n, key).values()), 1) for n in numbers]
        if curves:
            cells += [shown(here.recovery(arm.name, n)) if here.has_curves(arm.name) else "" for n in numbers]
        yield f"| {' | '.join(cells)} |"


def made(here: Measured) -> str:
    """On which machines, by which versions, when."""
    runs = [run for arm in here.arms() for run in here.runs(arm.name).values()]
    machines = sorted(
        {f"{run['machine']['processor']} ({run['machine']['cores']} cores, one thread used)" for run in runs}
    )
    torches = sorted({run["versions"]["torch"] for run in runs})
    runtimes = sorted({run["versions"]["onnxruntime"] for run in runs})
    days = sorted({run["date"][:10] for run in runs})
    notes = sorted({f"{run['note'][0].upper()}{run['note'][1:]}. " for run in runs if run.get("note")})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"{len(runs)} {'unit' if len(runs) == 1 else 'units'}, {span}; {', '.join(machines)}; "
        f"torch {', '.join(torches)}, ONNX Runtime {', '.join(runtimes)}. Seconds are of a shared machine and good for "
        f"orders of magnitude only. {''.join(notes)}Every file: `benchmarks/results/claims/{here.claim.name}/`."
    )
