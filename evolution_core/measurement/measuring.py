"""Everything that is measured of one network, at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from .counts import count_bytes, count_parameters, walk
from .latency import latency_ms
from .layer_times import layer_milliseconds

ADDS_UP = 1.25  # by how much recorded steps may miss the latency


@dataclass(frozen=True)
class Measurement:
    """One network's costs for one image. Latencies in milliseconds, memory in bytes; `layers` as `layer_table`, and
    `milliseconds`, which sum to the latency, where they are known (see `layer_milliseconds`)."""

    parameters: int
    macs: int
    bytes: int
    peak_activation_bytes: int
    latency_ms: float
    ancestor_latency_ms: float
    layers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def speed_up(self) -> float:
        """How many times faster than the ancestor, measured in the same run."""
        return self.ancestor_latency_ms / self.latency_ms


def measure(
    model: nn.Module,
    shape: tuple[int, int, int],
    ancestor_onnx: bytes | Path | str | None = None,
    *,
    seconds: float = 3.0,
) -> Measurement:
    """Measure `model` on inputs of `shape` (C, H, W), its latency in turns with its ancestor's.

    `ancestor_onnx` is the ancestor's ONNX file or bytes; None means that this network is the ancestor.
    Raises NetworkError when the network cannot be exported.
    """
    from evolution_core.export import export_onnx

    found = walk(model, shape)
    own = export_onnx(model, shape)
    networks: dict[str, bytes | Path | str] = {"network": own}
    if ancestor_onnx is not None:
        networks["ancestor"] = ancestor_onnx
    times = latency_ms(networks, seconds=seconds)
    return Measurement(
        parameters=count_parameters(model),
        macs=found.macs,
        bytes=count_bytes(model),
        peak_activation_bytes=found.peak_bytes,
        latency_ms=times["network"],
        ancestor_latency_ms=times.get("ancestor", times["network"]),
        layers=_timed(found.rows, own, times["network"], seconds / 3),
    )


def _timed(rows: list[dict[str, Any]], network: bytes, latency: float, seconds: float) -> list[dict[str, Any]]:
    """The rows with what each takes of the latency. As they are where the recorded steps do not add up to about that:
    recording costs a microsecond or two a step, which is most of what a tiny network's steps take."""
    found = layer_milliseconds(network, [row["layer"] for row in rows if row["macs"]], seconds=seconds)
    whole = sum(found.values())
    if not latency / ADDS_UP <= whole <= latency * ADDS_UP:
        return rows
    return [
        row | {"milliseconds": round(latency * found[row["layer"]] / whole, 5)} if row["layer"] in found else row
        for row in rows
    ]
