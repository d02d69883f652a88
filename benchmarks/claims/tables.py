"""The tables of one claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evolution_core.spec import catalogue

from .comparing import geometric, spread
from .declared import Arm
from .reading import Measured
from .verdicts import shown


def settings(here: Measured) -> str | None:
    """What all arms share, in a sentence."""
    run = next((run for arm in here.arms() for run in here.runs(arm.name).values()), None)
    if run is None or run["metric"] is None:
        return None
    spec, data = run["settings"], run["about_data"]
    last = "" if spec["last_epochs"] is None else f" ({spec['last_epochs']:g} in the last)"
    return (
        f"{data['train']:,} training images, {data['validation']:,} for validation, {data['test']:,} for the test. The "
        f"ancestor is trained for {spec['ancestor_epochs']:g} epochs and each generation for {spec['epochs']:g}{last}, "
        f"{100 * spec['gestation']:.0f} % of them in gestation where an arm has any; every arm has {run['epochs']:g} "
        "epochs in all, the same ancestor for the same seed, and the same optimizer "
        f"({catalogue.OPTIMIZERS[spec['optimizer']].label}); its final network is chosen on validation images. "
        "*Against dense*: test accuracy minus that of the same dense network trained for as many epochs, paired by "
        "seed."
    )


def arms(here: Measured, which: Sequence[Arm]) -> Iterator[str]:
    """One row an arm: sizes, accuracies, the difference from dense, and the command."""
    trained = any(here.test(arm.name) for arm in which)
    head = ["arm", "seeds", "parameters", "smaller", "fewer MACs", "faster"]
    head += (
        ["validation, %", "test, %", "against dense, points", "seconds"]
        if trained
        else ["ms for one image", "its ancestor's"]
    )
    yield f"| {' | '.join([*head, 'command'])} |"
    yield "|" + "---|" * (len(head) + 1)
    for arm in which:
        cells = [arm.title, str(len(here.runs(arm.name)))]
        cells += [
            _whole(here, arm),
            *(_times(here, arm, key) for key in ("times_smaller", "times_fewer_macs", "times_faster")),
        ]
        if trained:
            against = here.against(arm.name, "dense")
            cells += [
                spread(list(here.chosen(arm.name, "validation", 100.0).values())),
                spread(list(here.test(arm.name).values())),
            ]
            cells.append("" if against is None or arm.kind == "dense" else against.text("").replace("  ", " "))
            cells.append(spread([run["seconds"] for run in here.runs(arm.name).values()], 0))
        else:
            cells += [
                spread(list(here.chosen(arm.name, key).values()), 2) for key in ("latency_ms", "ancestor_latency_ms")
            ]
        yield f"| {' | '.join([*cells, f'`{here.commands(arm.name)}`'])} |"


def _whole(here: Measured, arm: Arm) -> str:
    return f"{geometric(list(here.chosen(arm.name, 'parameters').values())):,.0f}"


def _times(here: Measured, arm: Arm, key: str) -> str:
    found = list(here.chosen(arm.name, key).values())
    return f"{geometric(found):.1f}x" if found else ""


def generations(here: Measured) -> Iterator[str]:
    """Shock, grown accuracy and recovery of each generation, for every arm that has more than one."""
    bred = [arm for arm in here.arms() if here.generations(arm.name) > 1]
    last = max(here.generations(arm.name) for arm in bred)
    numbers = range(1, last + 1)
    head = [
        "arm",
        *(f"shock {n}" for n in numbers),
        *(f"grown {n}" for n in numbers),
        *(f"epochs back {n}" for n in numbers),
    ]
    yield (
        "*Shock*: validation accuracy right after synthesis, in percent. *Grown*: at the end of growth. *Epochs back*: "
        "whole epochs of growth until within half a point of its parent (0: at once); gestation not counted. Mean ± "
        "standard deviation over seeds."
    )
    yield ""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for arm in bred:
        cells = [arm.title]
        for key in ("shock", "validation"):
            cells += [spread(list(here.generation(arm.name, n, key).values()), 1) for n in numbers]
        cells += [shown(here.recovery(arm.name, n)) for n in numbers]
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
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"{len(runs)} units, {span}; {', '.join(machines)}; torch {', '.join(torches)}, "
        f"ONNX Runtime {', '.join(runtimes)}. Seconds are of a shared machine and good for orders of "
        f"magnitude only. Every file: `benchmarks/results/claims/{here.claim.name}/`."
    )
