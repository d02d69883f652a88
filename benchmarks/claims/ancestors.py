"""Ancestors, trained once for every arm that begins with the same one, and dense networks, trained for longer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from evolution_core.data import Data
from evolution_core.life import Life, open_test
from evolution_core.lineage import locked, read_record, record_file
from evolution_core.records import ANCESTOR, NetworkRecord, ancestor_plan, write_json
from evolution_core.spec import RunSpec

from .places import WORK

LATENCY = 1.0  # seconds given to a network's pace

# What an ancestor depends on. Everything else of a spec concerns its offspring alone.
FIELDS = (
    "architecture",
    "input_size",
    "width",
    "seed",
    "limit",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "batch_size",
    "augmentation",
    "validation_share",
    "progressive_size",
    "progressive_share",
    "precision",
    "encoding",
)


def ancestor_spec(spec: RunSpec, epochs: float | None = None) -> RunSpec:
    """The spec reduced to what its ancestor depends on; `epochs` trains it for longer than the spec says."""
    own = spec.ancestor_epochs if spec.ancestor_epochs is not None else spec.epochs
    return RunSpec(
        **{name: getattr(spec, name) for name in FIELDS},
        ancestor_epochs=own if epochs is None else epochs,
    )


def trained(spec: RunSpec, data: Data, work: Path = WORK) -> tuple[NetworkRecord, Path]:
    """(record with its test measures, folder) of the ancestor that `spec` (see :func:`ancestor_spec`) describes:
    trained now, or taken up where it was, or found."""
    text = json.dumps({"spec": spec.to_json(), "data": data.fingerprint}, sort_keys=True)
    folder = work / "ancestors" / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        for _ in Life(spec, ancestor_plan(), data, folder, latency_seconds=LATENCY).events():
            pass
        record = read_record(folder, ANCESTOR)
        assert record is not None
        if record.test_accuracy is None:
            record = open_test(spec, record, data, folder)
            write_json(record_file(folder, ANCESTOR), record.to_json())
    return record, folder


def copy_into(folder: Path, out: Path) -> None:
    """Give a run, in `out`, this ancestor; the record is written last."""
    for name in (f"{ANCESTOR}.safetensors", f"{ANCESTOR}.json"):
        part = out / f".{name}.{os.getpid()}"
        shutil.copy(folder / name, part)
        part.replace(out / name)
