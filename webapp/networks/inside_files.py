"""Where a worker keeps what it found inside networks and what they answer, and how pages read it.

In storage, below `runs/<id>/`:

* `validation/index.json`, once a run: {"classes": [name], "images": how many the validation part has, "labels":
  [class], "width", "height", "offsets": [n + 1 places in the pack]}: the images that every network is asked about.
* `validation/pictures.pack`, once a run: these images one after another, each a PNG or JPEG.
* `<network>.answers.json`: {"classes": [class], "sure": [thousandths]}, one of each for every such image.
* `<network>.inside.json`: {"parts": [...], "filters": {...} | null}; parts as evolution_core.measurement.wiring.Part,
  filters as {"layer", "columns", "width", "height", "alive": [bool]}.
* `<network>.filters.png`: the first layer's filters in rows of "columns".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse

from webapp.networks.models import Network
from webapp.runs.models import Run

LARGEST = 4_000_000  # bytes of one picture, far above any that a worker writes


def index_name(run_id: int) -> str:
    return f"runs/{run_id}/validation/index.json"


def pack_name(run_id: int) -> str:
    return f"runs/{run_id}/validation/pictures.pack"


def answers_name(run_id: int, network: str) -> str:
    return f"runs/{run_id}/{network}.answers.json"


def inside_name(run_id: int, network: str) -> str:
    return f"runs/{run_id}/{network}.inside.json"


def filters_name(run_id: int, network: str) -> str:
    return f"runs/{run_id}/{network}.filters.png"


def read_json(name: str) -> Any:
    """The stored value; None where there is none or it cannot be read."""
    try:
        with default_storage.open(name) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Questions:
    """The validation images that every network of a run is asked about: their true classes, by number."""

    run_id: int
    classes: list[str]
    labels: list[int]
    images: int  # in the whole validation part
    width: int
    height: int

    @classmethod
    def of(cls, run_id: int) -> Questions | None:
        found = read_json(index_name(run_id))
        if not isinstance(found, dict):
            return None
        return cls(
            run_id, found["classes"], found["labels"], found["images"], int(found["width"]), int(found["height"])
        )


@dataclass(frozen=True)
class Answers:
    """What one network said to each question, and how sure it was (thousandths)."""

    network: str
    classes: list[int]
    sure: list[int]

    @classmethod
    def of(cls, network: Network, questions: Questions) -> Answers | None:
        """The stored answers; None where there are none, or they are not to these questions."""
        return cls.read(str(network.answers), network.name, questions)

    @classmethod
    def read(cls, stored: str, network: str, questions: Questions) -> Answers | None:
        """The same by the answers' name in storage ("" where there are none)."""
        found = read_json(stored) if stored else None
        if not isinstance(found, dict) or not len(found["classes"]) == len(found["sure"]) == len(questions.labels):
            return None
        return cls(network, found["classes"], found["sure"])


def question_response(run: Run, number: int) -> HttpResponse:
    """One of the validation images. Made by our worker, and served as nothing but an image."""
    index = read_json(index_name(run.pk))
    offsets = index["offsets"] if isinstance(index, dict) else []
    if not 0 <= number < len(offsets) - 1 or not 0 < offsets[number + 1] - offsets[number] <= LARGEST:
        raise Http404("There is no such picture.")
    try:
        with default_storage.open(pack_name(run.pk), "rb") as file:
            file.seek(offsets[number])
            content = file.read(offsets[number + 1] - offsets[number])
    except OSError:
        raise Http404("There is no such picture.") from None
    return picture_response(content)


def filters_response(network: Network) -> HttpResponse:
    """The first layer's filters as one picture."""
    try:
        with default_storage.open(filters_name(network.run_id, network.name), "rb") as file:
            return picture_response(file.read())
    except OSError:
        raise Http404("There is no such picture.") from None


def picture_response(content: bytes) -> HttpResponse:
    kind, ending = ("image/png", "png") if content.startswith(b"\x89PNG") else ("image/jpeg", "jpg")
    response = HttpResponse(content, content_type=kind)
    response["Cache-Control"] = "private, max-age=3600"
    response["Content-Disposition"] = f'inline; filename="picture.{ending}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
