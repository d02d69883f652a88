"""What is compared, and how, as it stands in the page's address: `?run=3&run=5&network=3:4-1&align=time`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from webapp.runs.measures import COSTS
from webapp.runs.measures import MOST_COMPARED as MOST

ALIGNMENTS = {"epoch": "by epochs", "time": "by time"}
_NETWORK = re.compile(r"(\d{1,12}):([\w-]{1,20})", re.ASCII)


@dataclass(frozen=True)
class Asked:
    """`things` in the order asked: (run, "") for a run, (run, network's name) for a network. Unknown values fall back
    to the defaults; what is more than MOST is left out (`too_many`)."""

    things: tuple[tuple[int, str], ...] = ()
    align: str = "epoch"
    cost: str = "parameters"
    all: bool = False  # every setting, not only those that differ
    too_many: int = 0

    @classmethod
    def read(cls, query: QueryDict) -> Asked:
        runs = [
            (int(text), "") for text in query.getlist("run") if text.isascii() and text.isdigit() and len(text) < 13
        ]
        matches = [_NETWORK.fullmatch(text) for text in query.getlist("network")]
        networks = [(int(match[1]), match[2]) for match in matches if match]
        things = tuple(dict.fromkeys([*runs, *networks]))
        align, cost = query.get("align", ""), query.get("cost", "")
        return cls(
            things[:MOST],
            align if align in ALIGNMENTS else cls.align,
            cost if cost in COSTS else cls.cost,
            query.get("all") == "1",
            max(0, len(things) - MOST),
        )

    @property
    def run_ids(self) -> list[int]:
        return list(dict.fromkeys(run for run, _ in self.things))

    def query(self, things: Iterable[tuple[int, str]] | None = None, **changes: Any) -> str:
        """The address's query with changes; defaults are left out."""
        now = {"align": self.align, "cost": self.cost, "all": self.all} | changes
        pairs = [
            ("network", f"{run}:{name}") if name else ("run", str(run))
            for run, name in (self.things if things is None else things)
        ]
        pairs += [(key, str(now[key])) for key in ("align", "cost") if now[key] != getattr(Asked, key)]
        return "?" + urlencode(pairs + ([("all", "1")] if now["all"] else []))

    def without(self, thing: tuple[int, str]) -> str:
        return self.query([one for one in self.things if one != thing])
