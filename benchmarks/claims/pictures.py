"""Pictures of the results: each drawn twice, for light pages and for dark ones."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from .arms import CONTROLS, HEADLINE, PEER, QUESTION
from .comparing import geometric
from .declared import Arm
from .reading import Measured

# Text and lines, and seven colours that differ in lightness too (after Okabe and Ito), for each ground.
GROUNDS: dict[str, dict[str, Any]] = {
    "light": {
        "ink": "#1f2328",
        "grid": "#d1d9e0",
        "colours": ("#0060a8", "#c24e00", "#00795b", "#a8447f", "#7a6200", "#3d3d3d", "#2b8cbe"),
    },
    "dark": {
        "ink": "#e6edf3",
        "grid": "#3d444d",
        "colours": ("#6cb6ff", "#ff9a52", "#2fc79a", "#e79bcb", "#e3c94b", "#c9d1d9", "#9ad8f5"),
    },
}
MARKERS = "osD^vPX*"
DRAWN = (HEADLINE, QUESTION, CONTROLS, "stress")  # more arms than these would be a thicket
Draw = Callable[[Axes, tuple[str, ...]], None]


def write_pictures(found: Mapping[str, Measured], folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Draw what can be drawn. claim -> (file name without its ground, what it shows) in the order of the page."""
    drawn: dict[str, list[tuple[str, str]]] = {}
    for name, here in found.items():
        for kind, said, draw in _of(here):
            file = f"{name}-{kind}"
            for ground in GROUNDS:
                _save(draw, folder / f"{file}-{ground}.svg", ground)
            drawn.setdefault(name, []).append((file, said))
    return drawn


def _of(here: Measured) -> Iterator[tuple[str, str, Draw]]:
    bred = [arm.name for arm in here.arms() if arm.kind == "evolve" and arm.group in DRAWN]
    if not bred:
        return
    title = here.claim.title
    yield (
        "size",
        f"{title}: validation accuracy against parameters, generation by generation, mean over seeds",
        (lambda axes, colours: _size(axes, colours, here)),
    )
    if any(here.generations(arm) > 1 for arm in bred):
        yield (
            "shock",
            f"{title}: accuracy right after synthesis, by generation; bars span the seeds",
            (lambda axes, colours: _shock(axes, colours, here, bred)),
        )
    if any(True for _ in here.arms(PEER)):
        yield (
            "pareto",
            f"{title}: test accuracy against parameters, every network of every seed, and each side's front",
            (lambda axes, colours: _pareto(axes, colours, here)),
        )


def _save(draw: Draw, path: Path, ground: str) -> None:
    look = GROUNDS[ground]
    settings = {
        "svg.fonttype": "none",  # words stay words
        "svg.hashsalt": "eustress",  # the same results give the same file
        "font.family": "sans-serif",
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": look["grid"],
        "legend.frameon": False,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), look["ink"]),
    }
    with pyplot.rc_context(settings):
        figure, axes = pyplot.subplots(figsize=(8.6, 5.2), layout="constrained")
        draw(axes, look["colours"])
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def _numbered(here: Measured) -> Iterator[tuple[int, Arm]]:
    """Arms to draw, each with the number that gives it its look: the same in every picture."""
    for index, arm in enumerate(arm for arm in here.claim.arms if arm.group in DRAWN):
        if here.runs(arm.name):
            yield index, arm


def _look(index: int, colours: tuple[str, ...]) -> dict[str, Any]:
    """Colour, marker and line differ together, so that colour is never the only sign."""
    return {
        "color": colours[index % len(colours)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": ("-", "--", ":", "-.")[(index // len(colours)) % 4],
        "markersize": 6,
        "linewidth": 1.6,
    }


def _size(axes: Axes, colours: tuple[str, ...], here: Measured) -> None:
    """Mean validation accuracy of each generation against its parameters, the ancestor first; controls are points."""
    for index, arm in _numbered(here):
        runs = list(here.runs(arm.name).values())
        points = [[run["ancestor"], *run["generations"]] if arm.kind == "evolve" else [run["chosen"]] for run in runs]
        steps = min(len(line) for line in points)
        sizes = [geometric([line[step]["parameters"] for line in points]) for step in range(steps)]
        heights = [100 * statistics.mean(line[step]["validation"] for line in points) for step in range(steps)]
        axes.plot(sizes, heights, label=arm.title, **_look(index, colours))
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("parameters (fewer to the right)")
    axes.set_ylabel("validation accuracy, %")


def _shock(axes: Axes, colours: tuple[str, ...], here: Measured, bred: Iterable[str]) -> None:
    for index, arm in ((index, arm.name) for index, arm in _numbered(here) if here.generations(arm.name) > 1):
        values = [list(here.generation(arm, n, "shock").values()) for n in range(1, here.generations(arm) + 1)]
        means = [statistics.mean(each) for each in values]
        span = [
            [m - min(v) for m, v in zip(means, values, strict=True)],
            [max(v) - m for m, v in zip(means, values, strict=True)],
        ]
        places = [n + 1 + 0.03 * (index - 3) for n in range(len(values))]
        axes.errorbar(places, means, yerr=span, capsize=2, label=here.claim.arm(arm).title, **_look(index, colours))
    axes.set_xticks(range(1, max(here.generations(arm) for arm in bred) + 1))
    axes.set_xlabel("generation")
    axes.set_ylabel("accuracy right after synthesis, %")


def _pareto(axes: Axes, colours: tuple[str, ...], here: Measured) -> None:
    """Test accuracy is known of final networks alone, so each arm and seed is one point."""
    sides = {
        "Eustress": [arm.name for arm in here.arms() if arm.kind == "evolve"],
        "Torch-Pruning": [arm.name for arm in here.arms(PEER)],
        "controls": [arm.name for arm in here.arms(CONTROLS) if arm.kind != "dense"],
    }
    for index, (side, arms) in enumerate(sides.items()):
        points = [
            (run["chosen"]["parameters"], 100 * run["chosen"]["test"])
            for arm in arms
            for run in here.runs(arm).values()
        ]
        if not points:
            continue
        look = _look(index, colours) | {"linestyle": "none"}
        axes.plot(*zip(*points, strict=True), label=side, alpha=0.55, **look)
        axes.plot(*zip(*_front(points), strict=True), **(look | {"linestyle": "-", "marker": "", "linewidth": 2}))
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("parameters (fewer to the right)")
    axes.set_ylabel("test accuracy, %")


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that no other beats in both, smallest first."""
    best, kept = float("-inf"), []
    for size, height in sorted(points, key=lambda point: (point[0], -point[1])):
        if height > best:
            kept.append((size, height))
            best = height
    return kept
