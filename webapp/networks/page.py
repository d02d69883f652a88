"""What a network's page shows. `network_context` serves the team's page and a share link's alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.db.models.fields.files import FieldFile

from webapp.devices.page import devices_context
from webapp.keeping import Addresses
from webapp.networks import downloads, exported, quantized, snippets
from webapp.networks.classes import CLASSES, classes_context, who_paid_first
from webapp.networks.downloads import Download
from webapp.networks.inside import inside_context
from webapp.networks.models import Network
from webapp.networks.predictions import predictions_context
from webapp.runs.addresses import RunUrls
from webapp.runs.models import RunEvent
from webapp.runs.page import line
from webapp.runs.sentences import QUIET
from webapp.runs.snapshot import ANCESTOR, Lineage, Snapshot, metric_label, metric_title
from webapp.runs.status import PHASES
from webapp.runs.survival import survival_context

LINES = 30  # of the network's own log


def network_context(network: Network, urls: RunUrls, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Context of `networks/_network.html`. `urls.readonly` hides what only members may do."""
    run = network.run
    lineage = Lineage.of(run)
    own = lineage.by_name[network.name]
    record = network.record or {}
    elder = ancestor_of(network)
    before = (elder.record or {}) if elder is not None else {}
    children = [n for n in lineage.networks if network.name in n.parents]
    chosen = lineage.chosen
    layers = layer_rows(network, before)
    return {
        "run": run,
        "network": network,
        "urls": urls.plain(),
        "readonly": urls.readonly,
        "metric": metric_label(run),
        "metric_title": metric_title(run),
        "parents": _links(own.parents, lineage, urls),
        "children": _links([n.name for n in children], lineage, urls),
        "steps": _steps(own, lineage, urls),
        "is_chosen": chosen is not None and chosen.name == network.name,
        "phase": PHASES.get(network.phase, network.phase),
        "figures": figures(own, lineage, exported.figures_of(network), slowest(layers))
        + detection_figures(record, before),
        "class_rows": class_rows(record, before),
        "predictions": predictions_context(network, urls, query or {}) if urls.shows_images else None,
        "classes": classes_context(network, elder, urls, query or {}),
        "inside": inside_context(network, before, urls),
        "tables": Addresses(partial(urls.get, "network_table", network.name)),
        "look_url": urls.get("look", network.name),
        "points": lineage.points(own),
        "masked": masked(network),
        "proof": record.get("proof") or None,
        "lrn_effect": record.get("lrn_effect"),
        "seconds": _seconds(record),
        "survival": survival_context(lineage, own, urls),
        "layers": layers,
        "timed": any(row.get("time") is not None for row in layers),
        "downloads": offered(network, urls),
        "measure_url": urls.get("measure", network.name),
        "snippets": snippets.snippets_of(network),
        "devices": devices_context(network, elder, urls),
        "events": [line(event) for event in _events(network)],
        "is_open": own.is_open,
        "live": not run.has_ended and own.is_open,
    }


def ancestor_of(network: Network) -> Network | None:
    """Itself, for the ancestor."""
    if network.name == ANCESTOR:
        return network
    return Network.objects.filter(run=network.run_id, name=ANCESTOR).first()


def _links(names: Any, lineage: Lineage, urls: RunUrls) -> list[dict[str, Any]]:
    return [{"network": lineage.by_name[name], "url": urls.network(name)} for name in names if name in lineage.by_name]


def _steps(own: Snapshot, lineage: Lineage, urls: RunUrls) -> dict[str, dict[str, Any] | None]:
    """The networks before and after this one in order of birth, None at either end."""
    at = lineage.networks.index(own)
    before, after = lineage.networks[:at][-1:], lineage.networks[at + 1 : at + 2]
    return {
        "previous": next(iter(_links([n.name for n in before], lineage, urls)), None),
        "next": next(iter(_links([n.name for n in after], lineage, urls)), None),
    }


def _events(network: Network) -> list[RunEvent]:
    events = RunEvent.objects.filter(network=network).exclude(kind__in=QUIET).select_related("network")
    return list(events.order_by("-number")[:LINES])


def masked(network: Network) -> dict[str, int] | None:
    """Counts of a network whose synapses are masked: honest about not being smaller by them. None when not masked."""
    living = (network.record or {}).get("living_synapses")
    if not isinstance(living, int) or not network.parameters or living >= network.parameters:
        return None
    return {"living": living, "masked": network.parameters - living}


# --- figures ----------------------------------------------------------------------------

_ROWS = (
    # label, field, how it is written, less is better
    ("Parameters", "parameters", "count", True),
    ("Multiply-adds", "macs", "count", True),
    ("Size", "bytes", "size", True),
)


_CLASS = "map50/"
_SURELY = "of detections surer than 25 % that overlap an object by half"


