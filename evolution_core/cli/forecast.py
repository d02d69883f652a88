"""A dry run in a terminal: what would be born, and what it would take."""

from __future__ import annotations

from ..dry_run import DryRun, Range, Sketched
from .terminal import aligned, duration


def forecast(found: DryRun) -> str:
    """Every figure of a dry run, as a table and some sentences."""
    return "\n".join(["A dry run: nothing was trained to its end, nothing is kept.", *_data(found), "", *_table(found)])


def _data(found: DryRun) -> list[str]:
    images, shape = found.images, "x".join(str(side) for side in found.shape)
    return [
        f"{images['train']:,} training, {images['validation']:,} validation and {images['test']:,} test images "
        f"of {shape} in {found.classes} classes"
    ]


def _table(found: DryRun) -> list[str]:
    lines = [aligned(_rows(found), left={0})]
    if found.drawn < found.generations:
        lines.append(f"({found.drawn} of {found.generations} generations were drawn; the others would be no larger)")
    lines += ["", aligned(_layer_rows(found), left={0}), "", *_time(found), *_disk(found)]
    return [*lines, *(f"Note: {note}" for note in found.notes)]


def _rows(found: DryRun) -> list[tuple[str, ...]]:
    head = ("network", "parameters", "smaller", "MACs", "fewer", "ms", "bytes")
    return [head, *(_row(network, found.ancestor) for network in found.networks)]


def _row(network: Sketched, ancestor: Sketched) -> tuple[str, ...]:
    return (
        network.id,
        f"{network.parameters:,}",
        f"{ancestor.parameters / network.parameters:.1f}x",
        f"{network.macs:,}",
        f"{ancestor.macs / network.macs:.1f}x" if network.macs else "-",
        f"{network.latency_ms:.3f}" if network.latency_ms is not None else "-",
        f"{network.file_bytes:,}",
    )


def _layer_rows(found: DryRun) -> list[tuple[str, ...]]:
    """Clusters of each layer, network by network."""
    head = ("clusters", *(network.id for network in found.networks))
    layers = found.ancestor.layers
    return [head, *((layer, *(f"{n.layers.get(layer, 0):,}" for n in found.networks)) for layer in layers)]


def _time(found: DryRun) -> list[str]:
    births = found.birth_seconds
    lines = [f"Time: {_span(found.seconds)}, one network at a time."]
    if found.at_once > 1:
        lines = [f"Time: {_span(found.seconds)}, {found.at_once} networks at a time."]
    text = f"  the ancestor {_span(found.ancestor_seconds)}, an offspring {_span(births[0])}"
    if len(births) > 1:
        text += f" at first and {_span(births[-1])} in the last generation"
    paces = ", ".join(f"{name} {pace:,.0f}" for name, pace in found.pace.items())
    return [*lines, text, f"  images per second in training: {paces}"]


def _disk(found: DryRun) -> list[str]:
    return [f"Disk: {found.kept_bytes:,} bytes are kept, {found.working_bytes:,} more are needed while it runs."]


def _span(seconds: Range) -> str:
    low, high = duration(seconds.low), duration(seconds.high)
    return low if low == high else f"{low} to {high}"
