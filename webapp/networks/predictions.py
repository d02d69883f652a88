"""What detectors found in validation pictures, as a worker stored it, prepared for a network's page.

In storage, below `runs/<id>/`: `pictures/index.json` and `pictures/<number>.jpg`, once a run, and for each network
`<network>.predictions.json`. Boxes are [class, left, top, right, bottom, score], fractions of the picture; a truth has
no score.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse

from webapp.networks.models import Network
from webapp.runs.addresses import RunUrls
from webapp.runs.models import Run
from webapp.runs.snapshot import ANCESTOR

EACH = 6  # pictures on a page
FAINTEST, SURE = 0.05, 0.25  # thresholds: the lowest that is stored, and the usual one
COLOURS = 8  # classes that have a colour of their own
WORDS = {"hushed": 12.0, "hushed-small": 19.0}  # how high words are, in its pixels: of a picture shown large, and small


def index_name(run_id: int) -> str:
    return f"runs/{run_id}/pictures/index.json"


def picture_name(run_id: int, number: int) -> str:
    return f"runs/{run_id}/pictures/{number}.jpg"


def predictions_name(run_id: int, network: str) -> str:
    return f"runs/{run_id}/{network}.predictions.json"


@dataclass(frozen=True)
class Choice:
    """What of the page's state lives in its address. Unknown values fall back to the defaults."""

    page: int = 1
    worst: bool = False
    threshold: float = SURE

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Choice:
        page = query.get("shown", "")
        try:
            threshold = float(query.get("threshold", ""))
        except ValueError:
            threshold = SURE
        return cls(
            max(1, int(page[:6])) if page.isascii() and page.isdigit() else 1,
            query.get("order") == "worst",
            threshold if FAINTEST <= threshold <= 1 else SURE,
        )

    def query(self, **changes: Any) -> str:
        now = {"page": self.page, "worst": self.worst, "threshold": self.threshold} | changes
        kept = {
            "shown": str(now["page"]) if now["page"] != 1 else "",
            "order": "worst" if now["worst"] else "",
            "threshold": f"{now['threshold']:g}" if now["threshold"] != SURE else "",
        }
        return "?" + urlencode({name: value for name, value in kept.items() if value}) + "#predictions"


def predictions_context(network: Network, urls: RunUrls, query: Mapping[str, str]) -> dict[str, Any] | None:
    """What the pictures' section shows; None where nothing was stored (yet), or it cannot be read."""
    if not network.predictions:
        return None
    index, own = _read(index_name(network.run_id)), _read(str(network.predictions))
    if index is None or own is None or len(own["images"]) != len(index["pictures"]):
        return None
    sides = [(network.name, own["images"])]
    if network.name != ANCESTOR:
        elder = Network.objects.filter(run=network.run_id, name=ANCESTOR).exclude(predictions="").first()
        before = _read(str(elder.predictions)) if elder is not None else None
        if before is not None and len(before["images"]) == len(index["pictures"]):
            sides.insert(0, (ANCESTOR, before["images"]))
    choice = Choice.read(query)
    order = list(range(len(own["images"])))
    if choice.worst:
        order.sort(key=lambda number: -own["images"][number]["loss"])  # stable: equals stay in the data's order
    pages = max(1, -(-len(order) // EACH))
    page = min(choice.page, pages)
    shown = order[(page - 1) * EACH : page * EACH]
    return {
        "classes": [{"name": name, "colour": number % COLOURS} for number, name in enumerate(index["classes"])],
        "threshold": choice.threshold,
        "percent": round(100 * choice.threshold),
        "worst": choice.worst,
        "page": page,
        "pages": pages,
        "count": len(order),
        "previous": choice.query(page=page - 1) if page > 1 else "",
        "next": choice.query(page=page + 1) if page < pages else "",
        "in_order": choice.query(page=1, worst=False),
        "worst_first": choice.query(page=1, worst=True),
        "alone": len(sides) == 1,
        "pictures": [_picture(number, index, sides, urls, choice.threshold) for number in shown],
    }


def _picture(
    number: int, index: dict[str, Any], sides: list[tuple[str, Any]], urls: RunUrls, threshold: float
) -> dict[str, Any]:
    about = index["pictures"][number]
    classes, size = index["classes"], (about["width"], about["height"])
    return {
        "number": number,
        "file": about["file"],
        "width": size[0],
        "height": size[1],
        "url": urls.get("picture", str(number)),
        "truths": [_box(box, classes, size) for box in about["truths"]],
        "sides": [
            {
                "name": name,
                "boxes": _worded([_box(box, classes, size, threshold) for box in images[number]["found"]], size),
                "hits": images[number]["hits"],
                "wrong": images[number]["sure"] - images[number]["hits"],
                "truths": len(about["truths"]),
            }
            for name, images in sides
        ],
    }


def _box(box: list[float], classes: list[str], size: tuple[int, int], threshold: float = 0.0) -> dict[str, Any]:
    """A box in the picture's pixels, with its words and its place for them."""
    label, (left, top, right, bottom) = int(box[0]), box[1:5]
    width, height = size
    x, y = round(left * width, 1), round(top * height, 1)
    found = {
        "name": classes[label] if label < len(classes) else str(label),
        "colour": label % COLOURS,
        "x": x,
        "y": y,
        "width": round((right - left) * width, 1),
        "height": round((bottom - top) * height, 1),
    }
    if len(box) > 5:
        found |= {"score": round(box[5], 4), "percent": round(100 * box[5]), "below": box[5] < threshold}
    return found


def _worded(boxes: list[dict[str, Any]], size: tuple[int, int]) -> list[dict[str, Any]]:
    """The boxes with the place of their words, and "hushed": the classes that hide words which would cover a surer
    box's. As the surest are placed first, what a threshold hides never leaves a gap that other words could fill."""
    tallest = max(WORDS.values())
    taken: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in WORDS}
    for box in sorted(boxes, key=lambda one: -one["score"]):
        letters = 0.66 * len(f"{box['name']} {box['percent']} %")  # of their height
        to_left = box["x"] + tallest * letters > size[0]
        x = min(box["x"] + box["width"], size[0]) if to_left else box["x"]
        y = box["y"] - 4 if box["y"] > tallest + 4 else box["y"] + tallest
        hushed = []
        for name, height in WORDS.items():
            left = x - height * letters if to_left else x
            place = (left, y - height, left + height * letters, y)
            if any(_overlap(place, other) for other in taken[name]):
                hushed.append(name)
            else:
                taken[name].append(place)
        box["words"] = {"x": round(x, 1), "y": round(y, 1), "to_left": to_left}
        box["hushed"] = " ".join(hushed)
    return boxes


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def picture_response(run: Run, number: int) -> HttpResponse:
    """One validation picture. Made by our worker as JPEG, and served as nothing else."""
    name = picture_name(run.pk, number)
    if not default_storage.exists(name):
        raise Http404("There is no such picture.")
    with default_storage.open(name) as file:
        response = HttpResponse(file.read(), content_type="image/jpeg")
    response["Cache-Control"] = "private, max-age=3600"
    response["Content-Disposition"] = 'inline; filename="picture.jpg"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _read(name: str) -> Any:
    try:
        with default_storage.open(name) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None