def figures(
    own: Snapshot, lineage: Lineage, in_onnx: Mapping[str, dict[str, Any]], slow: str = ""
) -> list[dict[str, Any]]:
    """Each measure beside the ancestor's: {"label", "kind", "own", "ancestor", "ratio" | "points", "note"}; accuracies
    with what they are `in_onnx` (networks.exported), the latency with what is `slow` (:func:`slowest`)."""
    ancestor = lineage.ancestor
    rows: list[dict[str, Any]] = []
    for label, field, kind, _less in _ROWS:
        value = getattr(own, field)
        if value is None:
            continue
        before = getattr(ancestor, field) if ancestor is not None else None
        rows.append(
            {
                "label": label,
                "kind": kind,
                "own": value,
                "ancestor": before,
                "ratio": before / value if before and value else None,
            }
        )
    if own.latency_ms is not None:
        rows.append(
            {
                "label": "Latency",
                "kind": "milliseconds",
                "own": own.latency_ms,
                "ancestor": own.ancestor_latency_ms,
                "ratio": own.speed_up,
                "note": "one image, one thread’s work in ONNX Runtime on the worker"
                + ("" if own.is_ancestor else "; both measured alternately")
                + (f". {slow}" if slow else ""),
            }
        )
    for label, field in (("on validation", "validation_accuracy"), ("on unseen images", "test_accuracy")):
        value = getattr(own, field)
        if value is not None:
            before = getattr(ancestor, field) if ancestor is not None else None
            form = in_onnx.get(exported.PARTS[field])
            rows.append(
                {
                    "label": label,
                    "kind": "percent",
                    "own": value,
                    "ancestor": before,
                    "points": lineage.points(own, field),
                    "note": exported.beside(form) if form else "",
                    "onnx": form["onnx"] if form else None,
                }
            )
    if own.shock_accuracy is not None:
        rows.append(
            {
                "label": "shock",
                "kind": "percent",
                "own": own.shock_accuracy,
                "note": "right after the cut, before any training",
            }
        )
    return rows


_DETECTION = (("mAP@.5:.95", "map", ""), ("Precision", "precision", _SURELY), ("Recall", "recall", _SURELY))


def detection_figures(record: dict[str, Any], ancestor: dict[str, Any]) -> list[dict[str, Any]]:
    """What else is measured of a detector, on validation, and its latency as a device feels it."""
    metrics, before = record.get("metrics") or {}, ancestor.get("metrics") or {}
    rows: list[dict[str, Any]] = []
    if record.get("metric") != "map50":
        return rows
    for label, key, note in _DETECTION:
        own, other = metrics.get(key), before.get(key)
        if isinstance(own, (int, float)):
            points = 100 * (own - other) if isinstance(other, (int, float)) else None
            rows.append(
                {"label": label, "kind": "share", "own": own, "ancestor": other, "points": points, "note": note}
            )
    whole, slow = record.get("whole_latency_ms"), record.get("ancestor_whole_latency_ms")
    if whole:
        rows.append(
            {
                "label": "Latency with decoding and suppression",
                "kind": "milliseconds",
                "own": whole,
                "ancestor": slow,
                "ratio": slow / whole if slow else None,
                "note": "all that a device computes, on one validation image",
            }
        )
    return rows


def class_rows(record: dict[str, Any], ancestor: dict[str, Any], most: int | None = CLASSES) -> list[dict[str, Any]]:
    """A detector's mAP@.5 by class on validation, with the ancestor's beside it and what else is known of each, who
    paid most first; [] for other networks."""
    metrics, before = record.get("metrics") or {}, ancestor.get("metrics") or {}
    rows = []
    for key, own in metrics.items():
        if key.startswith(_CLASS) and isinstance(own, (int, float)):
            name, other = key.removeprefix(_CLASS), before.get(key)
            points = 100 * (own - other) if isinstance(other, (int, float)) else None
            more = {measure: metrics.get(f"{measure}/{name}") for measure in ("map", "precision", "recall", "boxes")}
            rows.append({"name": name, "own": own, "ancestor": other, "points": points, **more})
    return who_paid_first(rows, most)


