"""What happens in a run, told as it happens. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# In the order in which a life meets them. `progress` comes many times in gestation and growth.
KINDS = (
    "born",  # {parents, generation, epochs}
    "drawn",  # {clusters, doomed, share}
    "gestation",  # {epochs, stress}
    "progress",  # {phase, share, epoch, loss, images_per_second}: share is 0 to 1 of this network's work
    "epoch",  # {phase, epoch, loss, <metric>}
    "note",  # {message}: a sentence about how this network is trained that its user should know
    "cut",  # {proof, lrn_effect, clusters}
    "repaired",  # {layers, images}
    "refused",  # {reason}
    "shock",  # {<metric>}
    "growth",  # {epochs}
    "measured",  # {record}
    # of the run as a whole; network is ""
    "started",  # {spec, data, threads}
    "generation",  # {generation, networks, hypervolume}
    "tested",  # {<metric>}: of the ancestor and the chosen network, once, at the end
    "finished",  # what lineage.summary tells of the whole run
)


@dataclass(frozen=True)
class Event:
    """One thing that happened to `network` (its id; "" for the run). `data` is plain JSON."""

    kind: str
    network: str
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "network": self.network, "data": self.data}
