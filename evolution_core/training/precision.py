"""In which numbers training multiplies.

Weights, their gradients, the optimizer's state and every loss stay float32. In bfloat16 are layers' products and
activations, as torch.autocast has it, and Muon's products; its range is that of float32, so that losses need no
scaling.
"""

from __future__ import annotations

import torch

from ..spec import RunSpec

_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # processors' own names of what multiplies bfloat16


def products(spec: RunSpec) -> torch.dtype:
    """What products are computed in."""
    return torch.bfloat16 if spec.precision == "bfloat16" else torch.float32


def mixed(spec: RunSpec, device: torch.device) -> torch.autocast:
    """A context in which passes are computed as spec.precision says."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=spec.precision == "bfloat16")


def notices(spec: RunSpec, device: torch.device) -> list[str]:
    """A warning where bfloat16 was asked of a processor that has no units for it."""
    if spec.precision != "bfloat16" or device.type != "cpu":
        return []
    found = torch.cpu.get_capabilities()
    if any(found.get(unit, False) for unit in _UNITS):
        return []
    return ["This processor has no units for bfloat16: float32 would be several times faster."]