def layer_rows(network: Network, ancestor: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a layer: clusters, parameters, multiply-adds and milliseconds, with the ancestor's beside them, and what
    share of the `time` is its."""
    before = {row.get("layer"): row for row in ancestor.get("layers") or [] if isinstance(row, dict)}
    ancestors_clusters = ancestor.get("clusters") or {}
    rows = []
    for row in (network.record or {}).get("layers") or []:
        if not isinstance(row, dict):
            continue
        name = row.get("layer")
        old = before.get(name) or {}
        rows.append(
            {
                "layer": name,
                "kind": row.get("kind", ""),
                "clusters": row.get("clusters"),
                "clusters_before": old.get("clusters", ancestors_clusters.get(name)),
                "parameters": row.get("parameters"),
                "parameters_before": old.get("parameters"),
                "macs": row.get("macs"),
                "macs_before": old.get("macs"),
                "milliseconds": row.get("milliseconds"),
                "milliseconds_before": old.get("milliseconds"),
            }
        )
    spent = sum(row["milliseconds"] or 0.0 for row in rows)
    for row in rows:
        row["time"] = row["milliseconds"] / spent if spent and row["milliseconds"] is not None else None
    if not rows:  # an older record: clusters are all that is known
        rows = [
            {"layer": name, "clusters": number, "clusters_before": ancestors_clusters.get(name)}
            for name, number in (network.clusters or {}).items()
        ]
    return rows


def slowest(layers: list[dict[str, Any]], least: float = 0.25) -> str:
    """A sentence on the layer that takes most of the time, with what follows it, where that is a share of `least` or
    more: to narrow any other helps little. "" otherwise, and where times are not known."""
    most = max(layers, key=lambda row: row.get("time") or 0.0, default={})
    share = most.get("time") or 0.0
    if not least <= share < 1.0:
        return ""
    return f"{most['layer']} with what follows it takes {100 * share:.0f}\u202f% of it"


def _seconds(record: dict[str, Any]) -> list[tuple[str, float]]:
    seconds = record.get("seconds")
    if not isinstance(seconds, dict):
        return []
    return [
        (PHASES.get(phase, str(phase)), value) for phase, value in seconds.items() if isinstance(value, (int, float))
    ]


# --- to take away ----------------------------------------------------------------------


def offered(network: Network, urls: RunUrls) -> list[Download]:
    """The network's files; an ONNX form that is not made yet says so."""
    if not network.file:
        return []
    return [
        Download(
            "safetensors",
            "safetensors",
            "Weights, with the genome inside; loads with evolution_core.",
            urls.download(network.name, "safetensors"),
            downloads.stored_size(network.file),
            network.sha256,
        ),
        _form(
            network,
            urls,
            "onnx",
            "ONNX",
            "Runs in ONNX Runtime, in browsers and on devices."
            + (" Puts out the map; its boxes are yours to decode." if network.run.dataset.task == "detection" else ""),
            (network.onnx, network.onnx_sha256, network.onnx_state, network.onnx_message),
            asked_by="export",
            worth=exported.sentences(network, metric_label(network.run)),
        ),
        *_with_boxes(network, urls),
        *_in_integers(network, urls),
        Download(
            "genome",
            "Genome",
            "JSON: what it descends from, which clusters live, and how images are normalised.",
            urls.download(network.name, "genome"),
        ),
        Download(
            "card",
            "Model card",
            "Markdown: what it is, from which data, how it was made, how good it is, how to run it.",
            urls.download(network.name, "card"),
            more=(("JSON", urls.download(network.name, "card-json")),),
        ),
    ]


def _with_boxes(network: Network, urls: RunUrls) -> list[Download]:
    """A detector's form with decoding and suppression inside, made together with the other."""
    if network.run.dataset.task != "detection":
        return []
    return [
        _form(
            network,
            urls,
            "onnx-nms",
            "ONNX with boxes",
            "Decoding and suppression are inside: puts out boxes in pixels, scores and classes, the surest first.",
            (network.onnx_nms, network.onnx_nms_sha256, network.onnx_state, network.onnx_message),
            asked_by="export",
            worth=exported.sentences(network, metric_label(network.run), "boxes"),
        )
    ]


def _in_integers(network: Network, urls: RunUrls) -> list[Download]:
    """The ONNX form in 8-bit integers, made of the other."""
    if network.onnx_state != Network.Made.READY or not network.onnx:
        return []
    return [
        _form(
            network,
            urls,
            "onnx-int8",
            "ONNX, 8 bits",
            "Weights and activations in 8-bit integers: down to a quarter of the size, and faster where a device "
            "multiplies them in hardware. Small networks gain less, and may get slower. Nothing more is trained.",
            (network.int8, network.int8_sha256, network.int8_state, network.int8_message),
            asked_by="quantize",
            worth=quantized.sentences(network, metric_label(network.run)),
        )
    ]


def _form(
    network: Network,
    urls: RunUrls,
    kind: str,
    label: str,
    summary: str,
    kept: tuple[FieldFile, str, str, str],
    *,
    asked_by: str,
    worth: Iterable[str],
) -> Download:
    """A form that a worker makes; `kept` is (file, SHA-256, state, message). What is not ready has neither address nor
    size, and says how far it is."""
    file, sha256, state, message = kept
    made = state == Network.Made.READY and bool(file)
    return Download(
        kind,
        label,
        summary,
        urls.download(network.name, kind) if made else "",
        downloads.stored_size(file) if made else None,
        sha256 if made else "",
        state,
        message,
        urls.get(asked_by, network.name),
        worth=tuple(worth) if made else (),
    )
