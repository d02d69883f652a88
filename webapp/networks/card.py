"""A network's model card, to keep beside its files: what it is, from which data, how made, how good, how to run it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

from webapp.networks import downloads, snippets
from webapp.networks.classes import change_rows
from webapp.networks.exported import PARTS, agreement, figures_of
from webapp.networks.inside_files import Answers, Questions
from webapp.networks.models import Network
from webapp.runs.snapshot import Lineage, metric_title
from webapp.runs.templatetags.figures import count, milliseconds, percent, points, size, times
from webapp.runs.words import described

PAID = 5  # classes named in the card
FIGURES = (
    *("validation_accuracy", "test_accuracy", "parameters", "macs", "bytes"),
    *("peak_activation_bytes", "latency_ms"),
)


def card(network: Network) -> dict[str, Any]:
    """The card as plain values: fractions, counts, bytes, milliseconds; None where something is not known."""
    run, record = network.run, network.record or {}
    lineage = Lineage.of(run)
    own, ancestor = lineage.by_name[network.name], lineage.ancestor
    elder = None if own.is_ancestor else Network.objects.filter(run=run, generation=0).first()
    genome = downloads.read_genome(network) or {}
    report = run.dataset.report if isinstance(run.dataset.report, dict) else {}
    return {
        "network": network.name,
        "run": run.name,
        "generation": network.generation,
        "parents": list(own.parents),
        "line": [one.name for one in lineage.line(network.name)],
        "made": network.measured_at.isoformat() if network.measured_at else None,
        "data": {
            "name": run.dataset.name,
            "task": run.dataset.task,
            "images": report.get("images"),
            "fingerprint": report.get("fingerprint") or None,
            "classes": list(genome.get("classes") or [entry.get("name") for entry in report.get("classes", [])]),
        },
        "input": {"shape": genome.get("shape"), "mean": genome.get("mean"), "std": genome.get("std")},
        "settings": {row["label"]: row["value"] for row in described(run)},
        "metric": metric_title(run),
        "figures": {
            name: {"own": getattr(own, name), "ancestor": getattr(ancestor, name) if ancestor else None}
            for name in FIGURES
        },
        "onnx": {"own": figures_of(network), "ancestor": figures_of(elder)},
        "ancestor_latency_ms": own.ancestor_latency_ms,  # measured in turns with this one's
        "shock_accuracy": own.shock_accuracy,
        "proof": record.get("proof"),
        "layers": {layer: {"own": n, "ancestor": _before(lineage, layer)} for layer, n in own.clusters.items()},
        "classes": _classes(network, elder),
        "files": [
            {"kind": kind, "name": downloads.file_name(network, kind), "sha256": digest}
            for kind, digest in (
                ("safetensors", network.sha256),
                ("onnx", network.onnx_sha256),
                ("onnx-nms", network.onnx_nms_sha256),
                ("onnx-int8", network.int8_sha256),
            )
            if digest
        ],
    }


def _before(lineage: Lineage, layer: str) -> int | None:
    return lineage.ancestor.clusters.get(layer) if lineage.ancestor else None


def _classes(network: Network, elder: Network | None) -> list[dict[str, Any]]:
    """The share recognised of each class of validation images, with the ancestor's; [] where nobody looked."""
    questions = Questions.of(network.run_id)
    own = Answers.of(network, questions) if questions is not None else None
    if questions is None or own is None:
        return []
    before = Answers.of(elder, questions) if elder is not None else None
    return [
        {key: row[key] for key in ("name", "images", "own", "ancestor")} for row in change_rows(questions, own, before)
    ]


def card_response(network: Network, kind: str) -> HttpResponse:
    """The card as Markdown ("card") or JSON ("card-json"), as a response's content."""
    found = card(network)
    if kind == "card-json":
        return HttpResponse(json.dumps(found, indent=1, ensure_ascii=False), content_type="application/json")
    return HttpResponse(markdown(network, found), content_type="text/markdown; charset=utf-8")


def markdown(network: Network, found: dict[str, Any]) -> str:
    """The card for people."""
    return "\n\n".join(part for part in _parts(network, found) if part) + "\n"


def _parts(network: Network, found: dict[str, Any]) -> Iterable[str]:
    yield f"# {_plain(found['run'])}: network {found['network']}"
    yield _summary(found)
    yield "## Figures\n\n" + _figures(found)
    yield "## Data\n\n" + _data(found)
    yield "## How it was made\n\n" + _making(found)
    yield _paid(found)
    yield "## Limits\n\n" + _limits(found)
    yield "## Layers\n\n" + _table(
        ("layer", "clusters", "in the ancestor"),
        [(layer, str(row["own"]), str(row["ancestor"] or "")) for layer, row in found["layers"].items()],
    )
    if found["files"]:
        rows = [(file["name"], f"`{file['sha256']}`") for file in found["files"]]
        yield "## Files\n\n" + _table(("file", "SHA-256"), rows)
    if network.file:
        detects = network.run.dataset.task == "detection"
        snippet = snippets.boxes_snippet(network) if detects else snippets.onnx_snippet(network)
        yield f"## How to run it\n\n```python\n{snippet}\n```"


