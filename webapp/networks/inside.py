"""Inside a network, for its page: the graph drawn from its wiring, and its first filters. Positions are computed here;
the template only writes them down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from webapp.networks.inside_files import inside_name, read_json
from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls

PARTS = 400  # of a drawing; larger networks are read in the table of layers
ROW, TOP = 28, 18  # the drawing's own units, about pixels
WIDTH, MIDDLE, WIDEST = 400, 110, 110
NARROWEST = 7
LANE, LANES = 8, 6  # where paths go round, left of the boxes
FIRST_LANE = MIDDLE - WIDEST / 2 - 8
NAME = 17  # letters of a name
JOINS = {"add": "+", "concat": "‖", "multiply": "×", "join": "·"}


def inside_context(network: Network, ancestor: Mapping[str, Any], urls: RunUrls) -> dict[str, Any] | None:
    """Context of `networks/_inside.html`; None where no worker has looked inside (yet). `ancestor` is its record."""
    found = read_json(inside_name(network.run_id, network.name)) if network.inside else None
    if not isinstance(found, dict):
        return None
    return {
        "drawing": drawing(found["parts"], network.record or {}, ancestor),
        "filters": filters(found["filters"], urls.get("filters", network.name)),
    }


# --- the graph ----------------------------------------------------------------------------


def drawing(parts: list[dict[str, Any]], own: Mapping[str, Any], ancestor: Mapping[str, Any]) -> dict[str, Any] | None:
    """{"width", "height", "parts", "links"}; None for a network too large to be drawn."""
    if not 2 < len(parts) <= PARTS:
        return None
    after, before = _clusters(own), _clusters(ancestor)
    most = max([*before.values(), *after.values(), 1])
    placed = [_part(place, part, parts, after, before, most) for place, part in enumerate(parts)]
    links = [_straight(placed[place - 1], placed[place]) for place in range(1, len(parts)) if _follows(parts, place)]
    return {
        "width": WIDTH,
        "middle": MIDDLE,
        "words": MIDDLE + WIDEST // 2 + 12,
        "height": TOP * 2 + ROW * (len(parts) - 1),
        "parts": placed,
        "links": links + _round(placed, parts),
    }


def _clusters(record: Mapping[str, Any]) -> dict[str, int]:
    """Filters or neurons of each layer, by its name."""
    rows = [row for row in record.get("layers") or [] if isinstance(row, dict)]
    return {row["layer"]: row["clusters"] for row in rows if row.get("layer") and row.get("clusters")}


def _part(
    place: int,
    part: dict[str, Any],
    parts: list[dict[str, Any]],
    after: dict[str, int],
    before: dict[str, int],
    most: int,
) -> dict[str, Any]:
    kind, name = part["kind"], part["name"]
    made = {"y": TOP + ROW * place, "kind": kind, "name": name, "sources": _sources(part, parts)}
    if kind in JOINS:
        return made | {"form": "join", "sign": JOINS[kind], "half": 8}
    if not name:
        return made | {"form": "end", "half": 22, "words": _shape(part["output"]) if kind == "input" else ""}
    left = after.get(name) or (part["output"][0] if part["output"] else 0)
    whole = before.get(name) or left
    outer, inner = _width(whole, most), _width(left, most)
    return made | {
        "form": "layer",
        "short": name if len(name) <= NAME else f"…{name[1 - NAME :]}",
        "half": outer / 2,
        "left": left,
        "of": whole,
        "outer": {"x": round(MIDDLE - outer / 2, 1), "width": round(outer, 1)},
        "inner": {"x": round(MIDDLE - inner / 2, 1), "width": round(inner, 1)},
    }


def _width(clusters: int, most: int) -> float:
    """Areas are what eyes compare; roots keep a layer of ten visible beside one of four thousand."""
    return max(NARROWEST, WIDEST * math.sqrt(clusters / most))


def _shape(sizes: list[int]) -> str:
    return "×".join(map(str, sizes))


def _sources(part: dict[str, Any], parts: list[dict[str, Any]]) -> list[str]:
    """What feeds it, in words."""
    return [parts[source]["name"] or parts[source]["kind"] for source in part["sources"]]


def _follows(parts: list[dict[str, Any]], place: int) -> bool:
    return place - 1 in parts[place]["sources"]


def _straight(above: dict[str, Any], below: dict[str, Any]) -> str:
    return f"M{MIDDLE} {above['y'] + 8}V{below['y'] - 8}"


def _round(placed: list[dict[str, Any]], parts: list[dict[str, Any]]) -> list[str]:
    """Paths from a part to one further down, round the left of what lies between; no two in one lane at one height."""
    jumps = [(source, place) for place, part in enumerate(parts) for source in part["sources"] if source < place - 1]
    jumps.sort(key=lambda jump: (jump[1] - jump[0], jump[0]))
    taken: list[list[tuple[int, int]]] = []
    paths = []
    for start, end in jumps:
        lane = next((i for i, kept in enumerate(taken) if all(end <= a or b <= start for a, b in kept)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, end))
        x = FIRST_LANE - LANE * min(lane, LANES - 1)
        above, below = placed[start], placed[end]
        left, right = MIDDLE - above["half"], MIDDLE - below["half"]
        top, bottom = above["y"] + 4, below["y"] - (0 if below["form"] == "join" else 4)
        paths.append(f"M{left:.1f} {top}Q{x} {top} {x} {top + 12}V{bottom - 12}Q{x} {bottom} {right:.1f} {bottom}")
    return paths


# --- filters ------------------------------------------------------------------------------


def filters(found: Mapping[str, Any] | None, url: str) -> dict[str, Any] | None:
    """The first layer's filters: one picture, and where the dead ones are crossed out. Units are filters."""
    if not found:
        return None
    alive, columns = found["alive"], found["columns"]
    rows = -(-len(alive) // columns)
    places = [(number % columns, number // columns) for number, lives in enumerate(alive) if not lives]
    return {
        "layer": found["layer"],
        "url": url,
        "columns": columns,
        "rows": rows,
        "dead": [{"x": x, "y": y, "number": y * columns + x + 1} for x, y in places],
        "lines": [f"M{x} 0V{rows}" for x in range(columns + 1)] + [f"M0 {y}H{columns}" for y in range(rows + 1)],
        "alive": sum(alive),
        "count": len(alive),
        "living": ", ".join(str(number) for number, lives in enumerate(alive, 1) if lives),
        "size": f"{found['width']}×{found['height']}",
    }
