"""Looking into what teams upload: data sets, and networks or weights of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from evolution_core.spec import NetworkError
from webapp.datasets.models import Dataset, DatasetFile, summary_of
from webapp.dispatch import dispatch
from webapp.runs.models import BaseFile, Run
from workers import materials
from workers.claims import Claim
from workers.once import once

if TYPE_CHECKING:
    from evolution_core.data import Inspection


def inspect_dataset(dataset_id: int) -> None:
    """Read every image of an uploaded data set and write down what was found, or why it cannot be used."""
    state = Dataset.State
    claim = Claim.take(Dataset, dataset_id, waiting=state.UPLOADED, working=state.INSPECTING, message="")
    if claim is None:
        return
    _look(claim, state, lambda: _inspect(Dataset.objects.get(pk=dataset_id), claim))
    for run_id in Run.objects.filter(dataset=dataset_id, state=Run.State.QUEUED).values_list("pk", flat=True):
        dispatch("workers.advance", run_id)


def inspect_base(base_file_id: int) -> None:
    """Trace a team's own network, or read its weights, and write down what they are, or why they cannot be used."""
    state = BaseFile.State
    claim = Claim.take(BaseFile, base_file_id, waiting=state.UPLOADED, working=state.INSPECTING, message="")
    if claim is not None:
        _look(claim, state, lambda: _inspect_base(BaseFile.objects.get(pk=base_file_id)))


def _look(claim: Claim, state: Any, task: Callable[[], dict[str, Any]]) -> None:
    """Do a claimed inspection; `task` returns the row's last fields, among them its state."""
    once(claim, task, waiting=state.UPLOADED, refused=state.REFUSED, errored=state.ERRORED)


def _inspect(dataset: Dataset, claim: Claim) -> dict[str, Any]:
    from evolution_core.data import inspect  # PyTorch: only where it is needed

    source = materials.source(dataset)
    for stored, (_, path) in zip(dataset.files.all(), source, strict=True):
        if not stored.sha256:  # it came piece by piece, and nobody has read it whole yet
            DatasetFile.objects.filter(pk=stored.pk).update(sha256=materials.sha256(path))
    found = inspect(source, progress=lambda _done, _total: claim.check())
    report = {**found.to_json(), "samples": _keep_samples(dataset, found)}
    kept = {"report": report, "summary": summary_of(report), "task": found.task}
    if found.fatal:
        count = len(found.problems)
        file, sentence = found.problems[0]
        message = f"{file}: {sentence}" if file else sentence
        if count > 1:
            message += f" ({count - 1} more below)"
        return {"state": Dataset.State.REFUSED, "message": message, **kept}
    state = Dataset.State.ASKING if needs_a_yes(report) else Dataset.State.READY
    return {"state": state, "message": "", **kept}


def needs_a_yes(report: dict[str, Any]) -> bool:
    """Whether boxes would be left out or changed, so that somebody has to agree: what a note says of a file."""
    boxes = report.get("boxes")
    return boxes is not None and (boxes["left_out"] > 0 or any(row["file"] for row in report["notes"]))


def _keep_samples(dataset: Dataset, found: Inspection) -> list[dict[str, str]]:
    """Put the sample pictures into storage; returns what the report says of them."""
    kept = []
    for number, sample in enumerate(found.samples):
        name = f"datasets/{dataset.pk}/samples/{number}.png"
        default_storage.delete(name)
        kept.append(
            {
                "class": sample.class_name,
                "name": sample.file,
                "file": default_storage.save(name, ContentFile(sample.png)),
            }
        )
    return kept


def _inspect_base(brought: BaseFile) -> dict[str, Any]:
    path = materials.local(brought.file, settings.WORK_ROOT / "bases")
    summary = _network_summary(path) if brought.kind == BaseFile.Kind.ONNX else _weights_summary(path)
    return {"state": BaseFile.State.READY, "message": "", "summary": summary}


def _network_summary(path: Path) -> dict[str, Any]:
    """What an own network is. Raises NetworkError naming the operator that cannot be evolved."""
    from evolution_core.architectures.onnx_import import load_onnx  # PyTorch: only where it is needed
    from evolution_core.measurement import count_parameters, layer_table

    own = load_onnx(path)
    return {
        "inputs": list(own.shape),
        "outputs": own.outputs,
        "parameters": count_parameters(own.module),
        "layers": len(layer_table(own.module, own.shape)),
    }


def _weights_summary(path: Path) -> dict[str, Any]:
    """How many tensors and numbers a file of weights holds. Raises NetworkError when it is none."""
    if path.suffix.lower() == BaseFile.DARKNET:
        from evolution_core.architectures.darknet_weights import count_darknet_numbers  # PyTorch: only where needed

        return {"parameters": count_darknet_numbers(path)}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as weights:
            shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError) as error:
        raise NetworkError(f"This is not a safetensors file ({str(error)[:200]}).") from None
    if not shapes:
        raise NetworkError("This safetensors file holds no tensors.")
    return {"parameters": sum(math.prod(shape) for shape in shapes), "tensors": len(shapes)}