def _summary(found: dict[str, Any]) -> str:
    own, ancestor = ({name: pair[side] for name, pair in found["figures"].items()} for side in ("own", "ancestor"))
    if not found["generation"]:
        return f"The ancestor of its run: {count(own['parameters'])} parameters."
    words = [f"A descendant, in generation {found['generation']}, of a network on {_plain(found['data']['name'])}"]
    if own["parameters"] and ancestor["parameters"]:
        words.append(f"{times(ancestor['parameters'] / own['parameters'])} fewer parameters than its ancestor")
    if own["latency_ms"] and found["ancestor_latency_ms"]:
        words.append(f"{times(found['ancestor_latency_ms'] / own['latency_ms'])} its speed")
    if own["validation_accuracy"] is not None and ancestor["validation_accuracy"] is not None:
        words.append(
            f"{points(100 * (own['validation_accuracy'] - ancestor['validation_accuracy']))} points on validation"
        )
    return ", ".join(words) + "."


def _figures(found: dict[str, Any]) -> str:
    metric = found["metric"]
    labels = {
        "validation_accuracy": (f"{metric} on validation", lambda v: percent(v, 2)),
        "test_accuracy": (f"{metric} on unseen images", lambda v: percent(v, 2)),
        "parameters": ("Parameters", lambda v: f"{v:,}"),
        "macs": ("Multiply-adds for one image", lambda v: f"{v:,}"),
        "bytes": ("Size of the tensors", size),
        "peak_activation_bytes": ("Memory of activations, one image", size),
        "latency_ms": ("Latency (one image, one thread, ONNX Runtime, where it was trained)", milliseconds),
    }
    rows = []
    for name, (label, written) in labels.items():
        pair = dict(found["figures"][name])
        if name == "latency_ms":
            pair["ancestor"] = found["ancestor_latency_ms"]
        if pair["own"] is not None:
            rows.append(
                (label, written(pair["own"]), written(pair["ancestor"]) if pair["ancestor"] is not None else "")
            )
            rows.extend(_in_onnx(found["onnx"], PARTS.get(name), label))
    return "\n\n".join(
        [_table(("measure", "this network", "its ancestor"), rows), *_how_measured(found["onnx"]["own"])]
    )


def _in_onnx(figures: dict[str, Any], part: str | None, label: str) -> Iterable[tuple[str, str, str]]:
    """Rows of the accuracy in the ONNX file's form, below PyTorch's."""
    own, ancestor = (figures[side].get(part, {}) for side in ("own", "ancestor"))
    for form, name in (("onnx", "ONNX file"), ("boxes", "ONNX file with boxes")):
        if own.get(form) is not None:
            yield f"{label}, {name}", percent(own[form], 2), percent(ancestor.get(form), 2)


def _how_measured(figures: dict[str, dict[str, Any]]) -> Iterable[str]:
    for part, row in figures.items():
        few = row["images"] < row["of"]
        also = f" PyTorch’s figure on the same images: {percent(row['torch'], 2)}." if few else ""
        yield (
            f"The ONNX file was measured in ONNX Runtime on {row['images']:,} of {row['of']:,} {part} images.{also} "
            f"{agreement(row)}"
        )


def _data(found: dict[str, Any]) -> str:
    data, shape = found["data"], found["input"]["shape"]
    lines = [f"- Data set: {_plain(data['name'])} ({data['task']})"]
    if data["images"]:
        lines.append(f"- Images: {data['images']:,}")
    if data["fingerprint"]:
        lines.append(f"- SHA-256 of its content: `{data['fingerprint']}`")
    if shape:
        lines.append(f"- Input: {shape[0]} × {shape[1]} × {shape[2]} (channels, height, width)")
    lines.append(f"- Classes, in order: {', '.join(_plain(str(name)) for name in data['classes'])}")
    return "\n".join(lines)


def _making(found: dict[str, Any]) -> str:
    lines = [
        "Stress-induced evolutionary synthesis with Eustress, after StressedNets (arXiv 1801.05387).",
        f"Line of descent: {' → '.join(found['line'])}.",
    ]
    if found["shock_accuracy"] is not None:
        lines.append(f"Shock, right after the last cut and before any training: {percent(found['shock_accuracy'], 2)}.")
    if isinstance(found["proof"], dict) and found["proof"].get("difference") is not None:
        lines.append(f"Largest difference in the proof of the last cut: {found['proof']['difference']:.2g}.")
    rows = [(label, _plain(str(value))) for label, value in found["settings"].items()]
    return "\n".join(lines) + "\n\n" + _table(("setting", "value"), rows)


def _paid(found: dict[str, Any]) -> str:
    paid = [row for row in found["classes"] if row["ancestor"] is not None and row["own"] < row["ancestor"]]
    if not paid:
        return ""
    rows = [(_plain(row["name"]), percent(row["own"], 2), percent(row["ancestor"], 2)) for row in paid[:PAID]]
    return "## Classes that paid most\n\n" + _table(("class", "this network", "its ancestor"), rows)


def _limits(found: dict[str, Any]) -> str:
    """What the figures do not say."""
    lines = [f"- They are of pictures held back from {_plain(found['data']['name'])}; on others they may differ."]
    if found["figures"]["test_accuracy"]["own"] is None:
        lines.append("- It has been chosen and compared by validation images, which flatters; it was never tested.")
    if found["figures"]["latency_ms"]["own"] is not None:
        lines.append("- Latency is of the machine that trained it; measure it on your device.")
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """A name that people gave, in one line and without what Markdown or HTML would act on."""
    flat = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#" else letter for letter in flat)
